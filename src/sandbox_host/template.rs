//! Templates: the starting points of sandboxes. Each build is a folder of its own
//! (`templates/<name>/<version>`), because paused sandboxes are layers over the build they were
//! created from.

mod admin;
mod build;
mod builds;
mod lock;
mod sources;

pub use admin::{list, remove};
pub use build::{build, is_ready};
pub(super) use builds::{Template, all, remove_unused};
