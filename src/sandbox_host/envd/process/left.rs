//! What ended commands left running. At the sandbox's limit of processes nobody inside could end
//! it, not even a shell with `kill`: envd does, so that the next command starts.

use std::{io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::tree::Tree;

/// How long a start is retried, and how often, while what was killed gives back its room.
const MAX_WAIT: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The process trees that ended commands left running; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct LeftRunning(Arc<Mutex<Vec<Tree>>>);

/// Whether a start failed at the sandbox's limit of processes or memory.
pub(super) fn is_at_limit(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
    )
}

impl LeftRunning {
    pub(super) fn remember(&self, tree: &Tree) {
        let mut left = self.0.lock();
        left.push(tree.clone());
        left.retain(Tree::is_running);
    }

    /// Starts a process; at the sandbox's limit, it kills what was left running, and starts it once
    /// there is room.
    pub(super) async fn making_room<T>(&self, start: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let until = Instant::now() + MAX_WAIT;
        let mut has_killed = false;
        loop {
            match start() {
                Err(error) if is_at_limit(&error) && Instant::now() < until => {
                    has_killed |= self.kill();
                    if !has_killed {
                        return Err(error);
                    }
                    sleep(POLL_INTERVAL).await;
                }
                started => return started,
            }
        }
    }

    /// Kills them; `false` if there were none.
    fn kill(&self) -> bool {
        let mut left = self.0.lock();
        left.retain(Tree::is_running);
        left.iter().for_each(Tree::end);
        !left.is_empty()
    }
}
