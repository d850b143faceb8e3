//! Runs: from a prompt to a result, in durable steps. The supervisor takes runs, `build` performs their steps over the journal,
//! events tell the project's followers, and previews are watched while somebody looks.

mod apps;
mod build;
mod dashboard;
mod events;
mod files;
mod journal;
mod preview;
mod supervisor;
mod workspace;

pub use apps::Apps;
pub use events::{Events, Follower, Heard};
pub use files::FilesError;
pub use preview::{Previews, Watch};
pub use supervisor::Supervisor;
