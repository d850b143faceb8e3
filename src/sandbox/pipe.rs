//! A program in a sandbox whose input and output are streams of bytes, for protocols that are
//! spoken over them.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Sandbox, SandboxError, stream::ProcessStream};
use crate::e2b;

/// A program's standard output, from its start on.
pub struct PipedOutput(ProcessStream);

impl PipedOutput {
    /// The next bytes; `None` once the program has ended. Fails if the stream was cut; the program
    /// may still be running.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, SandboxError>> {
        loop {
            let event = match self.0.next().await? {
                Ok(event) => event,
                Err(error) => return Some(Err(error)),
            };
            if event.end.is_some() {
                return None;
            }
            if let Some(text) = event.data.and_then(|data| data.stdout) {
                let bytes = STANDARD.decode(text);
                return Some(bytes.map_err(|error| SandboxError::Protocol(error.to_string())));
            }
        }
    }
}

impl Sandbox {
    /// Starts the program with a login shell's variables and these. It is written to by
    /// [`Sandbox::write_to`] and ended by [`Sandbox::end_shell`], both by its tag.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn start_piped(
        &self,
        tag: &str,
        program: &str,
        args: &[String],
        envs: &HashMap<String, String>,
        folder: &str,
    ) -> Result<PipedOutput, SandboxError> {
        let mut all = vec!["-l", "-c", "exec \"$@\"", "bash", program];
        all.extend(args.iter().map(String::as_str));
        let start = json!({
            "process": { "cmd": "/bin/bash", "args": all, "envs": envs, "cwd": folder },
            "stdin": true,
            "tag": tag,
        });
        // Listening alone must not keep the sandbox awake.
        let request = self
            .stream_request("/process.Process/Start", &start)?
            .header(e2b::PASSIVE, "1");
        Ok(PipedOutput(ProcessStream::open(request).await?))
    }

    /// Writes to a program's standard input; waits while the program reads nothing.
    #[tracing::instrument(skip_all, fields(sandbox.id = %self.id))]
    pub async fn write_to(&self, tag: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let message = json!({
            "process": { "tag": tag },
            "input": { "stdin": STANDARD.encode(bytes) },
        });
        self.call::<_, Value>("/process.Process/SendInput", &message)
            .await
            .map(drop)
    }
}
