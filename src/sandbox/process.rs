//! Commands in a sandbox: `process.Process/Start`, whose stream tells the process's start, its
//! output and its end.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio_util::{codec::FramedRead, io::StreamReader};

use super::{
    Sandbox, SandboxError,
    connect::{self, Frame, Frames},
    error::{self, Subject},
    retry::{self, Repeat},
};
use crate::e2b;

/// Seconds of silence after which the server says that it is alive.
const KEEPALIVE_SECONDS: u32 = 50;
/// How much of each output stream is kept, in bytes: half of it the beginning and half the end.
const MAX_OUTPUT: usize = 1 << 20;
/// How much longer than the server's own timer we wait before giving up on it.
const GRACE: Duration = Duration::from_secs(5);

/// How a command is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub cwd: String,
    pub envs: HashMap<String, String>,
    /// The process is killed after this.
    pub timeout: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// -1 when a signal ended it.
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Where the middle of an output of more than a megabyte is left out.
    pub stdout_gap: Option<Gap>,
    pub stderr_gap: Option<Gap>,
    /// It was killed because its time was over.
    pub timed_out: bool,
    /// What it started that outlived it.
    pub left: Left,
}

/// A piece of an output that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its place in what was kept, in bytes.
    pub at: usize,
    /// How long it is.
    pub bytes: u64,
}

/// The processes that a command started and that did not end with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Left {
    pub running: Vec<RunningProcess>,
    /// Those that were ended: all at the end of its time, or because they were too many.
    pub ended: Vec<RunningProcess>,
}

/// A process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunningProcess {
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

#[derive(Serialize)]
struct Start<'a> {
    process: Process<'a>,
    stdin: bool,
}

#[derive(Serialize)]
struct Process<'a> {
    cmd: &'a str,
    args: [&'a str; 3],
    envs: &'a HashMap<String, String>,
    cwd: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    event: Event,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    start: Option<Started>,
    data: Option<Output>,
    end: Option<End>,
    /// Only our own host tells it.
    left: Option<Left>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Started {
    pid: u32,
}

/// Kills a command whose end nobody waits for any more.
struct Running<'a> {
    sandbox: &'a Sandbox,
    pid: Option<u32>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (Some(pid), Ok(runtime)) = (self.pid, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let sandbox = self.sandbox.clone();
        runtime.spawn(async move {
            // A sandbox that is gone took the command with it.
            let _ = sandbox.kill(pid).await;
        });
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Output {
    stdout: Option<String>,
    stderr: Option<String>,
    /// How many bytes our own host left out before these.
    skipped: u64,
}

/// What is kept of an output stream.
#[derive(Default)]
struct Kept {
    beginning: Vec<u8>,
    end: VecDeque<u8>,
    skipped: u64,
}

impl Kept {
    fn add(&mut self, mut bytes: &[u8], skipped: u64) {
        self.skipped += skipped;
        if self.skipped == 0 && self.end.is_empty() {
            let room = MAX_OUTPUT / 2 - self.beginning.len();
            let (first, rest) = bytes.split_at(bytes.len().min(room));
            self.beginning.extend_from_slice(first);
            bytes = rest;
        }
        self.end.extend(bytes);
        let excess = self.end.len().saturating_sub(MAX_OUTPUT / 2);
        self.end.drain(..excess);
        self.skipped += excess as u64;
    }

    fn into_bytes(self) -> (Vec<u8>, Option<Gap>) {
        let at = self.beginning.len();
        let gap = (self.skipped > 0).then_some(Gap {
            at,
            bytes: self.skipped,
        });
        let mut bytes = self.beginning;
        bytes.extend(self.end);
        (bytes, gap)
    }
}

/// What a command's stream has told so far.
#[derive(Default)]
struct Report {
    stdout: Kept,
    stderr: Kept,
    left: Left,
    exit_code: i32,
}

/// Zero values are omitted on the wire.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct End {
    exit_code: i32,
    exited: bool,
}

impl Sandbox {
    /// Runs the command in a login shell and waits for its end. A command that fails is no error
    /// here: its exit code tells.
    pub async fn run(
        &self,
        command: &str,
        options: &RunOptions,
    ) -> Result<CommandOutput, SandboxError> {
        let start = Start {
            process: Process {
                cmd: "/bin/bash",
                args: ["-l", "-c", command],
                envs: &options.envs,
                cwd: &options.cwd,
            },
            stdin: false,
        };
        let begun = Instant::now();
        let body = serde_json::to_vec(&start)
            .map_err(|error| SandboxError::Protocol(error.to_string()))?;
        let request = self
            .request(
                &self.client.streaming,
                Method::POST,
                e2b::ENVD_PORT,
                "/process.Process/Start",
            )?
            .header("content-type", e2b::STREAM)
            .header("accept-encoding", "identity")
            .header(e2b::CONNECT_VERSION, "1")
            .header(e2b::KEEPALIVE_INTERVAL, KEEPALIVE_SECONDS)
            .header(
                e2b::CONNECT_TIMEOUT,
                options.timeout.as_millis().to_string(),
            )
            .header(e2b::OUTPUT_LIMIT, MAX_OUTPUT)
            .body(e2b::frame(0, &body));
        let response = retry::send(request, Repeat::Unsent).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        let mut report = Report::default();
        let mut running = Running {
            sandbox: self,
            pid: None,
        };
        let bytes = response
            .bytes_stream()
            .map(|piece| piece.map_err(std::io::Error::other));
        let mut frames = FramedRead::new(StreamReader::new(bytes), Frames);
        let read = tokio::time::timeout(options.timeout + GRACE, async {
            while let Some(frame) = frames.next().await {
                match frame? {
                    Frame::Message(message) => {
                        let response: Response = serde_json::from_slice(&message)
                            .map_err(|error| SandboxError::Protocol(error.to_string()))?;
                        if let Some(started) = &response.event.start {
                            running.pid = Some(started.pid);
                        }
                        if report.take(response.event)? {
                            running.pid = None;
                            return Ok(());
                        }
                    }
                    Frame::End => break,
                }
            }
            Err(SandboxError::Unavailable(
                "the command's stream ended before the command did".to_owned(),
            ))
        })
        .await;
        let mut timed_out = match read {
            Ok(Ok(())) => false,
            Ok(Err(SandboxError::Refused(message))) if message == connect::DEADLINE => true,
            Ok(Err(error)) => return Err(error),
            Err(_) => true,
        };
        // The killed process's end may overtake the word that its time is over.
        timed_out |= report.exit_code == -1 && begun.elapsed() >= options.timeout;
        let (stdout, stdout_gap) = report.stdout.into_bytes();
        let (stderr, stderr_gap) = report.stderr.into_bytes();
        Ok(CommandOutput {
            exit_code: if timed_out { -1 } else { report.exit_code },
            stdout,
            stderr,
            stdout_gap,
            stderr_gap,
            timed_out,
            left: report.left,
        })
    }

    /// Ends a process and what it started.
    async fn kill(&self, pid: u32) -> Result<(), SandboxError> {
        let request = serde_json::json!({ "process": { "pid": pid }, "signal": "SIGNAL_SIGKILL" });
        self.call::<_, serde_json::Value>("/process.Process/SendSignal", &request)
            .await?;
        Ok(())
    }
}

impl Report {
    /// Adds what an event tells; true at the process's end.
    fn take(&mut self, event: Event) -> Result<bool, SandboxError> {
        if let Some(data) = event.data {
            for (text, kept) in [
                (data.stdout, &mut self.stdout),
                (data.stderr, &mut self.stderr),
            ] {
                if let Some(text) = text {
                    let bytes = STANDARD
                        .decode(text)
                        .map_err(|error| SandboxError::Protocol(error.to_string()))?;
                    kept.add(&bytes, data.skipped);
                }
            }
        }
        if let Some(left) = event.left {
            self.left = left;
        }
        if let Some(end) = event.end {
            self.exit_code = if end.exited || end.exit_code != 0 {
                end.exit_code
            } else {
                -1
            };
            return Ok(true);
        }
        Ok(false)
    }
}

impl From<std::io::Error> for SandboxError {
    fn from(error: std::io::Error) -> Self {
        match error.downcast::<reqwest::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_its_beginning_and_its_end_are_kept_whoever_leaves_its_middle_out() {
        let (piece, half) = ([b'x'; 1000], MAX_OUTPUT / 2);
        let mut all = Kept::default();
        all.add(b"first", 0);
        for _ in 0..2000 {
            all.add(&piece, 0);
        }
        all.add(b"last", 0);
        let (bytes, gap) = all.into_bytes();
        assert!(
            bytes.starts_with(b"first") && bytes.ends_with(b"last") && bytes.len() == MAX_OUTPUT
        );
        let skipped = 2_000_009 - MAX_OUTPUT as u64;
        assert_eq!(
            gap,
            Some(Gap {
                at: half,
                bytes: skipped
            })
        );

        let mut sent = Kept::default();
        sent.add(b"first", 0);
        sent.add(b"la", 7);
        sent.add(b"st", 0);
        assert_eq!(
            sent.into_bytes(),
            (b"firstlast".to_vec(), Some(Gap { at: 5, bytes: 7 }))
        );
    }
}
