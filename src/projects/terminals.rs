//! Terminals: the shells that people open in a project's sandbox. They belong to the project, not
//! to the page: every page shows the same ones, and a reload finds them again. The sandbox
//! identifies them by their tags, so that a restarted server finds them too.
//!
//! Listening to a shell doesn't keep its sandbox awake. When the sandbox falls asleep, the stream
//! is cut. When it wakes, the shell continues, or has ended if the sandbox's memory was dropped.

mod scrollback;
mod shell;
mod shells;
mod viewer;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::apps::Apps;
use crate::{agent::Agent, protocol::ProjectId, store::Store};
use shells::{ShellContext, Shells};
pub use viewer::{TerminalItem, TerminalViewer};

/// How many projects' shells are remembered while they have no viewers and don't run.
const MAX_REMEMBERED: usize = 64;

/// The terminals of all projects, as a cheap handle.
#[derive(Clone)]
pub(super) struct Terminals {
    surroundings: Arc<ShellContext>,
    open: Arc<Mutex<HashMap<ProjectId, Arc<Shells>>>>,
}

impl Terminals {
    pub(super) fn new(
        store: Store,
        agent: Agent,
        apps: Apps,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            surroundings: Arc::new(ShellContext {
                store,
                agent,
                apps,
                tasks,
                shutdown,
            }),
            open: Arc::default(),
        }
    }

    /// The project's shells.
    fn of(&self, project: ProjectId) -> Arc<Shells> {
        let mut open = self.open.lock();
        if open.len() >= MAX_REMEMBERED {
            open.retain(|_, shells| shells.is_needed());
        }
        open.entry(project)
            .or_insert_with(|| Shells::new(project, self.surroundings.clone()))
            .clone()
    }
}
