//! Runs: from a prompt to a result, in durable steps. The supervisor saves what is wanted, the
//! engine works on it, `build` performs a run's steps over the journal, events tell the project's
//! followers, and previews are watched while somebody looks.

mod apps;
mod build;
mod crash;
mod dashboard;
mod draft;
mod embedded;
mod engine;
mod events;
mod fair;
mod files;
mod images;
mod journal;
mod preview;
mod retries;
mod supervisor;
mod sweep;
mod versions;
mod workspace;

pub use apps::Apps;
pub use events::{Events, Follower, Heard};
pub use files::FilesError;
pub use images::UploadError;
pub use preview::{Previews, Watch};
pub use supervisor::Supervisor;
