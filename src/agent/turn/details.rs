//! One tool call of a run, from the run's saved steps: what it ran, answered and wrote, and the
//! files' earlier state.

use std::collections::BTreeMap;

use super::work::{StepName, call_of, parsed};
use crate::{
    agent::tools::{self, ToolOutput, Written},
    llm::ModelReply,
};

/// A tool call that has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CallDetails {
    /// The whole command of a `terminal` call.
    pub command: Option<String>,
    /// The tool's answer.
    pub output: String,
    pub files: Vec<FileStates>,
}

/// A file that a call wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct FileStates {
    pub path: String,
    /// `None` if neither the call nor an earlier one of the run knows the earlier state.
    pub before: Option<Vec<u8>>,
    pub after: Vec<u8>,
}

impl CallDetails {
    /// The call of the step with this name. `steps` are the run's in order: names, and the JSON
    /// outputs of those that ended. `None` if there is no such call, or it has no output.
    pub fn of_steps<'a>(
        steps: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        wanted: &str,
    ) -> Option<Self> {
        let mut files = BTreeMap::<String, Vec<u8>>::new();
        let mut reply: Option<ModelReply> = None;
        for (name, output) in steps {
            let (tool, number) = match parsed(name) {
                Some(StepName::Answer) => {
                    reply = output.and_then(|output| serde_json::from_str(output).ok());
                    continue;
                }
                Some(StepName::Call(tool, number)) => (tool, number),
                None => continue,
            };
            let output = output.and_then(|output| serde_json::from_str::<ToolOutput>(output).ok());
            let (Some(reply), Some(output)) = (&reply, output) else {
                continue;
            };
            let Some(call) = call_of(reply, tool, number, Some(&output)) else {
                continue;
            };
            let prepared = tools::prepare_executed(&call);
            let written = if output.failed {
                Vec::new()
            } else {
                let written = prepared.files(&output).into_iter();
                written.map(Written::into_bytes).collect()
            };
            if name != wanted {
                files.extend(written);
                continue;
            }
            let files = written.into_iter().map(|(path, after)| {
                let undone = str::from_utf8(&after).ok();
                let undone = undone.and_then(|after| prepared.undone(after));
                FileStates {
                    before: undone
                        .map(String::into_bytes)
                        .or_else(|| files.remove(&path)),
                    path,
                    after,
                }
            });
            return Some(Self {
                files: files.collect(),
                command: prepared.command().map(str::to_owned),
                output: output.content,
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn call(name: &str, arguments: Value) -> Value {
        json!({ "id": "a", "name": name, "arguments": arguments.to_string() })
    }

    #[test]
    fn a_call_has_its_command_its_answer_and_its_files_as_they_were_before() {
        let write = |content: &str| {
            let files = json!({ "files": [{ "path": "a.txt", "content": content }] });
            call("createOrUpdateFiles", files)
        };
        let edited = json!({ "path": "b.txt", "old": "one", "new": "two" });
        let first = json!({ "text": "", "tool_calls": [write("1"), call("terminal", json!({ "command": "ls\npwd" }))] });
        let second = json!({ "text": "", "tool_calls": [write("2"), call("editFile", edited)] });
        let (first, second) = (first.to_string(), second.to_string());
        let ended = |content: &str| json!({ "content": content, "failed": false }).to_string();
        let (wrote, listed) = (ended("Wrote"), ended("a.txt"));
        let edited = json!({
            "content": "Edited", "failed": false,
            "contents": [{ "path": "b.txt", "content": { "text": "two three" } }],
        });
        let edited = edited.to_string();
        let steps = [
            ("turn-1", Some(first.as_str())),
            ("turn-1-createOrUpdateFiles-1", Some(wrote.as_str())),
            ("turn-1-terminal-2", Some(listed.as_str())),
            ("turn-2", Some(second.as_str())),
            ("turn-2-createOrUpdateFiles-1", Some(wrote.as_str())),
            ("turn-2-editFile-2", Some(edited.as_str())),
            ("turn-3", None),
            ("turn-3-terminal-1", None),
        ];
        let of = |name: &str| CallDetails::of_steps(steps, name);
        let states = |name: &str| {
            let files = of(name)
                .map(|call| call.files)
                .unwrap_or_default()
                .into_iter();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let files = files.map(|file| (file.path, file.before.map(text), text(file.after)));
            files.collect::<Vec<_>>()
        };
        let state = |path: &str, before: Option<&str>, after: &str| {
            (path.to_owned(), before.map(str::to_owned), after.to_owned())
        };
        assert_eq!(
            states("turn-1-createOrUpdateFiles-1"),
            [state("a.txt", None, "1")]
        );
        assert_eq!(
            states("turn-2-createOrUpdateFiles-1"),
            [state("a.txt", Some("1"), "2")]
        );
        let undone = state("b.txt", Some("one three"), "two three");
        assert_eq!(states("turn-2-editFile-2"), [undone]);
        let command = of("turn-1-terminal-2").unwrap_or_default();
        assert_eq!(
            (command.command.as_deref(), command.output.as_str()),
            (Some("ls\npwd"), "a.txt")
        );
        assert_eq!(of("turn-3-terminal-1"), None);
        assert_eq!(of("verify-1"), None);
    }
}
