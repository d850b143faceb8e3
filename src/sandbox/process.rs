//! Commands in a sandbox: `process.Process/Start`, whose stream tells the process's start, its output and its end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio_util::{codec::FramedRead, io::StreamReader};

use super::{
    ENVD_PORT, Sandbox, SandboxError,
    connect::{self, Frame, Frames},
    error::{self, Subject},
    retry::{self, Repeat},
};

/// Seconds of silence after which the server says that it is alive.
const KEEPALIVE_SECONDS: u32 = 50;
/// How much of each output stream is kept, in bytes, before the agent cuts it further.
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
    /// The beginning of the output, where there was more than a megabyte.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// It was killed because its time was over.
    pub timed_out: bool,
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
}

/// Zero values are omitted on the wire.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct End {
    exit_code: i32,
    exited: bool,
}

impl Sandbox {
    /// Runs the command in a login shell and waits for its end. A command that fails is no error here: its exit code tells.
    pub async fn run(&self, command: &str, options: &RunOptions) -> Result<CommandOutput, SandboxError> {
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
        let body = serde_json::to_vec(&start).map_err(|error| SandboxError::Protocol(error.to_string()))?;
        let request = self
            .request(&self.client.streaming, Method::POST, ENVD_PORT, "/process.Process/Start")?
            .header("content-type", "application/connect+json")
            .header("accept-encoding", "identity")
            .header("connect-protocol-version", "1")
            .header("keepalive-ping-interval", KEEPALIVE_SECONDS)
            .header("connect-timeout-ms", options.timeout.as_millis().to_string())
            .body(connect::frame(&body));
        let response = retry::send(request, Repeat::Unsent).await?;
        if !response.status().is_success() {
            return Err(error::of(response, Subject::Inside).await);
        }
        let mut output = CommandOutput::default();
        let mut running = Running { sandbox: self, pid: None };
        let bytes = response.bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
        let mut frames = FramedRead::new(StreamReader::new(bytes), Frames);
        let read = tokio::time::timeout(options.timeout + GRACE, async {
            while let Some(frame) = frames.next().await {
                match frame? {
                    Frame::Message(message) => {
                        let response: Response =
                            serde_json::from_slice(&message).map_err(|error| SandboxError::Protocol(error.to_string()))?;
                        if let Some(started) = &response.event.start {
                            running.pid = Some(started.pid);
                        }
                        if take(response.event, &mut output)? {
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
        match read {
            Ok(Ok(())) => {}
            Ok(Err(SandboxError::Refused(message))) if message == connect::DEADLINE => output.timed_out = true,
            Ok(Err(error)) => return Err(error),
            Err(_) => output.timed_out = true,
        }
        // The killed process's end may overtake the word that its time is over.
        output.timed_out |= output.exit_code == -1 && begun.elapsed() >= options.timeout;
        if output.timed_out {
            output.exit_code = -1;
        }
        Ok(output)
    }

    /// Ends a process and what it started.
    async fn kill(&self, pid: u32) -> Result<(), SandboxError> {
        let request = serde_json::json!({ "process": { "pid": pid }, "signal": "SIGNAL_SIGKILL" });
        self.call::<_, serde_json::Value>("/process.Process/SendSignal", &request).await?;
        Ok(())
    }
}

/// Adds what an event tells; true at the process's end.
fn take(event: Event, output: &mut CommandOutput) -> Result<bool, SandboxError> {
    if let Some(data) = event.data {
        for (text, kept) in [(data.stdout, &mut output.stdout), (data.stderr, &mut output.stderr)] {
            if let Some(text) = text {
                let bytes = STANDARD.decode(text).map_err(|error| SandboxError::Protocol(error.to_string()))?;
                let room = MAX_OUTPUT.saturating_sub(kept.len());
                kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
    }
    if let Some(end) = event.end {
        output.exit_code = if end.exited || end.exit_code != 0 { end.exit_code } else { -1 };
        return Ok(true);
    }
    Ok(false)
}

impl From<std::io::Error> for SandboxError {
    fn from(error: std::io::Error) -> Self {
        match error.downcast::<reqwest::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Unavailable(error.to_string()),
        }
    }
}
