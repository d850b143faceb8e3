//! `searchFiles`: lines that match a pattern, in all of the app's files or in a folder.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FileAccess, Handler, MAX_OUTPUT, ToolContext, ToolError, ToolOutput, cut, object};
use crate::{
    agent::{App, AppPath, app::path::grep_exclusions, text::plain},
    protocol::{self, Status, first_chars},
};

/// How long a search may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many matching lines the model gets, and how much of each, in characters.
const MAX_MATCHES: usize = 200;
const MAX_LINE: usize = 240;
/// How much of a line leaves the sandbox, in bytes: its path, and more than [`MAX_LINE`] of its
/// text.
const MAX_BYTES: usize = 4000;
/// How many unreadable files and folders are named.
const MAX_DENIED: usize = 5;
/// Grep's message for them.
const DENIED: &str = ": Permission denied";
/// The exit code for a program killed by SIGKILL (bash(1)), for example by the kernel when memory
/// runs out.
const KILLED: i32 = 128 + 9;

#[derive(Debug, Deserialize)]
pub struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Finds the lines of the app's files that match a pattern, an extended regular expression (grep -E); \
         installed packages and generated files are left out.",
        object(
            json!({
                "pattern": { "type": "string", "description": "Such as useState|useReducer" },
                "path": { "type": "string", "description": "A folder or file to search; the whole app without it" },
            }),
            &["pattern"],
        ),
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        let place = self.path.trim();
        let title = if place.is_empty() {
            self.pattern.clone()
        } else {
            format!("{} in {place}", self.pattern)
        };
        first_chars(&title, 120).to_owned()
    }

    fn status(&self) -> Status {
        Status::ReadingFiles
    }

    fn access(&self) -> FileAccess {
        FileAccess::ReadsAll
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.search(context.app).boxed()
    }
}

impl Arguments {
    async fn search(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.pattern.is_empty() || self.pattern.contains(['\n', '\0']) {
            return Err(ToolError::RespondToModel(
                "the pattern must be one line of text".to_owned(),
            ));
        }
        let place = AppPath::folder(&self.path)?
            .map_or_else(|| ".".to_owned(), |path| path.as_str().to_owned());
        let excluded = grep_exclusions();
        // The pattern and the path are passed in the environment, so that the shell interprets
        // nothing in them. Pipes and devices are skipped, because reading them may never end.
        let command = format!(
            "set -o pipefail; grep -rnIE -D skip {excluded} --exclude='.env*' --exclude='package-lock.json' -e \"$SEARCH_PATTERN\" \
             -- \"$SEARCH_PLACE\" | cut -b -{MAX_BYTES} | head -n {}",
            MAX_MATCHES + 1
        );
        let envs = [
            ("SEARCH_PATTERN", self.pattern.as_str()),
            ("SEARCH_PLACE", &place),
            ("LC_ALL", "C.UTF-8"),
        ];
        let output = app.run(&command, &envs, TIMEOUT).await?;
        if output.timed_out {
            return Err(ToolError::RespondToModel(
                "the search took too long; narrow it by a path".to_owned(),
            ));
        }
        let found = plain::text(&output.stdout);
        let mut lines: Vec<String> = found.lines().map(shorten).collect();
        let complaints = plain::text(&output.stderr);
        let (denied, errors): (Vec<&str>, Vec<&str>) = complaints
            .lines()
            .filter_map(|line| line.strip_prefix("grep: "))
            .partition(|error| error.ends_with(DENIED));
        if lines.is_empty() {
            if let Some(error) = errors.first() {
                let error = first_chars(error, 400).to_owned();
                return Err(ToolError::RespondToModel(error));
            }
            if output.exit_code == KILLED {
                return Err(ToolError::RespondToModel(
                    "the search was killed, probably because a file has a line too long for the \
                     sandbox's memory; narrow it by a path"
                        .to_owned(),
                ));
            }
            lines.push("Nothing matches.".to_owned());
        }
        if lines.len() > MAX_MATCHES {
            lines.truncate(MAX_MATCHES);
            lines.push(format!("[only the first {MAX_MATCHES} lines that match]"));
        }
        if !denied.is_empty() {
            let paths = denied
                .iter()
                .take(MAX_DENIED)
                .map(|error| shorten(error.trim_end_matches(DENIED)));
            let paths: Vec<String> = paths.collect();
            lines.push(format!(
                "[{} can't be read and was not searched: {}]",
                denied.len(),
                paths.join(", ")
            ));
        }
        Ok(ToolOutput::ok(cut(&lines.join("\n"), MAX_OUTPUT)))
    }
}

/// `path:line:text` without grep's leading `./`; lines of minified files are cut.
fn shorten(line: &str) -> String {
    let line = line.strip_prefix("./").unwrap_or(line);
    protocol::shorten(line, MAX_LINE).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_lines_lose_grep_s_prefix_and_what_is_too_long() {
        assert_eq!(
            shorten("./app/page.tsx:3:const a"),
            "app/page.tsx:3:const a"
        );
        assert_eq!(shorten(&"ä".repeat(500)).chars().count(), MAX_LINE + 1);
    }
}
