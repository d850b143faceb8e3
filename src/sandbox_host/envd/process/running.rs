//! The processes that clients started. Each leads a process group, so that a signal also reaches
//! its children; its deadline ends the whole tree. A process streams to all its listeners and
//! continues without any; its outcome is remembered for a while.

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::body::Bytes;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    left::{self, LeftRunning},
    messages::{Config, Selector, Size, Start, event},
    output::Output,
    terminal::Terminal,
    tree::{self, Tree},
};
use crate::{
    e2b::END_OF_STREAM,
    sandbox_host::{
        envd::{
            connect::{Error, frame},
            path,
        },
        oom,
    },
};

/// How many frames a slow listener may lag behind before the process waits for it.
const AHEAD: usize = 8;
/// How long output may still arrive after a process's deadline, and how long a listener may delay
/// it.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// How long to wait for more output from an ended process's children: until this much silence, and
/// at most this long.
const GRACE: Duration = Duration::from_millis(100);
const MAX_GRACE: Duration = Duration::from_secs(1);
/// How many processes and threads an ended command may leave running: enough for a server with its
/// workers. If there are more, all are killed.
const MAX_LEFT: usize = 40;
const MAX_LEFT_THREADS: usize = 300;
/// How long a process's outcome is remembered for late listeners.
const REMEMBERED: Duration = Duration::from_secs(30);

/// All processes; cheap to clone.
#[derive(Clone)]
pub(in crate::sandbox_host::envd) struct Processes {
    env: Arc<HashMap<String, String>>,
    known: Arc<Mutex<BTreeMap<u32, Arc<Running>>>>,
    left: LeftRunning,
}

/// A process that is running or has recently ended.
pub(super) struct Running {
    pid: u32,
    config: Config,
    tag: Option<String>,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    terminal: Option<Arc<Terminal>>,
    tree: Tree,
    audience: Mutex<Audience>,
}

/// A process's limits.
pub(super) struct Limits {
    /// When it is killed.
    pub deadline: Option<Instant>,
    /// How much of each of its outputs is forwarded, in bytes.
    pub output: Option<usize>,
}

enum Audience {
    Listening(Vec<mpsc::Sender<Bytes>>),
    /// The final frames.
    Ended(Vec<Bytes>),
}

/// A process's frames from some moment on.
pub(super) struct Subscription {
    /// Frames to send before the live ones.
    first: Vec<Bytes>,
    live: mpsc::Receiver<Bytes>,
}

impl Subscription {
    /// The next frame; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.first.is_empty() {
            return self.live.recv().await;
        }
        Some(self.first.remove(0))
    }
}

impl Processes {
    pub(in crate::sandbox_host::envd) fn new(env: Arc<HashMap<String, String>>) -> Self {
        Self {
            env,
            known: Arc::default(),
            left: LeftRunning::default(),
        }
    }

    /// The running processes, ordered by id.
    pub(super) fn all(&self) -> Vec<Arc<Running>> {
        self.known
            .lock()
            .values()
            .filter(|running| running.is_running())
            .cloned()
            .collect()
    }

    /// The process, if it is running.
    pub(super) fn find_running(&self, selector: &Selector) -> Result<Arc<Running>, Error> {
        let found = self.find(selector)?;
        if found.is_running() {
            Ok(found)
        } else {
            Err(not_found(selector))
        }
    }

    /// The process, running or recently ended; a tag means the latest process with it.
    pub(super) fn find(&self, selector: &Selector) -> Result<Arc<Running>, Error> {
        let known = self.known.lock();
        let found = match selector {
            Selector::Pid(pid) => known.get(pid),
            Selector::Tag(tag) => known
                .values()
                .rev()
                .find(|running| running.tag.as_ref() == Some(tag)),
        };
        found.cloned().ok_or_else(|| not_found(selector))
    }

    /// Starts a process within the limits. At the sandbox's limit of processes or memory, what
    /// ended commands left running makes room.
    pub(super) async fn start(&self, start: Start, limits: Limits) -> Result<Subscription, Error> {
        let cwd = path::resolve(start.process.cwd.as_deref().unwrap_or_default());
        if !cwd.is_dir() {
            return Err(Error::invalid(format!(
                "cwd '{}' does not exist",
                cwd.display()
            )));
        }
        let spawned = self.left.making_room(|| self.spawn(&start, &cwd)).await;
        let (mut child, terminal, mark) = spawned.map_err(|error| {
            let failed = format!("error starting process '{}': {error}", start.process.cmd);
            if left::is_at_limit(&error) {
                let advice = "the sandbox is at its limit of processes or memory";
                Error::new("resource_exhausted", format!("{failed}: {advice}"))
            } else {
                Error::invalid(failed)
            }
        })?;
        oom::kill_first(child.id());
        let pid = child.id().unwrap_or_default();
        let running = Arc::new(Running {
            pid,
            config: start.process,
            tag: start.tag,
            stdin: tokio::sync::Mutex::new(child.stdin.take()),
            terminal,
            tree: Tree::new(pid, mark),
            audience: Mutex::new(Audience::Listening(Vec::new())),
        });
        let subscription = running.subscribe();
        self.known.lock().insert(running.pid, running.clone());
        let processes = self.clone();
        tokio::spawn(async move {
            running.clone().stream(child, limits).await;
            processes.left.remember(&running.tree);
            tokio::time::sleep(REMEMBERED).await;
            let mut known = processes.known.lock();
            // The id may belong to another process by now.
            if known
                .get(&running.pid)
                .is_some_and(|other| Arc::ptr_eq(other, &running))
            {
                known.remove(&running.pid);
            }
        });
        Ok(subscription)
    }

    /// Starts the process, with its terminal if it has one, and with a mark for its tree.
    fn spawn(
        &self,
        start: &Start,
        cwd: &Path,
    ) -> std::io::Result<(Child, Option<Arc<Terminal>>, String)> {
        let config = &start.process;
        let mark = tree::new_mark();
        let mut command = Command::new(&config.cmd);
        command
            .args(&config.args)
            .env_clear()
            .envs(&*self.env)
            .envs(&config.envs)
            .env(tree::MARK, &mark)
            .current_dir(cwd);
        let terminal = if let Some(pty) = &start.pty {
            Some(Arc::new(Terminal::open(pty.size, &mut command)?))
        } else {
            let stdin = if start.stdin.unwrap_or(true) {
                Stdio::piped()
            } else {
                Stdio::null()
            };
            command
                .stdin(stdin)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0);
            None
        };
        // The command's end closes our copy of the terminal's other side, which would keep it open.
        let child = command.spawn()?;
        Ok((child, terminal, mark))
    }
}

fn not_found(selector: &Selector) -> Error {
    Error::not_found(match selector {
        Selector::Pid(pid) => format!("process with pid {pid} not found"),
        Selector::Tag(tag) => format!("process with tag {tag} not found"),
    })
}

impl Running {
    fn is_running(&self) -> bool {
        matches!(&*self.audience.lock(), Audience::Listening(_))
    }

    /// The process as an entry of a list.
    pub(super) fn description(&self) -> Value {
        let mut description = json!({ "pid": self.pid, "config": self.config });
        if let Some(tag) = &self.tag {
            description["tag"] = json!(tag);
        }
        description
    }

    /// Subscribes from now on; an ended process only delivers its end.
    pub(super) fn subscribe(&self) -> Subscription {
        let (sender, live) = mpsc::channel(AHEAD);
        let mut first = vec![event(&json!({ "start": { "pid": self.pid } }))];
        match &mut *self.audience.lock() {
            Audience::Listening(listeners) => listeners.push(sender),
            Audience::Ended(frames) => first.extend(frames.iter().cloned()),
        }
        Subscription { first, live }
    }

    pub(super) async fn write(&self, bytes: &[u8], pty: bool) -> Result<(), Error> {
        let gone = |error: std::io::Error| {
            Error::new("internal", format!("error writing to the process: {error}"))
        };
        match (&self.terminal, pty) {
            (Some(terminal), true) => terminal.write(bytes).await.map_err(gone),
            (None, false) => match &mut *self.stdin.lock().await {
                Some(stdin) => stdin.write_all(bytes).await.map_err(gone),
                None => Err(Error::new(
                    "failed_precondition",
                    "stdin is closed, or the process was started without",
                )),
            },
            (None, true) => Err(Error::new(
                "failed_precondition",
                "the process has no terminal",
            )),
            (Some(_), false) => Err(Error::new(
                "failed_precondition",
                "the process has a terminal: send its input as pty",
            )),
        }
    }

    pub(super) async fn close_stdin(&self) -> Result<(), Error> {
        if self.terminal.is_some() {
            let advice = "cannot close stdin for PTY process, send Ctrl+D (0x04) instead";
            return Err(Error::new("failed_precondition", advice));
        }
        self.stdin.lock().await.take();
        Ok(())
    }

    pub(super) fn resize(&self, size: Size) -> Result<(), Error> {
        let Some(terminal) = &self.terminal else {
            return Err(Error::new(
                "failed_precondition",
                "the process has no terminal",
            ));
        };
        terminal
            .resize(size)
            .map_err(|error| Error::new("internal", error.to_string()))
    }

    /// Signals the process and its group; does nothing once it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.is_running() {
            return;
        }
        if signal == Signal::SIGKILL {
            self.tree.end();
        } else if let Ok(pid) = i32::try_from(self.pid) {
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Forwards the process's output until it has ended. Its children may continue: they are
    /// reported, and nobody waits for their output.
    async fn stream(self: Arc<Self>, mut child: Child, limits: Limits) {
        let deadline = limits.deadline;
        let mut output = Output::new(&mut child, self.terminal.clone(), limits.output);
        let mut ended = Vec::new();
        let mut timed_out = false;
        let status = loop {
            let limit = deadline.map(|deadline| {
                if timed_out {
                    deadline + OUTPUT_GRACE
                } else {
                    deadline
                }
            });
            tokio::select! {
                (_, data) = output.next(), if output.is_open() => self.pass_on(data, deadline).await,
                status = child.wait() => break status,
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    if timed_out {
                        break Err(std::io::ErrorKind::TimedOut.into());
                    }
                    timed_out = true;
                    ended = self.tree.away();
                    self.tree.end();
                }
            }
        };
        self.stdin.lock().await.take();
        self.hear_out(&mut output, deadline).await;
        for data in output.ends() {
            self.pass_on(Some(data), deadline).await;
        }
        if output.is_open() {
            tokio::spawn(output.drain());
        } else if !timed_out && self.tree.is_running() {
            // A freshly forked process still has its shell's command line.
            tokio::time::sleep(GRACE).await;
        }
        let (mut running, threads) = self.tree.running();
        if timed_out {
            running.clear();
        } else if running.len() > MAX_LEFT || threads > MAX_LEFT_THREADS {
            self.tree.end();
            ended = std::mem::take(&mut running);
        }
        let mut end: Vec<Bytes> = Vec::new();
        if !(running.is_empty() && ended.is_empty()) {
            // Our own addition; E2B's clients ignore unknown events.
            end.push(event(
                &json!({ "left": { "running": running, "ended": ended } }),
            ));
        }
        if timed_out {
            end.push(Error::deadline().end_of_stream().into());
        } else {
            let end_of_process = match status {
                Ok(status) => how_it_ended(status),
                Err(error) => {
                    json!({ "exitCode": -1, "status": "unknown", "error": error.to_string() })
                }
            };
            end.extend([
                event(&json!({ "end": end_of_process })),
                frame(END_OF_STREAM, &json!({})).into(),
            ]);
        }
        let audience = std::mem::replace(&mut *self.audience.lock(), Audience::Ended(end.clone()));
        if let Audience::Listening(listeners) = audience {
            let sending = listeners.into_iter().map(async |listener| {
                for frame in &end {
                    if listener.send(frame.clone()).await.is_err() {
                        return;
                    }
                }
            });
            futures::future::join_all(sending).await;
        }
    }

    /// Forwards output that was written before the process ended, and further output until there is
    /// silence.
    async fn hear_out(&self, output: &mut Output, deadline: Option<Instant>) {
        let over = Instant::now() + MAX_GRACE;
        let mut waiting = output.waiting();
        while output.is_open() && (waiting > 0 || Instant::now() < over) {
            let Ok((read, data)) = timeout(GRACE, output.next()).await else {
                break;
            };
            waiting = waiting.saturating_sub(read);
            self.pass_on(data, deadline).await;
        }
    }

    async fn pass_on(&self, data: Option<Value>, deadline: Option<Instant>) {
        if let Some(data) = data {
            self.say(event(&json!({ "data": data })), deadline).await;
        }
    }

    /// Sends a frame to all listeners, and drops disconnected ones.
    async fn say(&self, frame: Bytes, deadline: Option<Instant>) {
        let listeners = match &*self.audience.lock() {
            Audience::Listening(listeners) => listeners.clone(),
            Audience::Ended(_) => return,
        };
        for listener in listeners {
            match deadline {
                // A listener that does not read must not delay the deadline.
                Some(deadline) => {
                    drop(timeout_at(deadline + OUTPUT_GRACE, listener.send(frame.clone())).await)
                }
                None => drop(listener.send(frame.clone()).await),
            }
        }
        if let Audience::Listening(listeners) = &mut *self.audience.lock() {
            listeners.retain(|listener| !listener.is_closed());
        }
    }
}

/// A process's outcome, with zero values omitted.
fn how_it_ended(status: ExitStatus) -> Value {
    if let Some(number) = status.signal() {
        let status = format!("signal: {}", signal_name(number));
        return json!({ "exitCode": -1, "status": status, "error": status });
    }
    let text = format!("exit status {}", status.code().unwrap_or_default());
    match status.code() {
        Some(0) | None => json!({ "exited": true, "status": text }),
        Some(code) => json!({ "exitCode": code, "exited": true, "status": text, "error": text }),
    }
}

/// Go's names, which E2B's clients know.
fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(Signal::SIGKILL) => "killed".to_owned(),
        Ok(Signal::SIGTERM) => "terminated".to_owned(),
        Ok(Signal::SIGINT) => "interrupt".to_owned(),
        Ok(Signal::SIGHUP) => "hangup".to_owned(),
        Ok(Signal::SIGABRT) => "aborted".to_owned(),
        Ok(Signal::SIGSEGV) => "segmentation fault".to_owned(),
        Ok(Signal::SIGPIPE) => "broken pipe".to_owned(),
        _ => format!("signal {number}"),
    }
}
