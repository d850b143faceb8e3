//! One shell: its output, and the queue of what is typed into it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::scrollback::Scrollback;
use crate::{
    agent::App,
    protocol::{Shell, ShellEnd},
};

/// The prefix of shells' tags; their number follows.
const TAG: &str = "terminal-";
/// How many chunks of typed input may wait for a shell that does not read.
const MAX_WAITING: usize = 64;
/// The maximum size of one chunk of typed input, in bytes.
const MAX_PIECE: usize = 32 << 10;
/// How fast a shell's output is read, in bytes per second. A program that writes endlessly waits.
const RATE: f64 = (4 << 20) as f64;
/// Output below this size is shown at once.
const QUICK: usize = 4 << 10;

pub(super) struct OpenShell {
    pub(super) number: u32,
    pub(super) tag: String,
    state: Mutex<State>,
    keys: mpsc::Sender<Vec<u8>>,
}

struct State {
    scrollback: Scrollback,
    /// The app whose sandbox it runs in.
    app: App,
    /// Whether its output is being read.
    followed: bool,
    ended: Option<ShellEnd>,
}

impl OpenShell {
    /// A shell with this number in an app's sandbox, and the receiver of what is typed into it.
    pub(super) fn new(number: u32, app: App) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (keys, typed) = mpsc::channel(MAX_WAITING);
        let shell = Self {
            number,
            tag: Self::tag_of(number),
            state: Mutex::new(State {
                scrollback: Scrollback::new(),
                app,
                followed: false,
                ended: None,
            }),
            keys,
        };
        (shell, typed)
    }

    /// The tag of the shell with this number.
    pub(super) fn tag_of(number: u32) -> String {
        format!("{TAG}{number}")
    }

    /// The number in a tag, if it is a shell's.
    pub(super) fn number_in(tag: &str) -> Option<u32> {
        tag.strip_prefix(TAG)?.parse().ok()
    }

    pub(super) fn describe(&self) -> Shell {
        let state = self.state.lock();
        Shell {
            number: self.number,
            end: state.scrollback.end(),
            ended: state.ended.clone(),
        }
    }

    pub(super) fn app(&self) -> App {
        self.state.lock().app.clone()
    }

    /// Whether it is running, as far as is known.
    pub(super) fn runs(&self) -> bool {
        self.state.lock().ended.is_none()
    }

    /// Whether it is running while nobody reads its output.
    pub(super) fn is_unread(&self) -> bool {
        let state = self.state.lock();
        state.ended.is_none() && !state.followed
    }

    pub(super) fn set_followed(&self, followed: bool) {
        self.state.lock().followed = followed;
    }

    pub(super) fn end(&self, end: ShellEnd) {
        let mut state = self.state.lock();
        state.followed = false;
        state.ended.get_or_insert(end);
    }

    /// Forgets the processes that it left running.
    pub(super) fn forget_left(&self) {
        if let Some(end) = &mut self.state.lock().ended {
            end.left.clear();
        }
    }

    /// The processes that it left running.
    pub(super) fn left(&self) -> Vec<u32> {
        let state = self.state.lock();
        let left = state.ended.iter().flat_map(|end| &end.left);
        left.map(|process| process.pid).collect()
    }

    /// Takes in output; returns how long to wait before the next chunk.
    pub(super) fn show(&self, bytes: &[u8]) -> Duration {
        self.state.lock().scrollback.push(bytes);
        if bytes.len() < QUICK {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(bytes.len() as f64 / RATE)
    }

    /// Its output, as [`Scrollback::read`].
    pub(super) fn read(&self, after: u64, max: usize) -> Option<(u64, Vec<u8>)> {
        self.state.lock().scrollback.read(after, max)
    }

    /// Returns `false` if the shell has not read what was typed before.
    pub(super) fn type_in(&self, keys: Vec<u8>) -> bool {
        self.keys.try_send(keys).is_ok()
    }

    /// Passes on what is typed, in order, until nobody can type any more. The input is never
    /// logged.
    pub(super) async fn pass_on(shell: std::sync::Weak<Self>, mut typed: mpsc::Receiver<Vec<u8>>) {
        while let Some(mut keys) = typed.recv().await {
            while keys.len() < MAX_PIECE
                && let Ok(more) = typed.try_recv()
            {
                keys.extend(more);
            }
            let Some(shell) = shell.upgrade() else {
                return;
            };
            let app = shell.app();
            if shell.runs()
                && let Err(error) = app.type_into(&shell.tag, &keys).await
            {
                // Its stream will say how it ended.
                tracing::debug!(sandbox.id = app.id(), %error, "a shell took nothing");
            }
        }
    }
}
