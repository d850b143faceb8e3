//! The shells of one project, and the sandbox that they run in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::shell::OpenShell;
use crate::{
    agent::{Agent, App, RunError, ShellEvent, ShellStream, TerminalSize},
    projects::{apps::Apps, error::ProjectError},
    protocol::{LeftRunning, ProjectId, Shell, ShellEnd, TerminalSandbox},
    store::Store,
};

/// The maximum number of shells per project, including those that have ended.
const MAX_SHELLS: usize = 8;
/// The size of a terminal, in characters.
const COLS: std::ops::RangeInclusive<u16> = 2..=500;
const ROWS: std::ops::RangeInclusive<u16> = 1..=300;
/// The first line of a shell whose earlier output the server doesn't know.
const FOUND_AGAIN: &[u8] =
    b"\x1b[2m[The server was restarted. What this shell showed before is gone.]\x1b[0m\r\n";

/// The parts of the server that shells need.
pub(super) struct ShellContext {
    pub(super) store: Store,
    pub(super) agent: Agent,
    pub(super) apps: Apps,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

pub(super) struct Shells {
    project: ProjectId,
    surroundings: Arc<ShellContext>,
    /// Held while shells are started, found and ended.
    working: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Changes whenever the result of [`Self::describe`] does, and when a shell has output.
    pub(super) changed: watch::Sender<()>,
    pub(super) shown: watch::Sender<()>,
    pub(super) viewers: AtomicUsize,
}

struct State {
    sandbox: TerminalSandbox,
    shells: Vec<Arc<OpenShell>>,
    /// The highest shell number used so far.
    last: u32,
}

impl Shells {
    pub(super) fn new(project: ProjectId, surroundings: Arc<ShellContext>) -> Arc<Self> {
        Arc::new(Self {
            project,
            surroundings,
            working: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                sandbox: TerminalSandbox::Starting,
                shells: Vec::new(),
                last: 0,
            }),
            changed: watch::Sender::new(()),
            shown: watch::Sender::new(()),
            viewers: AtomicUsize::new(0),
        })
    }

    /// Whether it has a viewer, or reads from a shell.
    pub(super) fn is_needed(&self) -> bool {
        let state = self.state.lock();
        self.viewers.load(Ordering::Relaxed) > 0
            || (state.sandbox == TerminalSandbox::Awake
                && state.shells.iter().any(|shell| shell.runs()))
    }

    pub(super) fn describe(&self) -> (TerminalSandbox, Vec<Shell>) {
        let state = self.state.lock();
        let shells = state.shells.iter().map(|shell| shell.describe());
        (state.sandbox.clone(), shells.collect())
    }

    pub(super) fn all(&self) -> Vec<Arc<OpenShell>> {
        self.state.lock().shells.clone()
    }

    fn find(&self, number: u32) -> Result<Arc<OpenShell>, ProjectError> {
        let state = self.state.lock();
        let found = state.shells.iter().find(|shell| shell.number == number);
        found
            .cloned()
            .ok_or(ProjectError::Conflict("That shell is closed already."))
    }

    fn set_sandbox(&self, sandbox: TerminalSandbox) {
        let mut state = self.state.lock();
        if state.sandbox != sandbox {
            state.sandbox = sandbox;
            drop(state);
            self.changed.send_replace(());
        }
    }

    /// Spawns work that ends with the server.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.surroundings.shutdown.clone();
        self.surroundings.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    /// Finds out whether the sandbox is awake, without waking it. If it is, follows the shells that
    /// run in it.
    pub(super) async fn look(self: &Arc<Self>) {
        let _one_at_a_time = self.working.lock().await;
        if let Err(error) = self.try_to_look().await {
            let reason = error.to_string();
            self.set_sandbox(TerminalSandbox::Unreachable { reason });
        }
    }

    /// As [`Self::look`], if the sandbox isn't known to be awake: it may have been woken.
    pub(super) async fn look_again(self: &Arc<Self>) {
        let is_awake = self.state.lock().sandbox == TerminalSandbox::Awake;
        if !is_awake && self.working.try_lock().is_ok() {
            self.look().await;
        }
    }

    async fn try_to_look(self: &Arc<Self>) -> Result<(), ProjectError> {
        let Some(sandbox) = self.surroundings.store.sandbox_of(self.project).await? else {
            let exists = self.surroundings.apps.exists(self.project).await?;
            self.lost(if exists {
                TerminalSandbox::Lost
            } else {
                TerminalSandbox::None
            });
            return Ok(());
        };
        match self.surroundings.agent.is_awake(&sandbox).await? {
            Some(true) => {
                if let Some(app) = self.surroundings.agent.open(&sandbox).await? {
                    return self.follow_all(&app).await;
                }
                self.lost(TerminalSandbox::Lost);
            }
            Some(false) => self.set_sandbox(TerminalSandbox::Asleep),
            None => self.lost(TerminalSandbox::Lost),
        }
        Ok(())
    }

    /// The sandbox is gone, and its shells with it.
    fn lost(&self, sandbox: TerminalSandbox) {
        for shell in self.all() {
            shell.end(ShellEnd {
                code: None,
                left: Vec::new(),
            });
        }
        self.set_sandbox(sandbox);
    }

    /// Follows the shells of the app's sandbox, and ends those that it no longer has.
    async fn follow_all(self: &Arc<Self>, app: &App) -> Result<(), ProjectError> {
        let tags = app.tags().await?;
        for shell in self.all() {
            let is_there = shell.app().id() == app.id() && tags.contains(&shell.tag);
            let stream = match (is_there, shell.is_unread()) {
                (_, false) if shell.app().id() == app.id() => continue,
                (true, true) => app.follow_shell(&shell.tag).await?,
                _ => None,
            };
            match stream {
                Some(stream) => self.follow(shell, stream),
                None => shell.end(ShellEnd {
                    code: None,
                    left: Vec::new(),
                }),
            }
        }
        for tag in tags {
            let known = self.all().iter().any(|shell| shell.tag == tag);
            let Some(number) = OpenShell::number_in(&tag).filter(|_| !known) else {
                continue;
            };
            if let Some(stream) = app.follow_shell(&tag).await? {
                let shell = self.add(number, app);
                shell.show(FOUND_AGAIN);
                self.follow(shell, stream);
            }
        }
        self.state.lock().sandbox = TerminalSandbox::Awake;
        self.changed.send_replace(());
        Ok(())
    }

    fn add(&self, number: u32, app: &App) -> Arc<OpenShell> {
        let (shell, typed) = OpenShell::new(number, app.clone());
        let shell = Arc::new(shell);
        self.spawn(OpenShell::pass_on(Arc::downgrade(&shell), typed));
        let mut state = self.state.lock();
        state.last = state.last.max(number);
        state.shells.push(shell.clone());
        shell
    }

    /// Takes in the shell's output until it ends or its stream is cut.
    fn follow(self: &Arc<Self>, shell: Arc<OpenShell>, mut stream: ShellStream) {
        shell.set_followed(true);
        let shells = self.clone();
        self.spawn(async move {
            loop {
                match stream.next().await {
                    Ok(ShellEvent::Output(bytes)) => {
                        let pause = shell.show(&bytes);
                        shells.shown.send_replace(());
                        if !pause.is_zero() {
                            tokio::time::sleep(pause).await;
                        }
                    }
                    Ok(ShellEvent::Ended { exit_code, left }) => {
                        let left = left.into_iter().map(|process| LeftRunning {
                            pid: process.pid,
                            command: process.command,
                        });
                        shell.end(ShellEnd {
                            code: Some(exit_code),
                            left: left.collect(),
                        });
                        shells.changed.send_replace(());
                        return;
                    }
                    Err(error) => {
                        tracing::debug!(project.id = %shells.project, %error, "a shell's stream was cut");
                        shell.set_followed(false);
                        shells.look().await;
                        return;
                    }
                }
            }
        });
    }

    /// Opens a shell, and the app if necessary; with `first`, only if there is none yet. Returns
    /// its number.
    pub(super) async fn open(
        self: &Arc<Self>,
        size: TerminalSize,
        first: bool,
    ) -> Result<Option<u32>, ProjectError> {
        let _one_at_a_time = self.working.lock().await;
        if !self.surroundings.apps.exists(self.project).await? {
            return Err(ProjectError::Conflict(
                "The app has no files yet. A terminal can be opened when the first run has begun to write some.",
            ));
        }
        if !first && self.all().len() >= MAX_SHELLS {
            return Err(ProjectError::Refused(format!(
                "A project has {MAX_SHELLS} terminals at most. Close one of them first."
            )));
        }
        let app = self.wake_app().await?;
        if first && !self.all().is_empty() {
            return Ok(None);
        }
        let number = self.state.lock().last + 1;
        let tag = OpenShell::tag_of(number);
        let stream = app.start_shell(&tag, bounded(size)).await?;
        let shell = self.add(number, &app);
        self.follow(shell, stream);
        self.changed.send_replace(());
        Ok(Some(number))
    }

    /// Wakes the sandbox, or creates another one if it is gone.
    pub(super) async fn wake(self: &Arc<Self>) -> Result<(), ProjectError> {
        let _one_at_a_time = self.working.lock().await;
        if !self.surroundings.apps.exists(self.project).await? {
            return Ok(());
        }
        self.wake_app().await.map(drop)
    }

    async fn wake_app(self: &Arc<Self>) -> Result<App, ProjectError> {
        if self.state.lock().sandbox != TerminalSandbox::Awake {
            self.set_sandbox(TerminalSandbox::Starting);
        }
        let waking = async {
            let app = self.surroundings.apps.open(self.project).await?;
            self.follow_all(&app).await?;
            Ok::<_, ProjectError>(app)
        };
        let app = waking.await;
        if let Err(error) = &app {
            let reason = error.to_string();
            self.set_sandbox(TerminalSandbox::Unreachable { reason });
        }
        app
    }

    /// Ends the shell and forgets it.
    pub(super) async fn close(self: &Arc<Self>, number: u32) -> Result<(), ProjectError> {
        let _one_at_a_time = self.working.lock().await;
        let shell = self.find(number)?;
        if shell.runs() {
            if self.state.lock().sandbox != TerminalSandbox::Awake {
                return Err(ProjectError::Conflict(
                    "The sandbox is asleep, and the shell with it. Wake it, then close the shell.",
                ));
            }
            shell.app().end_shell(&shell.tag).await?;
        }
        let mut state = self.state.lock();
        state.shells.retain(|other| other.number != number);
        drop(state);
        self.changed.send_replace(());
        Ok(())
    }

    /// Ends the processes that a finished shell left running.
    pub(super) async fn end_left(self: &Arc<Self>, number: u32) -> Result<(), ProjectError> {
        let _one_at_a_time = self.working.lock().await;
        let shell = self.find(number)?;
        let left = shell.left();
        if !left.is_empty() {
            shell.app().end_processes(&left).await?;
        }
        shell.forget_left();
        self.changed.send_replace(());
        Ok(())
    }

    pub(super) async fn resize(&self, number: u32, size: TerminalSize) -> Result<(), ProjectError> {
        let shell = self.find(number)?;
        // The sandbox is not woken for it.
        if shell.runs() && self.state.lock().sandbox == TerminalSandbox::Awake {
            let resized = shell.app().resize_shell(&shell.tag, bounded(size)).await;
            if let Err(error @ (RunError::Transient(_) | RunError::User(_))) = resized {
                // The shell has just ended.
                tracing::debug!(project.id = %self.project, %error, "a shell was not resized");
            }
        }
        Ok(())
    }

    /// Types into the shell. Never wakes the sandbox.
    pub(super) fn type_into(&self, number: u32, keys: Vec<u8>) -> Result<(), ProjectError> {
        let shell = self.find(number)?;
        if !shell.runs() {
            return Err(ProjectError::Conflict(
                "The shell has ended. Open another one.",
            ));
        }
        if self.state.lock().sandbox != TerminalSandbox::Awake {
            return Err(ProjectError::Conflict(
                "The sandbox is asleep, so nothing was typed. Wake it first.",
            ));
        }
        if !shell.type_in(keys) {
            return Err(ProjectError::Conflict(
                "What runs in the shell has not read what you typed before, so the rest was left out.",
            ));
        }
        Ok(())
    }
}

fn bounded(size: TerminalSize) -> TerminalSize {
    TerminalSize {
        cols: size.cols.clamp(*COLS.start(), *COLS.end()),
        rows: size.rows.clamp(*ROWS.start(), *ROWS.end()),
    }
}

/// The time between two checks of a sandbox that isn't awake.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(3);
