//! `terminal`: a shell command in the app's folder.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Handler, Kit, MAX_OUTPUT, TOOL_TIMEOUT, ToolError, ToolOutput, Touches, cut, object};
use crate::{agent::App, protocol::Status};

pub const NAME: &str = "terminal";

const DEFAULT_SECONDS: u64 = 120;
const MAX_SECONDS: u64 = 600;
/// Nobody is there to answer questions, or to see colours.
const ENVS: [(&str, &str); 2] = [("CI", "1"), ("NO_COLOR", "1")];

#[derive(Debug, Deserialize)]
pub struct Arguments {
    command: String,
    #[serde(default)]
    background: bool,
    timeout_seconds: Option<u64>,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Runs a shell command in the app's folder and returns its exit code and output. Not interactive. \
         With background it returns at once and the command goes on; its output goes to a file that the result names.",
        object(
            json!({
                "command": { "type": "string", "description": "The command, for bash" },
                "background": { "type": "boolean", "description": "Don't wait for its end" },
                "timeout_seconds": { "type": "integer", "minimum": 1, "maximum": MAX_SECONDS, "description": "Kill it after this; 120 by default" },
            }),
            &["command"],
        ),
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        let line = self.command.lines().next().unwrap_or_default();
        line.chars().take(120).collect()
    }

    fn status(&self) -> Status {
        let installs = [
            "npm install",
            "npm i ",
            "npm ci",
            "npm add",
            "pnpm add",
            "pnpm install",
            "yarn add",
            "bun add",
        ];
        if installs.iter().any(|install| self.command.contains(install)) {
            Status::InstallingPackages
        } else {
            Status::RunningCommand
        }
    }

    fn timeout(&self) -> Duration {
        self.patience() + TOOL_TIMEOUT
    }

    fn touches(&self) -> Touches {
        Touches::Everything
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn carry_out<'a>(&'a self, kit: &'a Kit<'a>) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.run(kit.app).boxed()
    }
}

impl Arguments {
    /// The longest that the command may take.
    fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(DEFAULT_SECONDS).clamp(1, MAX_SECONDS))
    }

    async fn run(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.command.trim().is_empty() {
            return Err(ToolError::RespondToModel("the command is empty".to_owned()));
        }
        if self.background {
            return self.start(app).await;
        }
        let output = app.run(&self.command, &ENVS, self.patience()).await?;
        let mut content = if output.timed_out {
            format!("The command was killed after {} seconds.", self.patience().as_secs())
        } else {
            format!("exit code {}", output.exit_code)
        };
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let text = String::from_utf8_lossy(bytes);
            if !text.trim().is_empty() {
                content.push_str(&format!("\n{name}:\n{}", cut(text.trim_end(), MAX_OUTPUT / 2)));
            }
        }
        Ok(ToolOutput {
            failed: output.timed_out || output.exit_code != 0,
            ..ToolOutput::ok(content)
        })
    }

    /// Starts the command in a session of its own, so that it outlives the shell that starts it.
    async fn start(&self, app: &App) -> Result<ToolOutput, ToolError> {
        let envs = [&ENVS[..], &[("BACKGROUND_COMMAND", self.command.as_str())]].concat();
        let start = "log=$(mktemp /tmp/background-XXXXXX.log); setsid bash -lc \"$BACKGROUND_COMMAND\" >\"$log\" 2>&1 </dev/null & echo \"pid $!, output in $log\"";
        let output = app.run(start, &envs, self.patience()).await?;
        Ok(ToolOutput {
            failed: output.exit_code != 0,
            ..ToolOutput::ok(format!("Started: {}", String::from_utf8_lossy(&output.stdout).trim()))
        })
    }
}
