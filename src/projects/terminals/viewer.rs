//! A page that shows a project's terminals. It gets the output that it lacks as fast as it takes
//! it. A page that is too slow misses output that is no longer kept, and delays nobody else.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval},
};

use super::shells::{CHECK_INTERVAL, Shells};
use crate::{
    agent::TerminalSize,
    projects::{ProjectError, Projects},
    protocol::{ProjectId, TerminalFrame, TerminalRequest},
};

/// The maximum number of pages that may show a project's terminals.
const MAX_VIEWERS: usize = 32;
/// The maximum size of one frame of output, in bytes.
const MAX_OUTPUT: usize = 32 << 10;
/// How many requests of a page may be in progress or waiting to be read by it.
const MAX_ANSWERS: usize = 16;

/// One page, until it is dropped.
pub struct TerminalViewer {
    shells: Arc<Shells>,
    changed: watch::Receiver<()>,
    shown: watch::Receiver<()>,
    /// The offset up to which the page has each shell's output; `None` until it has said so.
    have: Option<HashMap<u32, u64>>,
    /// Whether there may be output that the page lacks.
    behind: bool,
    answer: mpsc::Sender<TerminalFrame>,
    answers: mpsc::Receiver<TerminalFrame>,
    look_again: Interval,
}

/// An item for a page.
#[derive(Debug)]
pub enum TerminalItem {
    Frame(TerminalFrame),
    /// Output of a shell, and the offset of its first byte.
    Output {
        shell: u32,
        place: u64,
        bytes: Vec<u8>,
    },
}

impl Projects {
    /// Shows the project's terminals to one page.
    pub async fn terminals(&self, project: ProjectId) -> Result<TerminalViewer, ProjectError> {
        self.expect_editor(project).await?;
        let shells = self.inner.terminals.of(project);
        if shells.viewers.load(Ordering::Relaxed) >= MAX_VIEWERS {
            return Err(ProjectError::Conflict(
                "Too many pages show this project's terminals. Close some of them.",
            ));
        }
        Ok(TerminalViewer::new(shells))
    }
}

impl Drop for TerminalViewer {
    fn drop(&mut self) {
        self.shells.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TerminalViewer {
    fn new(shells: Arc<Shells>) -> Self {
        shells.viewers.fetch_add(1, Ordering::Relaxed);
        let (answer, answers) = mpsc::channel(MAX_ANSWERS);
        let mut look_again = interval(CHECK_INTERVAL);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            changed: shells.changed.subscribe(),
            shown: shells.shown.subscribe(),
            shells,
            have: None,
            behind: true,
            answer,
            answers,
            look_again,
        }
    }

    /// Waits for the next item. Dropping the future loses nothing.
    pub async fn next(&mut self) -> TerminalItem {
        loop {
            // First, so that a flood of output does not delay the answers.
            if let Ok(frame) = self.answers.try_recv() {
                return TerminalItem::Frame(frame);
            }
            if self.have.is_some() && self.changed.has_changed().unwrap_or(false) {
                self.changed.mark_unchanged();
                return self.describe();
            }
            if self.behind
                && let Some(output) = self.output()
            {
                return output;
            }
            tokio::select! {
                Some(frame) = self.answers.recv() => return TerminalItem::Frame(frame),
                Ok(()) = self.changed.changed(), if self.have.is_some() => return self.describe(),
                Ok(()) = self.shown.changed(), if self.have.is_some() => self.behind = true,
                _ = self.look_again.tick() => {
                    let shells = self.shells.clone();
                    self.shells.spawn(async move { shells.look_again().await });
                }
            }
        }
    }

    fn describe(&mut self) -> TerminalItem {
        self.behind = true;
        let (sandbox, shells) = self.shells.describe();
        TerminalItem::Frame(TerminalFrame::Shells { sandbox, shells })
    }

    /// The next output that the page lacks.
    fn output(&mut self) -> Option<TerminalItem> {
        let have = self.have.as_mut()?;
        for shell in self.shells.all() {
            let after = have.get(&shell.number).copied().unwrap_or(0);
            if let Some((place, bytes)) = shell.read(after, MAX_OUTPUT) {
                have.insert(shell.number, place + bytes.len() as u64);
                return Some(TerminalItem::Output {
                    shell: shell.number,
                    place,
                    bytes,
                });
            }
        }
        self.behind = false;
        None
    }

    /// Handles a request of the page. Slow work runs in the background and is answered by
    /// [`Self::next`].
    pub fn take(&mut self, request: TerminalRequest) {
        let size = |cols, rows| TerminalSize { cols, rows };
        let shells = self.shells.clone();
        match request {
            TerminalRequest::Follow { have } => {
                self.have = Some(have.into_iter().collect());
                self.behind = true;
                self.changed.mark_changed();
            }
            TerminalRequest::Open { cols, rows, first } => self.work(async move {
                let opened = shells.open(size(cols, rows), first).await?;
                Ok(opened.map(|shell| TerminalFrame::Opened { shell }))
            }),
            TerminalRequest::Resize { shell, cols, rows } => self.work(async move {
                shells.resize(shell, size(cols, rows)).await?;
                Ok(None)
            }),
            TerminalRequest::Close { shell } => self.work(async move {
                shells.close(shell).await?;
                Ok(None)
            }),
            TerminalRequest::EndLeft { shell } => self.work(async move {
                shells.end_left(shell).await?;
                Ok(None)
            }),
            TerminalRequest::Wake => self.work(async move {
                shells.wake().await?;
                Ok(None)
            }),
            TerminalRequest::Ping => {
                let _ = self.answer.try_send(TerminalFrame::Pong);
            }
        }
    }

    /// Types into a shell.
    pub fn type_into(&self, shell: u32, keys: Vec<u8>) {
        if let Err(error) = self.shells.type_into(shell, keys) {
            let reason = error.to_string();
            // Fails if the channel is full: the page has other answers to read first.
            let _ = self.answer.try_send(TerminalFrame::Refused { reason });
        }
    }

    fn work(
        &self,
        work: impl Future<Output = Result<Option<TerminalFrame>, ProjectError>> + Send + 'static,
    ) {
        // A page may have only so many requests in progress.
        let Ok(answer) = self.answer.clone().try_reserve_owned() else {
            return;
        };
        self.shells.spawn(async move {
            let frame = match work.await {
                Ok(frame) => frame,
                Err(error) => Some(TerminalFrame::Refused {
                    reason: crate::protocol::ApiError::from(error).message,
                }),
            };
            if let Some(frame) = frame {
                answer.send(frame);
            }
        });
    }
}
