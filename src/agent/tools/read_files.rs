//! `readFiles`: the text of files, or of a range of their lines.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, MAX_OUTPUT, ToolContext, ToolError, ToolOutput, cut, object, output::unix,
    paths_title,
};
use crate::{
    agent::{App, AppPath, text::secrets},
    protocol::Status,
    sandbox::SandboxError,
};

/// How many files one call may read.
const MAX_FILES: usize = 20;

#[derive(Debug, Deserialize)]
pub struct Arguments {
    files: Vec<String>,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Returns the text of files. A range of lines is read with path:from-to, such as \
         app/page.tsx:120-180.",
        object(
            json!({
                "files": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_FILES,
                    "items": { "type": "string", "description": "Relative to the app, such as app/page.tsx or app/page.tsx:120-180" },
                },
            }),
            &["files"],
        ),
    )
}

/// First and last line, counted from 1.
type Range = (usize, usize);

/// The path, and the range after it, if any: `:from-to`, `:from-`, or `:line`.
fn split(text: &str) -> (&str, Option<Range>) {
    let range = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let from = from.trim().parse::<usize>().ok()?.max(1);
        let to = if to.trim().is_empty() {
            usize::MAX
        } else {
            to.trim().parse().ok()?
        };
        (from <= to).then_some((from, to))
    };
    match text
        .rsplit_once(':')
        .and_then(|(path, lines)| Some((path, range(lines)?)))
    {
        Some((path, range)) => (path, Some(range)),
        None => (text, None),
    }
}

/// The file's heading and the text asked for.
fn show(path: &AppPath, text: &str, range: Option<Range>) -> String {
    let Some((from, to)) = range else {
        return format!("=== {path}\n{}\n", cut(text, MAX_OUTPUT));
    };
    let count = text.lines().count();
    let lines: Vec<&str> = text
        .lines()
        .skip(from - 1)
        .take(to.saturating_sub(from).saturating_add(1))
        .collect();
    if lines.is_empty() {
        return format!("=== {path}\nError: it has only {count} lines\n");
    }
    let last = from + lines.len() - 1;
    format!(
        "=== {path} (lines {from}-{last} of {count})\n{}\n",
        cut(&lines.join("\n"), MAX_OUTPUT)
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        paths_title(self.files.iter().map(String::as_str))
    }

    fn status(&self) -> Status {
        Status::ReadingFiles
    }

    fn access(&self) -> FileAccess {
        FileAccess::reads(self.files.iter().map(|text| split(text).0))
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.read(context.app).boxed()
    }
}

impl Arguments {
    /// A file that can't be read does not hide the others.
    async fn read(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(ToolError::RespondToModel(format!(
                "name 1 to {MAX_FILES} files"
            )));
        }
        let mut content = String::new();
        let mut failures = 0;
        for text in &self.files {
            let (text, range) = split(text);
            let path = AppPath::new(text)?;
            let shown = if secrets::is_secret_file(path.as_str()) {
                Err(format!(
                    "{path} may hold secrets and is not shown; the app reads it through process.env"
                ))
            } else {
                match app.sandbox().read_file(&path.absolute()).await {
                    Ok(bytes) => match String::from_utf8(bytes) {
                        Ok(text) if !text.contains('\0') => Ok(unix(&text)),
                        _ => Err(format!("{path} is a binary file and can't be read as text")),
                    },
                    Err(SandboxError::Refused(message)) if message.contains("is larger than") => {
                        Err(format!(
                            "{message}; read a part of it with terminal (head, tail or sed -n)"
                        ))
                    }
                    Err(SandboxError::NoSuchPath(message) | SandboxError::Refused(message)) => {
                        Err(message)
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            match shown {
                Ok(text) => content.push_str(&show(&path, &text, range)),
                Err(message) => {
                    failures += 1;
                    content.push_str(&format!("=== {path}\nError: {message}\n"));
                }
            }
        }
        Ok(ToolOutput {
            failed: failures == self.files.len(),
            ..ToolOutput::ok(cut(&content, 4 * MAX_OUTPUT))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_the_path_and_say_what_was_shown() {
        assert_eq!(split("app/page.tsx"), ("app/page.tsx", None));
        assert_eq!(split("app/page.tsx:2-3"), ("app/page.tsx", Some((2, 3))));
        assert_eq!(split("app/page.tsx:7"), ("app/page.tsx", Some((7, 7))));
        assert_eq!(
            split("app/page.tsx:0-"),
            ("app/page.tsx", Some((1, usize::MAX)))
        );
        assert_eq!(split("app/a:b"), ("app/a:b", None));
        let path = AppPath::new("a.txt").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            show(&path, "1\n2\n3\n4\n", Some((2, 3))),
            "=== a.txt (lines 2-3 of 4)\n2\n3\n"
        );
        assert_eq!(
            show(&path, "1\n2\n", Some((2, usize::MAX))),
            "=== a.txt (lines 2-2 of 2)\n2\n"
        );
        assert!(show(&path, "1\n", Some((5, 6))).contains("only 1 lines"));
    }
}
