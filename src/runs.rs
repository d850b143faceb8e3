//! The engine: from a prompt to a result, in durable steps. The supervisor saves each request, the
//! engine works on it, `build` executes a run's steps over the journal, and events reach the
//! project's followers. `projects` provides the app that a run works on.

mod app_locks;
mod build;
mod crash;
mod draft;
mod embedded;
mod engine;
mod events;
mod journal;
mod kept_work;
mod own_keys;
mod peers;
mod project_app;
mod project_locks;
mod records;
mod restate;
mod retries;
mod slots;
mod stop;
mod supervisor;
mod worker;

pub use app_locks::{AppLock, AppLocks};
pub use build::{BUILD_INPUT, RunContext, SANDBOX_STEP};
pub use crash::point as crash_point;
pub use events::{Events, FeedEvent, FollowEvent, Follower, OpenCode, Shown};
pub use journal::persistently;
pub use kept_work::KeptWork;
pub use own_keys::{OwnKeyError, OwnKeys, UnsealKey};
pub use project_app::ProjectApp;
pub use project_locks::ProjectLocks;
pub use supervisor::Supervisor;
