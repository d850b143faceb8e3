//! Shells for people: each on a terminal of its own, found again by its tag, whichever process
//! started it.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{RunOptions, Sandbox, SandboxError, output::RunningProcess, stream::ProcessStream};
use crate::{config, e2b};

/// The folder in blue, and a dollar sign.
const PROMPT: &str = r"\[\e[34m\]\w\[\e[0m\] \$ ";
/// How long ending a shell's processes may take.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TerminalSize {
    pub cols: u16,
    pub rows: u16,
}

/// An event of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellEvent {
    /// Terminal output.
    Output(Vec<u8>),
    /// The shell has ended.
    Ended {
        /// -1 when a signal ended it.
        exit_code: i32,
        /// The processes that it left running; E2B's own service doesn't report them.
        left: Vec<RunningProcess>,
    },
}

/// A shell's output from some moment on.
pub struct ShellStream {
    stream: ProcessStream,
    left: Vec<RunningProcess>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listed {
    processes: Vec<ListedProcess>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListedProcess {
    pid: u32,
    tag: Option<String>,
}

impl ShellStream {
    /// The next event. Fails if the stream was cut; the shell may still be running. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Result<ShellEvent, SandboxError> {
        while let Some(event) = self.stream.next().await {
            let event = event?;
            if let Some(left) = event.left {
                self.left = left.running;
            }
            if let Some(text) = event.data.and_then(|data| data.pty) {
                let output = STANDARD
                    .decode(text)
                    .map_err(|error| SandboxError::Protocol(error.to_string()))?;
                return Ok(ShellEvent::Output(output));
            }
            if let Some(end) = event.end {
                return Ok(ShellEvent::Ended {
                    exit_code: end.code(),
                    left: std::mem::take(&mut self.left),
                });
            }
        }
        Err(SandboxError::Unavailable(
            "the shell's stream ended before the shell did".to_owned(),
        ))
    }
}

impl Sandbox {
    /// Starts a login shell in the folder and listens to it. It keeps running when nobody listens.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn start_shell(
        &self,
        tag: &str,
        folder: &str,
        size: TerminalSize,
    ) -> Result<ShellStream, SandboxError> {
        let start = json!({
            "process": {
                "cmd": "/bin/bash",
                "args": ["-i", "-l"],
                "envs": {
                    "TERM": "xterm-256color",
                    "COLORTERM": "truecolor",
                    "LANG": "C.UTF-8",
                    "LC_ALL": "C.UTF-8",
                    // Unless a start-up file sets another.
                    "PS1": PROMPT,
                },
                "cwd": folder,
            },
            "pty": { "size": size },
            "tag": tag,
        });
        self.listen("/process.Process/Start", &start).await
    }

    /// Listens to a running shell from now on. `NoSuchPath` if it isn't running.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn follow_shell(&self, tag: &str) -> Result<ShellStream, SandboxError> {
        self.listen("/process.Process/Connect", &to(tag)).await
    }

    async fn listen(&self, path: &str, message: &Value) -> Result<ShellStream, SandboxError> {
        // Listening alone must not keep the sandbox awake.
        let request = self
            .stream_request(path, message)?
            .header(e2b::PASSIVE, "1");
        let mut stream = ProcessStream::open(request).await?;
        // The first event shows that it is running; otherwise the stream's end says why not.
        match stream.next().await {
            Some(Ok(_)) => Ok(ShellStream {
                stream,
                left: Vec::new(),
            }),
            Some(Err(error)) => Err(error),
            None => Err(SandboxError::Unavailable(
                "the shell's stream is empty".to_owned(),
            )),
        }
    }

    /// The running processes that have a tag: the tag and the process id.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn tagged(&self) -> Result<Vec<(String, u32)>, SandboxError> {
        let listed: Listed = self.call("/process.Process/List", &json!({})).await?;
        let tagged = listed.processes.into_iter();
        Ok(tagged
            .filter_map(|process| Some((process.tag?, process.pid)))
            .collect())
    }

    /// Types into a shell; waits while the program in it reads nothing.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn type_into(&self, tag: &str, keys: &[u8]) -> Result<(), SandboxError> {
        let mut message = to(tag);
        message["input"] = json!({ "pty": STANDARD.encode(keys) });
        self.call::<_, Value>("/process.Process/SendInput", &message)
            .await
            .map(drop)
    }

    /// Resizes a shell's terminal.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn resize(&self, tag: &str, size: TerminalSize) -> Result<(), SandboxError> {
        let mut message = to(tag);
        message["pty"] = json!({ "size": size });
        self.call::<_, Value>("/process.Process/Update", &message)
            .await
            .map(drop)
    }

    /// Ends a shell and everything it started. A shell that has ended is no error.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn end_shell(&self, tag: &str) -> Result<(), SandboxError> {
        if self.service.provider == config::SandboxProvider::E2b {
            self.end_session(tag).await?;
        }
        let mut message = to(tag);
        message["signal"] = json!("SIGNAL_SIGKILL");
        match self
            .call::<_, Value>("/process.Process/SendSignal", &message)
            .await
        {
            Ok(_) | Err(SandboxError::NoSuchPath(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends all processes on a shell's terminal: E2B's signal reaches only the shell.
    async fn end_session(&self, tag: &str) -> Result<(), SandboxError> {
        let tagged = self.tagged().await?;
        if let Some((_, pid)) = tagged.into_iter().find(|(known, _)| known == tag) {
            let options = RunOptions {
                cwd: "/".to_owned(),
                envs: HashMap::new(),
                timeout: END_TIMEOUT,
            };
            // The shell itself is ended in any case.
            let _ = self.run(&format!("pkill -KILL -s {pid}"), &options).await;
        }
        Ok(())
    }
}

fn to(tag: &str) -> Value {
    json!({ "process": { "tag": tag } })
}
