//! Commands in a sandbox: `process.Process/Start`, whose `stream` reports the process's start,
//! output and end.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{
    Sandbox, SandboxError, connect,
    output::{CommandOutput, Gap, Left},
    stream::{ProcessEvent, ProcessStream},
    supervise::Supervisor,
};
use crate::{config, e2b};

/// How many bytes of each output are kept: half from the beginning, half from the end.
const MAX_OUTPUT: usize = 1 << 20;
/// How much longer the slower of the two timers waits, the server's or ours.
const GRACE: Duration = Duration::from_secs(5);

/// The options of a command.
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub cwd: String,
    pub envs: HashMap<String, String>,
    /// The process is killed after this time.
    pub timeout: Duration,
}

#[derive(Serialize)]
struct Start<'a> {
    process: Process<'a>,
    stdin: bool,
}

#[derive(Serialize)]
struct Process<'a> {
    cmd: &'a str,
    args: Vec<&'a str>,
    envs: &'a HashMap<String, String>,
    cwd: &'a str,
}

/// A running command, killed if it is dropped before its end.
struct Running<'a> {
    sandbox: &'a Sandbox,
    pid: Option<u32>,
    /// The signal that ends the command and everything it started.
    signal: &'static str,
}

impl Running<'_> {
    async fn kill(&mut self) {
        if let Some(pid) = self.pid.take() {
            // If the sandbox is gone, so is the command.
            let _ = self.sandbox.signal(pid, self.signal).await;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (Some(pid), Ok(runtime)) = (self.pid, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (sandbox, signal) = (self.sandbox.clone(), self.signal);
        runtime.spawn(async move {
            let _ = sandbox.signal(pid, signal).await;
        });
    }
}

/// The kept part of an output stream.
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

/// What a command's stream has reported so far.
#[derive(Default)]
struct Report {
    stdout: Kept,
    stderr: Kept,
    left: Left,
    exit_code: i32,
}

impl Sandbox {
    /// Runs the command in a login shell and waits for that shell to end. A failing command is not
    /// an error here; see its exit code.
    #[tracing::instrument(name = "run_command", skip_all, fields(sandbox.id = %self.id))]
    pub async fn run(
        &self,
        command: &str,
        options: &RunOptions,
    ) -> Result<CommandOutput, SandboxError> {
        let is_e2b = self.service.provider == config::SandboxProvider::E2b;
        let supervisor = is_e2b.then(Supervisor::new);
        let start = Start {
            process: Process {
                cmd: "/bin/bash",
                args: match &supervisor {
                    Some(supervisor) => supervisor.args(command),
                    None => vec!["-l", "-c", command],
                },
                envs: &options.envs,
                cwd: &options.cwd,
            },
            stdin: false,
        };
        // Our own host kills a command and everything it started when its time is up. E2B's would
        // kill only the supervisor, so there our timer must be first.
        let (patience, server_timeout) = if is_e2b {
            (options.timeout, options.timeout + GRACE)
        } else {
            (options.timeout + GRACE, options.timeout)
        };
        let begun = Instant::now();
        let request = self
            .stream_request("/process.Process/Start", &start)?
            .header(e2b::CONNECT_TIMEOUT, server_timeout.as_millis().to_string())
            .header(e2b::OUTPUT_LIMIT, MAX_OUTPUT);
        let mut stream = ProcessStream::open(request).await?;
        let mut report = Report::default();
        let mut running = Running {
            sandbox: self,
            pid: None,
            signal: if is_e2b {
                "SIGNAL_SIGTERM"
            } else {
                "SIGNAL_SIGKILL"
            },
        };
        let read = tokio::time::timeout(patience, async {
            while let Some(event) = stream.next().await {
                let event = event?;
                if let Some(started) = &event.start {
                    running.pid = Some(started.pid);
                }
                if report.take(event)? {
                    running.pid = None;
                    return Ok(());
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
            Err(_) => {
                running.kill().await;
                true
            }
        };
        // The end of the killed process may arrive before the server's deadline error.
        timed_out |= report.exit_code == -1 && begun.elapsed() >= options.timeout;
        let (stdout, stdout_gap) = report.stdout.into_bytes();
        let (mut stderr, stderr_gap) = report.stderr.into_bytes();
        let left = match supervisor {
            Some(supervisor) => supervisor.take_left(&mut stderr),
            None => report.left,
        };
        Ok(CommandOutput {
            exit_code: if timed_out { -1 } else { report.exit_code },
            stdout,
            stderr,
            stdout_gap,
            stderr_gap,
            timed_out,
            left,
        })
    }

    async fn signal(&self, pid: u32, signal: &str) -> Result<(), SandboxError> {
        let request = serde_json::json!({ "process": { "pid": pid }, "signal": signal });
        self.call::<_, serde_json::Value>("/process.Process/SendSignal", &request)
            .await?;
        Ok(())
    }
}

impl Report {
    /// Takes in an event; returns `true` at the process's end.
    fn take(&mut self, event: ProcessEvent) -> Result<bool, SandboxError> {
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
            self.exit_code = end.code();
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
