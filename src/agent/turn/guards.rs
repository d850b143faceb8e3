//! Stops a run that makes no progress: repeated calls, alone or in turn, files that change back and
//! forth, and calls that only fail.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use crate::{
    agent::{
        RunError,
        tools::{self, ToolOutput},
    },
    llm::ToolCall,
    protocol::shorten,
};

/// How many times the same call may give the same result; the last of them ends the run.
const MAX_SAME_RESULTS: usize = 3;
/// After this many edits of a file whose old text was not found, the model is advised to write the
/// whole file.
const WARN_MISSES: usize = 2;
/// After this many, without a write to the file in between, the run ends.
const MAX_MISSES: usize = 6;
/// How many times a file may change from one content to the same other one.
const MAX_SAME_CHANGES: usize = 3;
/// After this many repeated calls, whatever their results, while nothing was written and no new
/// command was run, the model is warned. A model that waits for something repeats a few calls.
const WARN_REPEATED: usize = 4;
/// After this many, the run ends.
const MAX_REPEATED: usize = 8;
/// How many answers in a row may contain only failing calls.
const MAX_FAILING: usize = 8;

const REPEATED_WARNING: &str = "You have made these calls before, and nothing was changed in \
                                between: more of them lead nowhere. Change something, or end.";

/// The results of a run's calls, derived from its steps' outputs alone, so that a restarted run
/// counts the same.
///
/// "Since the app last changed" below means since the last known change: a tool wrote a file, or a
/// command ran for the first time.
#[derive(Debug, Default)]
pub struct Guards {
    /// How many times a call (tool, arguments) gave a result, since the app last changed.
    results: HashMap<[String; 3], usize>,
    /// The commands that have run.
    commands: HashSet<String>,
    /// How many edits of a file in a row did not find their old text.
    misses: HashMap<String, usize>,
    /// By path, the digest of what the run wrote last.
    contents: HashMap<String, u64>,
    /// How many times a path's content changed from one digest to another.
    changes: HashMap<(String, u64, u64), usize>,
    /// The calls (tool, arguments) since the app last changed.
    calls: HashSet<[String; 2]>,
    /// How many calls since then had been made before.
    repeated: usize,
    /// How many of the latest answers contained only failing calls.
    failing: usize,
}

impl Guards {
    /// Records a call and its result. Returns a warning for the model, if there is one; fails if
    /// the model is going round in circles.
    pub fn record(
        &mut self,
        call: &ToolCall,
        output: &ToolOutput,
    ) -> Result<Option<String>, RunError> {
        let result = [&call.name, &call.arguments, &output.content].map(String::clone);
        let times = self.results.get(&result).copied().unwrap_or_default() + 1;
        // After a change, the same question is a new one. A command may change anything; the same
        // command again is no progress.
        let is_progress = !output.written.is_empty()
            || (tools::is_command(call) && self.commands.insert(call.arguments.clone()));
        if is_progress {
            self.results.clear();
            self.calls.clear();
            self.repeated = 0;
        }
        self.results.insert(result, times);
        if times >= MAX_SAME_RESULTS {
            return Err(circle(
                &format!(
                    "it called {} {MAX_SAME_RESULTS} times with the same result",
                    call.name
                ),
                &output.content,
            ));
        }
        self.record_contents(call, output)?;
        if !self
            .calls
            .insert([&call.name, &call.arguments].map(String::clone))
        {
            self.repeated += 1;
        }
        if self.repeated >= MAX_REPEATED {
            let what = format!(
                "it repeated {MAX_REPEATED} earlier calls and changed nothing in between; the \
                 last was {} with {}",
                call.name, call.arguments
            );
            return Err(circle(&what, &output.content));
        }
        for file in &output.written {
            self.misses.remove(&file.path);
        }
        if let Some(path) = &output.missed {
            return self.record_miss(path, output);
        }
        Ok((self.repeated == WARN_REPEATED).then(|| REPEATED_WARNING.to_owned()))
    }

    /// Stops files that change back and forth.
    fn record_contents(&mut self, call: &ToolCall, output: &ToolOutput) -> Result<(), RunError> {
        for file in tools::written(call, output) {
            let digest = BuildHasherDefault::<DefaultHasher>::default().hash_one(&file.content);
            let Some(before) = self.contents.insert(file.path.clone(), digest) else {
                continue;
            };
            let times = self
                .changes
                .entry((file.path.clone(), before, digest))
                .or_default();
            *times += 1;
            if *times >= MAX_SAME_CHANGES {
                let what = format!(
                    "it made the same change of {} {MAX_SAME_CHANGES} times, back and forth",
                    file.path
                );
                return Err(circle(&what, &output.content));
            }
        }
        Ok(())
    }

    /// Records an edit whose old text is not in the file.
    fn record_miss(&mut self, path: &str, output: &ToolOutput) -> Result<Option<String>, RunError> {
        let misses = self.misses.entry(path.to_owned()).or_default();
        *misses += 1;
        if *misses >= MAX_MISSES {
            let what = format!(
                "it tried {MAX_MISSES} times to replace a text in {path} that is not there"
            );
            return Err(circle(&what, &output.content));
        }
        Ok((*misses >= WARN_MISSES).then(|| {
            format!(
                "That was miss number {misses} in {path}. Read the file, and write it whole with \
                 createOrUpdateFiles."
            )
        }))
    }

    /// Records all outputs of an answer's calls; fails after too many answers with only failing
    /// calls.
    pub fn end_turn(&mut self, outputs: &[ToolOutput]) -> Result<(), RunError> {
        self.failing = if outputs.iter().all(|output| output.failed) {
            self.failing + 1
        } else {
            0
        };
        match outputs.last() {
            Some(last) if self.failing >= MAX_FAILING => Err(circle(
                &format!("all calls of its last {MAX_FAILING} answers failed, most recently with"),
                &last.content,
            )),
            _ => Ok(()),
        }
    }
}

/// The error of a run that goes round in circles: what it did, and the last result.
fn circle(what: &str, last: &str) -> RunError {
    RunError::User(format!(
        "The model went round in circles: {}:\n\n```\n{}\n```\n\nThe files are kept. Describe \
         differently what you want, or send “Go on”.",
        shorten(what, 400),
        shorten(last, 300)
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::FileChange;

    fn call(arguments: &str) -> ToolCall {
        ToolCall {
            id: "a".to_owned(),
            name: "terminal".to_owned(),
            arguments: arguments.to_owned(),
            ..ToolCall::default()
        }
    }

    fn output(content: &str) -> ToolOutput {
        ToolOutput {
            content: content.to_owned(),
            failed: false,
            written: Vec::new(),
            contents: Vec::new(),
            missed: None,
            sandbox: None,
            explored: None,
            took: None,
            asks: None,
        }
    }

    fn check() -> ToolCall {
        ToolCall {
            name: "checkApp".to_owned(),
            ..call("{}")
        }
    }

    #[test]
    fn the_third_same_result_of_the_same_call_ends_the_run() {
        let mut guards = Guards::default();
        let written = ToolOutput {
            written: vec![FileChange {
                path: "a.txt".to_owned(),
            }],
            ..output("Wrote a.txt")
        };
        for content in ["a", "a", "b"] {
            guards.record(&call("ls"), &output(content)).unwrap();
        }
        guards.record(&call("write"), &written).unwrap();
        for _ in 0..2 {
            guards.record(&call("ls"), &output("a")).unwrap();
            guards.record(&check(), &output("a")).unwrap();
        }
        let error = guards
            .record(&call("ls"), &output("a"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("terminal 3 times"), "{error}");
        // The same write, again and again.
        let write = ToolCall {
            name: "editFile".to_owned(),
            ..call("{}")
        };
        for _ in 0..2 {
            guards.record(&write, &written).unwrap();
            guards.record(&call("ls"), &output("a")).unwrap();
        }
        guards.record(&write, &written).unwrap_err();
    }

    #[test]
    fn a_new_command_counts_as_progress_and_the_same_ones_again_do_not() {
        let mut guards = Guards::default();
        for number in 0..5 {
            guards
                .record(
                    &call(&format!("sed -i {number}d a.txt")),
                    &output("exit code 0"),
                )
                .unwrap();
            guards.record(&check(), &output("Error")).unwrap();
        }
        guards
            .record(&call("sed -i 0d a.txt"), &output("exit code 0"))
            .unwrap();
        guards.record(&check(), &output("Error")).unwrap();
        guards
            .record(&call("sed -i 1d a.txt"), &output("exit code 0"))
            .unwrap();
        guards.record(&check(), &output("Error")).unwrap_err();
    }

    #[test]
    fn after_two_misses_in_a_file_the_model_is_advised_to_write_it_whole_and_a_write_resets_them() {
        let mut guards = Guards::default();
        let missed = |content: &str| ToolOutput {
            missed: Some("a.txt".to_owned()),
            ..output(content)
        };
        assert_eq!(guards.record(&call("1"), &missed("1")).unwrap(), None);
        let warning = guards.record(&call("2"), &missed("2")).unwrap().unwrap();
        assert!(
            warning.contains("createOrUpdateFiles") && warning.contains("a.txt"),
            "{warning}"
        );
        let path = "a.txt".to_owned();
        let written = ToolOutput {
            written: vec![FileChange { path }],
            ..output("3")
        };
        guards.record(&call("3"), &written).unwrap();
        assert_eq!(guards.record(&call("4"), &missed("4")).unwrap(), None);
    }

    fn tool(name: &str, arguments: serde_json::Value) -> ToolCall {
        ToolCall {
            name: name.to_owned(),
            ..call(&arguments.to_string())
        }
    }

    fn write(path: &str, content: &str) -> (ToolCall, ToolOutput) {
        let call = tool(
            "createOrUpdateFiles",
            json!({ "files": [{ "path": path, "content": content }] }),
        );
        let written = vec![FileChange {
            path: path.to_owned(),
        }];
        (
            call,
            ToolOutput {
                written,
                ..output(&format!("Wrote {path}"))
            },
        )
    }

    /// How many of the calls are made before the run ends, and its error; 0 if it does not end.
    fn ends(calls: impl Iterator<Item = (ToolCall, ToolOutput)>) -> (usize, String) {
        let mut guards = Guards::default();
        for (number, (call, output)) in calls.enumerate() {
            let recorded = guards.record(&call, &output);
            if let Err(error) = recorded.and_then(|_| guards.end_turn(&[output])) {
                return (number + 1, error.to_string());
            }
        }
        (0, String::new())
    }

    #[test]
    fn circles_of_any_length_end_the_run_well_before_its_turns_do_and_are_named() {
        for period in 2..=4 {
            let (calls, said) =
                ends((0..29).map(|turn| write("x.txt", &format!("x={}", turn % period))));
            assert!(
                (1..=12).contains(&calls) && said.contains("the same change of x.txt"),
                "{period}: {calls} {said}"
            );
        }
        let random = |turn: usize| {
            (
                tool("terminal", json!({ "command": "echo $RANDOM" })),
                output(&turn.to_string()),
            )
        };
        let (calls, said) = ends((0..29).map(random));
        assert!(
            (1..=12).contains(&calls) && said.contains("echo $RANDOM"),
            "{calls} {said}"
        );
        let in_turn = |turn: usize| {
            let command = ["date", "echo $RANDOM"][turn % 2];
            (
                tool("terminal", json!({ "command": command })),
                output(&turn.to_string()),
            )
        };
        assert!((1..=12).contains(&ends((0..29).map(in_turn)).0));
        let missed = |turn: usize| {
            let missed = Some("a.tsx".to_owned());
            let output = ToolOutput {
                failed: true,
                missed,
                ..output(&format!("Error: {turn}"))
            };
            (
                tool(
                    "editFile",
                    json!({ "path": "a.tsx", "old": turn.to_string(), "new": "" }),
                ),
                output,
            )
        };
        let (calls, said) = ends((0..29).map(missed));
        assert!(
            (1..=12).contains(&calls) && said.contains("a text in a.tsx"),
            "{calls} {said}"
        );
        // Between them, it looks at the file.
        let looked = |turn: usize| match turn % 2 {
            0 => missed(turn),
            _ => (
                tool("readFiles", json!({ "files": ["a.tsx"] })),
                output("a"),
            ),
        };
        assert!((1..=12).contains(&ends((0..29).map(looked)).0));
        let failing = |turn: usize| {
            let output = ToolOutput {
                failed: true,
                ..output(&format!("Error: no {turn}"))
            };
            (tool("nothing", json!({ "n": turn })), output)
        };
        let (calls, said) = ends((0..29).map(failing));
        assert!(
            (1..=12).contains(&calls) && said.contains("failed"),
            "{calls} {said}"
        );
    }

    #[test]
    fn long_honest_work_is_not_stopped() {
        let mut calls = Vec::new();
        for turn in 0..29 {
            calls.push((
                tool("readFiles", json!({ "files": ["app/page.tsx"] })),
                output(&format!("content {turn}")),
            ));
            calls.push(write("app/page.tsx", &format!("content {turn}")));
            calls.push((check(), output("The app works.")));
            // A change is tried and taken back, each time another one.
            calls.push(write("app/layout.tsx", &format!("try {turn}")));
            calls.push((
                check(),
                ToolOutput {
                    failed: true,
                    ..output("Error: it does not compile")
                },
            ));
            calls.push(write("app/layout.tsx", "as it was"));
            calls.push((
                tool("terminal", json!({ "command": "npm test" })),
                output(&format!("passed in {turn} ms")),
            ));
            // Something is waited for.
            for second in 0..3 {
                calls.push((
                    tool("terminal", json!({ "command": "sleep 1; cat log" })),
                    output(&format!("{turn} {second}")),
                ));
            }
        }
        assert_eq!(ends(calls.into_iter()), (0, String::new()));
    }
}
