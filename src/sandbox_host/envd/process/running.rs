//! The processes that clients started. Each leads a group of its own, so that a signal and the end of its time reach what it started
//! as well; each tells whoever listens, and goes on when nobody does. How one ended is known for a while after.

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use base64::{Engine, engine::general_purpose::STANDARD};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};

use super::{Config, Selector, Size, Start, event, terminal::Terminal};
use crate::sandbox_host::envd::{
    connect::{END_OF_STREAM, Error, frame},
    path,
};

/// The most output in one event, in bytes.
const MAX_EVENT: usize = 32 << 10;
/// Frames ahead of a slow listener; beyond that, the process waits for it.
const AHEAD: usize = 8;
/// How long output may still come once a process's time is over, and how long a listener may put that off.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the end of a process is remembered for late listeners.
const REMEMBERED: Duration = Duration::from_secs(30);

/// All processes, as a cheap handle.
#[derive(Clone)]
pub(in crate::sandbox_host::envd) struct Processes {
    env: Arc<HashMap<String, String>>,
    known: Arc<Mutex<BTreeMap<u32, Arc<Running>>>>,
}

/// A process, running or lately ended.
pub(super) struct Running {
    pid: u32,
    config: Config,
    tag: Option<String>,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    terminal: Option<Arc<Terminal>>,
    audience: Mutex<Audience>,
}

enum Audience {
    Listening(Vec<mpsc::Sender<Bytes>>),
    /// The frames that tell of the end.
    Ended(Vec<Bytes>),
}

/// What a process says from some moment on, as frames.
pub(super) struct Subscription {
    /// Said before anything else.
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Processes {
    pub(in crate::sandbox_host::envd) fn new(env: Arc<HashMap<String, String>>) -> Self {
        Self {
            env,
            known: Arc::default(),
        }
    }

    /// Those that run, by their ids.
    pub(super) fn all(&self) -> Vec<Arc<Running>> {
        lock(&self.known).values().filter(|running| running.is_running()).cloned().collect()
    }

    /// The process, which runs.
    pub(super) fn find_running(&self, selector: &Selector) -> Result<Arc<Running>, Error> {
        let found = self.find(selector)?;
        if found.is_running() { Ok(found) } else { Err(not_found(selector)) }
    }

    /// The process, running or lately ended; a tag stands for the latest that has it.
    pub(super) fn find(&self, selector: &Selector) -> Result<Arc<Running>, Error> {
        let known = lock(&self.known);
        let found = match selector {
            Selector::Pid(pid) => known.get(pid),
            Selector::Tag(tag) => known.values().rev().find(|running| running.tag.as_ref() == Some(tag)),
        };
        found.cloned().ok_or_else(|| not_found(selector))
    }

    /// Starts a process, which is killed at the deadline.
    pub(super) fn start(&self, start: Start, deadline: Option<Instant>) -> Result<Subscription, Error> {
        let config = start.process;
        let cwd = path::resolve(config.cwd.as_deref().unwrap_or_default());
        if !cwd.is_dir() {
            return Err(Error::invalid(format!("cwd '{}' does not exist", cwd.display())));
        }
        let mut command = Command::new(&config.cmd);
        command
            .args(&config.args)
            .env_clear()
            .envs(&*self.env)
            .envs(&config.envs)
            .current_dir(cwd);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => {
                Error::new("resource_exhausted", format!("error starting process: {error}"))
            }
            _ => Error::invalid(format!("error starting process '{}': {error}", config.cmd)),
        };
        let terminal = match start.pty {
            Some(pty) => Some(Arc::new(Terminal::open(pty.size, &mut command).map_err(failed)?)),
            None => {
                let stdin = if start.stdin.unwrap_or(true) {
                    Stdio::piped()
                } else {
                    Stdio::null()
                };
                command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
                None
            }
        };
        let mut child = command.spawn().map_err(failed)?;
        // The terminal's other side, which would keep it open.
        drop(command);
        prefer_to_lose(child.id());
        let running = Arc::new(Running {
            pid: child.id().unwrap_or_default(),
            config,
            tag: start.tag,
            stdin: tokio::sync::Mutex::new(child.stdin.take()),
            terminal,
            audience: Mutex::new(Audience::Listening(Vec::new())),
        });
        let subscription = running.subscribe();
        lock(&self.known).insert(running.pid, running.clone());
        let processes = self.clone();
        tokio::spawn(async move {
            running.clone().tell(child, deadline).await;
            tokio::time::sleep(REMEMBERED).await;
            let mut known = lock(&processes.known);
            // The id may be another process's by now.
            if known.get(&running.pid).is_some_and(|other| Arc::ptr_eq(other, &running)) {
                known.remove(&running.pid);
            }
        });
        Ok(subscription)
    }
}

fn not_found(selector: &Selector) -> Error {
    Error::not_found(match selector {
        Selector::Pid(pid) => format!("process with pid {pid} not found"),
        Selector::Tag(tag) => format!("process with tag {tag} not found"),
    })
}

/// When memory runs out, the kernel is to end this process rather than envd.
pub(in crate::sandbox_host::envd) fn prefer_to_lose(pid: Option<u32>) {
    if let Some(pid) = pid {
        let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
    }
}

impl Running {
    fn is_running(&self) -> bool {
        matches!(&*lock(&self.audience), Audience::Listening(_))
    }

    pub(super) fn told(&self) -> Value {
        let mut told = json!({ "pid": self.pid, "config": self.config });
        if let Some(tag) = &self.tag {
            told["tag"] = json!(tag);
        }
        told
    }

    /// Listens from here on; to one that has ended, how it did.
    pub(super) fn subscribe(&self) -> Subscription {
        let (sender, live) = mpsc::channel(AHEAD);
        let mut first = vec![event(&json!({ "start": { "pid": self.pid } }))];
        match &mut *lock(&self.audience) {
            Audience::Listening(listeners) => listeners.push(sender),
            Audience::Ended(frames) => first.extend(frames.iter().cloned()),
        }
        Subscription { first, live }
    }

    pub(super) async fn write(&self, bytes: &[u8], pty: bool) -> Result<(), Error> {
        let gone = |error: std::io::Error| Error::new("internal", format!("error writing to the process: {error}"));
        match (&self.terminal, pty) {
            (Some(terminal), true) => terminal.write(bytes).await.map_err(gone),
            (None, false) => match &mut *self.stdin.lock().await {
                Some(stdin) => stdin.write_all(bytes).await.map_err(gone),
                None => Err(Error::new(
                    "failed_precondition",
                    "stdin is closed, or the process was started without",
                )),
            },
            (None, true) => Err(Error::new("failed_precondition", "the process has no terminal")),
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
            return Err(Error::new("failed_precondition", "the process has no terminal"));
        };
        terminal.resize(size).map_err(|error| Error::new("internal", error.to_string()))
    }

    /// Reaches the process and what it started; one that has ended is left alone.
    pub(super) fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid)
            && self.is_running()
        {
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Passes on what the process says until it has ended.
    async fn tell(self: Arc<Self>, mut child: Child, deadline: Option<Instant>) {
        let (mut stdout, mut stderr) = (Output::new(child.stdout.take()), Output::new(child.stderr.take()));
        let mut pty = self.terminal.clone();
        let mut buffer = vec![0; MAX_EVENT / 2];
        let mut timed_out = false;
        while stdout.open() || stderr.open() || pty.is_some() {
            let limit = deadline.map(|deadline| if timed_out { deadline + LAST_WORDS } else { deadline });
            let screen = async {
                match &pty {
                    Some(terminal) => terminal.read(&mut buffer).await.unwrap_or(0),
                    None => std::future::pending().await,
                }
            };
            let data = tokio::select! {
                text = stdout.next(), if stdout.open() => text.map(|text| json!({ "stdout": text })),
                text = stderr.next(), if stderr.open() => text.map(|text| json!({ "stderr": text })),
                read = screen => {
                    if read == 0 {
                        pty = None;
                        None
                    } else {
                        Some(json!({ "pty": STANDARD.encode(&buffer[..read]) }))
                    }
                }
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    if timed_out {
                        // What left the group holds the output open.
                        break;
                    }
                    timed_out = true;
                    self.signal(Signal::SIGKILL);
                    None
                }
            };
            if let Some(data) = data {
                self.say(event(&json!({ "data": data })), deadline).await;
            }
        }
        let status = loop {
            let Some(deadline) = deadline.filter(|_| !timed_out) else {
                break child.wait().await;
            };
            // It closed its output and goes on: its time still counts.
            match timeout_at(deadline, child.wait()).await {
                Ok(status) => break status,
                Err(_) => {
                    timed_out = true;
                    self.signal(Signal::SIGKILL);
                }
            }
        };
        self.stdin.lock().await.take();
        let end: Vec<Bytes> = if timed_out {
            vec![Error::deadline().end_of_stream().into()]
        } else {
            let end = match status {
                Ok(status) => ended(status),
                Err(error) => json!({ "exitCode": -1, "status": "unknown", "error": error.to_string() }),
            };
            vec![event(&json!({ "end": end })), frame(END_OF_STREAM, &json!({})).into()]
        };
        let audience = std::mem::replace(&mut *lock(&self.audience), Audience::Ended(end.clone()));
        if let Audience::Listening(listeners) = audience {
            let telling = listeners.into_iter().map(async |listener| {
                for frame in &end {
                    if listener.send(frame.clone()).await.is_err() {
                        return;
                    }
                }
            });
            futures::future::join_all(telling).await;
        }
    }

    /// Tells all listeners; those that have gone are forgotten.
    async fn say(&self, frame: Bytes, deadline: Option<Instant>) {
        let listeners = match &*lock(&self.audience) {
            Audience::Listening(listeners) => listeners.clone(),
            Audience::Ended(_) => return,
        };
        for listener in listeners {
            match deadline {
                // A listener that does not read must not put off the end of the process's time.
                Some(deadline) => drop(timeout_at(deadline + LAST_WORDS, listener.send(frame.clone())).await),
                None => drop(listener.send(frame.clone()).await),
            }
        }
        if let Audience::Listening(listeners) = &mut *lock(&self.audience) {
            listeners.retain(|listener| !listener.is_closed());
        }
    }
}

/// One of a process's output streams, as base64 in pieces of at most [`MAX_EVENT`] bytes.
struct Output<R> {
    reader: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Output<R> {
    fn new(reader: Option<R>) -> Self {
        Self {
            reader,
            buffer: vec![0; MAX_EVENT],
        }
    }

    fn open(&self) -> bool {
        self.reader.is_some()
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let read = self.reader.as_mut()?.read(&mut self.buffer).await.unwrap_or(0);
        if read == 0 {
            self.reader = None;
            return None;
        }
        Some(STANDARD.encode(&self.buffer[..read]))
    }
}

/// How a process ended, zero values omitted.
fn ended(status: ExitStatus) -> Value {
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
