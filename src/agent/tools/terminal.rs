//! `terminal`: a shell command in the app's folder.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, MAX_OUTPUT, TOOL_TIMEOUT, ToolContext, ToolError, ToolOutput, cut,
    dev_server, object, output::join,
};
use crate::{
    agent::{App, text::plain},
    protocol::{Status, first_chars},
    sandbox::{CommandOutput, Gap, Left, RunningProcess, SandboxError},
};

pub const NAME: &str = "terminal";

const DEFAULT_SECONDS: u64 = 120;
const MAX_SECONDS: u64 = 600;
/// How many of a command's processes are listed for the model.
const MAX_LISTED: usize = 10;
/// The beginning of envd's refusal if the sandbox has no room for another process.
const NOT_STARTED: &str = "error starting process";
/// There is nobody to answer questions or see colours.
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
        "Runs a shell command in the app's folder and returns its exit code and output. Not \
         interactive. It ends with its shell; processes that it leaves running are listed with \
         their pids. With background it returns at once and the command continues; its output goes \
         to a file that the result names.",
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
        first_chars(&plain::line(line), 120).to_owned()
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
        if installs
            .iter()
            .any(|install| self.command.contains(install))
        {
            Status::InstallingPackages
        } else {
            Status::RunningCommand
        }
    }

    fn timeout(&self) -> Duration {
        self.patience() + TOOL_TIMEOUT
    }

    fn access(&self) -> FileAccess {
        FileAccess::All
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn command(&self) -> Option<&str> {
        Some(&self.command)
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.run(context.app).boxed()
    }
}

impl Arguments {
    /// How long the command may take.
    fn patience(&self) -> Duration {
        Duration::from_secs(
            self.timeout_seconds
                .unwrap_or(DEFAULT_SECONDS)
                .clamp(1, MAX_SECONDS),
        )
    }

    async fn run(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.command.trim().is_empty() {
            return Err(ToolError::RespondToModel("the command is empty".to_owned()));
        }
        if self.command.contains('\0') {
            return Err(ToolError::RespondToModel(
                "the command contains a zero byte; leave it out".to_owned(),
            ));
        }
        if let Some(why) = dev_server::refusal(app, &self.command).await {
            return Err(ToolError::RespondToModel(why));
        }
        if self.background {
            return self.start(app).await;
        }
        let output = run(app, &self.command, &ENVS, self.patience()).await?;
        let mut content = if output.timed_out {
            format!(
                "The command was killed after {} seconds.",
                self.patience().as_secs()
            )
        } else {
            format!("exit code {}", output.exit_code)
        };
        for (name, bytes, gap) in [
            ("stdout", &output.stdout, output.stdout_gap),
            ("stderr", &output.stderr, output.stderr_gap),
        ] {
            let text = shown(bytes, gap);
            if !text.trim().is_empty() {
                content.push_str(&format!("\n{name}:\n{text}"));
            }
        }
        content.push_str(&of_processes(&output.left, output.timed_out));
        Ok(ToolOutput {
            failed: output.timed_out || output.exit_code != 0,
            ..ToolOutput::ok(dev_server::without_advice(content))
        })
    }

    /// Starts the command in a session of its own, so that it outlives its shell.
    async fn start(&self, app: &App) -> Result<ToolOutput, ToolError> {
        let envs = [&ENVS[..], &[("BACKGROUND_COMMAND", self.command.as_str())]].concat();
        let start = "log=$(mktemp /tmp/background-XXXXXX.log); setsid bash -lc \"$BACKGROUND_COMMAND\" >\"$log\" 2>&1 </dev/null & echo \"pid $!, output in $log\"";
        let output = run(app, start, &envs, self.patience()).await?;
        Ok(ToolOutput {
            failed: output.exit_code != 0,
            ..ToolOutput::ok(format!(
                "Started: {}",
                String::from_utf8_lossy(&output.stdout).trim()
            ))
        })
    }
}

/// Like [`App::run`], but if no process can be started, the model gets the error: it may have left
/// too many running.
async fn run(
    app: &App,
    command: &str,
    envs: &[(&str, &str)],
    patience: Duration,
) -> Result<CommandOutput, ToolError> {
    match app.run(command, envs, patience).await {
        Err(SandboxError::RateLimited { message, .. }) if message.contains(NOT_STARTED) => {
            Err(ToolError::RespondToModel(message))
        }
        output => Ok(output?),
    }
}

/// The output as the model reads it.
fn shown(bytes: &[u8], gap: Option<Gap>) -> String {
    let Some(gap) = gap else {
        return cut(plain::text(bytes).trim_end(), MAX_OUTPUT / 2);
    };
    let (head, tail) = bytes.split_at(gap.at);
    // The text after the gap may begin in the middle of a character, an escape sequence or a frame.
    let whole = tail
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(0, |at| at + 1);
    let skipped = gap.bytes + whole as u64;
    join(
        &plain::text(head),
        skipped,
        plain::text(&tail[whole..]).trim_end(),
        MAX_OUTPUT / 2,
    )
}

/// A list of the processes that outlived the command; empty if there are none.
fn of_processes(left: &Left, timed_out: bool) -> String {
    let list = |processes: &[RunningProcess]| {
        let listed = processes.iter().take(MAX_LISTED);
        let mut names: Vec<String> = listed
            .map(|process| format!("{} (pid {})", process.command, process.pid))
            .collect();
        if processes.len() > MAX_LISTED {
            names.push(format!("and {} more", processes.len() - MAX_LISTED));
        }
        names.join(", ")
    };
    match (&left.running[..], &left.ended[..]) {
        ([], []) => String::new(),
        ([], ended) if timed_out => format!("\nKilled with it: {}", list(ended)),
        ([], ended) => format!(
            "\nIt left {} processes running, which is too many; they were killed: {}",
            ended.len(),
            list(ended)
        ),
        ([one], _) => format!(
            "\nStill running: {}. `kill {}` ends it.",
            list(std::slice::from_ref(one)),
            one.pid
        ),
        (running, _) => format!(
            "\nStill running: {}. `kill` with a pid ends one.",
            list(running)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(pids: std::ops::Range<u32>) -> Vec<RunningProcess> {
        let process = |pid| RunningProcess {
            pid,
            command: format!("sleep {pid}"),
        };
        pids.map(process).collect()
    }

    #[test]
    fn processes_that_outlive_their_command_are_listed_by_name_and_pid() {
        let left = |running, ended| Left {
            running: processes(running),
            ended: processes(ended),
        };
        assert_eq!(of_processes(&left(0..0, 0..0), false), "");
        assert_eq!(
            of_processes(&left(7..8, 0..0), false),
            "\nStill running: sleep 7 (pid 7). `kill 7` ends it."
        );
        let many = of_processes(&left(1..15, 0..0), false);
        assert!(
            many.contains("sleep 10 (pid 10), and 4 more. ") && !many.contains("pid 11"),
            "{many}"
        );
        assert_eq!(
            of_processes(&left(0..0, 3..4), true),
            "\nKilled with it: sleep 3 (pid 3)"
        );
        assert!(of_processes(&left(0..0, 1..61), false).contains("left 60 processes running"));
    }

    #[test]
    fn after_a_gap_the_output_resumes_at_a_whole_line_and_the_gap_counts_all_missing_bytes() {
        let gap = Some(Gap { at: 6, bytes: 1000 });
        assert_eq!(
            shown(b"first\n31mhalf\nlast\n", gap),
            "first\n\n[… 1008 bytes left out …]\nlast"
        );
        assert_eq!(shown(b"a\r\x1b[32mb\n", None), "b");
    }
}
