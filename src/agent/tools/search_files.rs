//! `searchFiles`: lines that match a pattern, in all of the app's files or in a folder.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Handler, Kit, MAX_OUTPUT, ToolError, ToolOutput, Touches, cut, object};
use crate::{
    agent::{App, AppPath, path::GENERATED_FOLDERS},
    protocol::Status,
};

/// The longest that a search may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many lines are told, and how much of each, in characters.
const MAX_MATCHES: usize = 200;
const MAX_LINE: usize = 240;

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
        title.chars().take(120).collect()
    }

    fn status(&self) -> Status {
        Status::ReadingFiles
    }

    fn touches(&self) -> Touches {
        Touches::Reads(Vec::new())
    }

    fn carry_out<'a>(&'a self, kit: &'a Kit<'a>) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.search(kit.app).boxed()
    }
}

impl Arguments {
    async fn search(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.pattern.is_empty() || self.pattern.contains(['\n', '\0']) {
            return Err(ToolError::RespondToModel("the pattern must be one line of text".to_owned()));
        }
        let place = AppPath::folder(&self.path)?.map_or_else(|| ".".to_owned(), |path| path.as_str().to_owned());
        let excluded = GENERATED_FOLDERS.map(|folder| format!("--exclude-dir={folder}")).join(" ");
        // Its own words come by the environment: nothing in them is the shell's.
        let command = format!(
            "grep -rnIE {excluded} --exclude='.env*' --exclude='package-lock.json' -e \"$SEARCH_PATTERN\" -- \"$SEARCH_PLACE\" | head -n {}",
            MAX_MATCHES + 1
        );
        let envs = [
            ("SEARCH_PATTERN", self.pattern.as_str()),
            ("SEARCH_PLACE", &place),
            ("LC_ALL", "C.UTF-8"),
        ];
        let output = app.run(&command, &envs, TIMEOUT).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.timed_out {
            return Err(ToolError::RespondToModel(
                "the search took too long; narrow it by a path".to_owned(),
            ));
        }
        let found = String::from_utf8_lossy(&output.stdout);
        let mut lines: Vec<String> = found.lines().map(shorten).collect();
        if lines.is_empty() {
            return match said.trim().strip_prefix("grep: ") {
                Some(error) => Err(ToolError::RespondToModel(error.chars().take(400).collect())),
                None => Ok(ToolOutput::ok("Nothing matches.")),
            };
        }
        if lines.len() > MAX_MATCHES {
            lines.truncate(MAX_MATCHES);
            lines.push(format!("[only the first {MAX_MATCHES} lines that match]"));
        }
        Ok(ToolOutput::ok(cut(&lines.join("\n"), MAX_OUTPUT)))
    }
}

/// `path:line:text` without the search's own `./`; a minified file's line is cut.
fn shorten(line: &str) -> String {
    let line = line.strip_prefix("./").unwrap_or(line);
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_lines_lose_the_searchs_own_prefix_and_what_is_too_long() {
        assert_eq!(shorten("./app/page.tsx:3:const a"), "app/page.tsx:3:const a");
        assert_eq!(shorten(&"ä".repeat(500)).chars().count(), MAX_LINE + 1);
    }
}
