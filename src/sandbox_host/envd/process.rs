//! `process.Process`: Start, whose stream tells a process's start, output and end; List and SendSignal.
//! Each process leads a group of its own, so that a signal and the end of its time reach what it started as well.

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, header},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    connect::{self, END_OF_STREAM, Error, Message, answer, frame},
    path,
};

/// The most output in one event, in bytes.
const MAX_EVENT: usize = 32 << 10;
/// Silence after which the stream says that it is alive, unless the client asks for another time.
const KEEPALIVE: Duration = Duration::from_secs(90);
/// How long output may still come once a process's time is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The processes that clients started.
#[derive(Clone)]
pub(super) struct Processes {
    env: Arc<HashMap<String, String>>,
    running: Arc<Mutex<BTreeMap<u32, Config>>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    cmd: String,
    args: Vec<String>,
    envs: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
}

#[derive(Deserialize)]
struct Start {
    process: Config,
    #[serde(default)]
    tag: Option<String>,
}

#[derive(Deserialize)]
struct SendSignal {
    process: Selector,
    signal: String,
}

#[derive(Deserialize)]
struct Selector {
    pid: u32,
}

pub(super) fn router(processes: Processes) -> Router {
    Router::new()
        .route("/process.Process/Start", post(start))
        .route("/process.Process/List", post(list))
        .route("/process.Process/SendSignal", post(send_signal))
        .with_state(processes)
}

impl Processes {
    pub(super) fn new(env: Arc<HashMap<String, String>>) -> Self {
        Self {
            env,
            running: Arc::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u32, Config>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, config: &Config) -> Result<Child, Error> {
        let cwd = path::resolve(config.cwd.as_deref().unwrap_or_default());
        if !cwd.is_dir() {
            return Err(Error::invalid(format!("cwd '{}' does not exist", cwd.display())));
        }
        let child = Command::new(&config.cmd)
            .args(&config.args)
            .env_clear()
            .envs(&*self.env)
            .envs(&config.envs)
            .current_dir(cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => {
                    Error::new("resource_exhausted", format!("error starting process: {error}"))
                }
                _ => Error::invalid(format!("error starting process '{}': {error}", config.cmd)),
            })?;
        prefer_to_lose(child.id());
        Ok(child)
    }
}

/// When memory runs out, the kernel is to end this process rather than envd.
pub(super) fn prefer_to_lose(pid: Option<u32>) {
    if let Some(pid) = pid {
        let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
    }
}

async fn start(State(processes): State<Processes>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let begun = Instant::now();
    let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let deadline = number("connect-timeout-ms").map(|millis| begun + Duration::from_millis(millis));
    let keepalive = number("keepalive-ping-interval")
        .filter(|seconds| *seconds > 0)
        .map_or(KEEPALIVE, Duration::from_secs);
    let started = connect::take_frame(&mut BytesMut::from(&body[..]))
        .ok()
        .flatten()
        .ok_or_else(|| Error::invalid("the request is not one whole frame"))
        .and_then(|(_, message)| serde_json::from_value::<Start>(message).map_err(|error| Error::invalid(error.to_string())))
        .and_then(|start| Ok((processes.spawn(&start.process)?, start)));
    let (child, start) = match started {
        Ok(started) => started,
        Err(error) => return stream(Body::from(error.end_of_stream())),
    };
    tracing::debug!(tag = start.tag, "process started");
    // Some output ahead of a slow client; beyond that, the process waits for it.
    let (sender, receiver) = mpsc::channel::<Bytes>(8);
    tokio::spawn(follow(
        processes,
        start.process,
        child,
        Follower {
            sender: Some(sender),
            deadline,
            keepalive,
        },
    ));
    stream(Body::from_stream(futures::stream::unfold(receiver, async |mut receiver| {
        let frame = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), receiver))
    })))
}

fn stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(connect::STREAM));
    response
}

/// The client that started a process; gone, the process goes on and its output is lost.
struct Follower {
    sender: Option<mpsc::Sender<Bytes>>,
    deadline: Option<Instant>,
    keepalive: Duration,
}

impl Follower {
    async fn event(&mut self, event: Value) {
        self.send(frame(0, &json!({ "event": event }))).await;
    }

    async fn send(&mut self, frame: Vec<u8>) {
        let Some(sender) = &self.sender else {
            return;
        };
        let sent = match self.deadline {
            // A client that does not read must not put off the end of the process's time.
            Some(deadline) => timeout_at(deadline + LAST_WORDS, sender.send(frame.into()))
                .await
                .is_ok_and(|sent| sent.is_ok()),
            None => sender.send(frame.into()).await.is_ok(),
        };
        if !sent {
            self.sender = None;
        }
    }
}

async fn follow(processes: Processes, config: Config, mut child: Child, mut follower: Follower) {
    let pid = child.id().unwrap_or_default();
    processes.running().insert(pid, config);
    follower.event(json!({ "start": { "pid": pid } })).await;
    let (mut stdout, mut stderr) = (Output::new(child.stdout.take()), Output::new(child.stderr.take()));
    let mut timed_out = false;
    while stdout.open() || stderr.open() {
        let limit = follower
            .deadline
            .map(|deadline| if timed_out { deadline + LAST_WORDS } else { deadline });
        tokio::select! {
            text = stdout.next(), if stdout.open() => if let Some(text) = text {
                follower.event(json!({ "data": { "stdout": text } })).await;
            },
            text = stderr.next(), if stderr.open() => if let Some(text) = text {
                follower.event(json!({ "data": { "stderr": text } })).await;
            },
            () = tokio::time::sleep(follower.keepalive) => follower.event(json!({ "keepalive": {} })).await,
            () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                if timed_out {
                    // What left the group holds the output open.
                    break;
                }
                timed_out = true;
                signal(pid, Signal::SIGKILL);
            }
        }
    }
    let status = loop {
        let Some(deadline) = follower.deadline.filter(|_| !timed_out) else {
            break child.wait().await;
        };
        // It closed its output and goes on: its time still counts.
        match timeout_at(deadline, child.wait()).await {
            Ok(status) => break status,
            Err(_) => {
                timed_out = true;
                signal(pid, Signal::SIGKILL);
            }
        }
    };
    processes.running().remove(&pid);
    if timed_out {
        follower
            .send(Error::new("deadline_exceeded", "context deadline exceeded").end_of_stream())
            .await;
        return;
    }
    let end = match status {
        Ok(status) => ended(status),
        Err(error) => json!({ "exitCode": -1, "status": "unknown", "error": error.to_string() }),
    };
    follower.event(json!({ "end": end })).await;
    follower.send(frame(END_OF_STREAM, &json!({}))).await;
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

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

async fn list(State(processes): State<Processes>) -> Response<Body> {
    let running: Vec<_> = processes
        .running()
        .iter()
        .map(|(pid, config)| json!({ "pid": pid, "config": config }))
        .collect();
    answer(Ok(if running.is_empty() {
        json!({})
    } else {
        json!({ "processes": running })
    }))
}

async fn send_signal(State(processes): State<Processes>, Message(request): Message<SendSignal>) -> Response<Body> {
    let pid = request.process.pid;
    let named = match request.signal.as_str() {
        "SIGNAL_SIGKILL" => Ok(Signal::SIGKILL),
        "SIGNAL_SIGTERM" => Ok(Signal::SIGTERM),
        other => Err(Error::invalid(format!("unknown signal {other}"))),
    };
    answer(named.and_then(|named| {
        if !processes.running().contains_key(&pid) {
            return Err(Error::not_found(format!("process with pid {pid} not found")));
        }
        signal(pid, named);
        Ok(json!({}))
    }))
}
