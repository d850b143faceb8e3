//! A run's work, from its saved steps: enough to keep it if the sandbox is lost.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    agent::tools::{self, ToolOutput, code_blocks},
    llm::{ModelReply, ToolCall},
};

/// A run's work, according to its steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// The files that tools wrote: paths and contents. It does not include changes by commands.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether a call began that may have changed the app.
    pub has_begun: bool,
    /// The sandbox in which the last such call ended.
    pub sandbox: Option<String>,
}

impl Work {
    /// Reads the work from steps in order: names, and the JSON outputs of those that ended.
    pub fn of_steps<'a>(steps: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut work = Self::default();
        let mut reply: Option<ModelReply> = None;
        for (name, output) in steps {
            match parsed(name) {
                Some(StepName::Answer) => {
                    reply = output.and_then(|output| serde_json::from_str(output).ok());
                }
                Some(StepName::Call(tool, number)) => {
                    if let Some(reply) = &reply {
                        work.add(reply, tool, number, output);
                    }
                }
                None => {}
            }
        }
        work
    }

    /// Adds the effects of the reply's call with this number, counted from 1.
    fn add(&mut self, reply: &ModelReply, tool: &str, number: usize, output: Option<&str>) {
        let output: Option<ToolOutput> =
            output.and_then(|output| serde_json::from_str(output).ok());
        let Some(call) = call_of(reply, tool, number, output.as_ref()) else {
            return;
        };
        let prepared = tools::prepare_executed(&call);
        if prepared.access().is_read_only() && !tools::is_foreign(&call) {
            return;
        }
        self.has_begun = true;
        if let Some(output) = output {
            if !output.failed {
                self.files.extend(
                    prepared
                        .files(&output)
                        .into_iter()
                        .map(tools::Written::into_bytes),
                );
            }
            self.sandbox = output.sandbox.or(self.sandbox.take());
        }
    }
}

/// The kind of a turn's step.
pub(super) enum StepName<'a> {
    /// The model's answer.
    Answer,
    /// A call from the answer: the tool's part of the name, and the call's number, counted from 1.
    Call(&'a str, usize),
}

/// Parses `turn-<n>` and `turn-<n>-<tool>-<k>`.
pub(super) fn parsed(name: &str) -> Option<StepName<'_>> {
    let mut parts = name.strip_prefix("turn-")?.split('-');
    let _turn = parts.next();
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some(StepName::Answer),
        (Some(tool), Some(number), None) => Some(StepName::Call(tool, number.parse().ok()?)),
        // An explorer's step, which belongs to the call.
        (Some(_), Some(_), Some(_)) | (Some(_), None, _) => None,
    }
}

/// The reply's call with this number, counted from 1, to the tool that the step is named after.
pub(super) fn call_of<'a>(
    reply: &'a ModelReply,
    tool: &str,
    number: usize,
    output: Option<&ToolOutput>,
) -> Option<Cow<'a, ToolCall>> {
    let own = reply
        .tool_calls
        .get(number.checked_sub(1)?)
        .filter(|call| tools::step_name(&call.name) == tool);
    match (own, output) {
        (Some(call), _) => Some(Cow::Borrowed(call)),
        // The files in an answer's code blocks form one call, without those that were refused.
        (None, Some(output)) => Some(Cow::Owned(blocks_as_call(reply, output))),
        (None, None) => None,
    }
}

fn blocks_as_call(reply: &ModelReply, output: &ToolOutput) -> ToolCall {
    let mut files = code_blocks::files(&reply.text).whole;
    files.retain(|file| {
        output
            .written
            .iter()
            .any(|written| written.path == file.path)
    });
    tools::writing_call(String::new(), &files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_come_from_the_steps_that_succeeded_and_commands_count_as_work() {
        let call = |name: &str, arguments: serde_json::Value| json!({ "id": "a", "name": name, "arguments": arguments.to_string() });
        let write = |content: &str| {
            call(
                "createOrUpdateFiles",
                json!({ "files": [{ "path": "./a.txt", "content": content }] }),
            )
        };
        let reply =
            |calls: Vec<serde_json::Value>| json!({ "text": "", "tool_calls": calls }).to_string();
        let output =
            |failed: bool| json!({ "content": "", "failed": failed, "sandbox": "i1" }).to_string();
        let (first, second) = (
            reply(vec![
                write("one"),
                call("readFiles", json!({ "files": ["a.txt"] })),
            ]),
            reply(vec![
                write("two"),
                call("terminal", json!({ "command": "ls" })),
            ]),
        );
        let in_words = json!({ "text": "```html b.html\n<p>\n```\n```html c.html\n<p>\n```", "tool_calls": [] }).to_string();
        let written = json!({ "content": "", "failed": false, "written": [{ "path": "b.html" }] })
            .to_string();
        let (well, failed) = (output(false), output(true));
        let work = Work::of_steps([
            ("get-or-create-sandbox", Some("\"i1\"")),
            ("turn-1", Some(first.as_str())),
            ("turn-1-createOrUpdateFiles-1", Some(well.as_str())),
            ("turn-1-readFiles-2", Some(well.as_str())),
            ("turn-2", Some(second.as_str())),
            ("turn-2-createOrUpdateFiles-1", Some(failed.as_str())),
            ("turn-2-terminal-2", None),
            ("turn-3", Some(in_words.as_str())),
            ("turn-3-lengths", Some("{}")),
            ("turn-3-createOrUpdateFiles-1", Some(written.as_str())),
            ("turn-4", None),
        ]);
        let files: Vec<_> = work
            .files
            .iter()
            .map(|(path, content)| (path.as_str(), String::from_utf8_lossy(content)))
            .collect();
        assert_eq!(files, [("a.txt", "one".into()), ("b.html", "<p>\n".into())]);
        assert_eq!(
            (work.has_begun, work.sandbox.as_deref()),
            (true, Some("i1"))
        );
        let reads = reply(vec![call("readFiles", json!({ "files": ["a.txt"] }))]);
        assert!(
            !Work::of_steps([
                ("turn-1", Some(reads.as_str())),
                ("turn-1-readFiles-1", Some(well.as_str()))
            ])
            .has_begun
        );
        assert_eq!(
            Work::of_steps([("verify-1", None), ("turn-1", Some("broken"))]),
            Work::default()
        );
    }
}
