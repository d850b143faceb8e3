//! Shells in the app's sandbox, for people.

use std::time::Duration;

use super::{App, HOME, walk};
use crate::{
    agent::RunError,
    sandbox::{SandboxError, ShellStream, TerminalSize},
};

/// How long ending processes may take.
const END_TIMEOUT: Duration = Duration::from_secs(10);

impl App {
    /// Starts a shell in the app's folder and listens to it.
    pub async fn start_shell(
        &self,
        tag: &str,
        size: TerminalSize,
    ) -> Result<ShellStream, RunError> {
        let started = match self.sandbox.start_shell(tag, HOME, size).await {
            // The app's folder may be inaccessible, for example after `chmod 000 ~`.
            Err(SandboxError::Refused(why)) => {
                self.run_isolated(walk::OPEN_HOME)
                    .await
                    .map_err(|_| SandboxError::Refused(why))?;
                self.sandbox.start_shell(tag, HOME, size).await
            }
            started => started,
        };
        Ok(started?)
    }

    /// Listens to a shell; `None` if it is no longer running.
    pub async fn follow_shell(&self, tag: &str) -> Result<Option<ShellStream>, RunError> {
        match self.sandbox.follow_shell(tag).await {
            Ok(stream) => Ok(Some(stream)),
            Err(SandboxError::NoSuchPath(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The tags of the shells, and of other tagged processes.
    pub async fn tags(&self) -> Result<Vec<String>, RunError> {
        let tagged = self.sandbox.tagged().await?;
        Ok(tagged.into_iter().map(|(tag, _)| tag).collect())
    }

    /// Types into a shell.
    pub async fn type_into(&self, tag: &str, keys: &[u8]) -> Result<(), RunError> {
        Ok(self.sandbox.type_into(tag, keys).await?)
    }

    /// Resizes a shell's terminal.
    pub async fn resize_shell(&self, tag: &str, size: TerminalSize) -> Result<(), RunError> {
        Ok(self.sandbox.resize(tag, size).await?)
    }

    /// Ends a shell and everything it started.
    pub async fn end_shell(&self, tag: &str) -> Result<(), RunError> {
        Ok(self.sandbox.end_shell(tag).await?)
    }

    /// Kills these processes; those that have already ended are no error.
    pub async fn end_processes(&self, pids: &[u32]) -> Result<(), RunError> {
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        let command = format!("kill -KILL {}", pids.join(" "));
        self.run(&command, &[], END_TIMEOUT).await?;
        Ok(())
    }
}
