//! What stops a run that leads nowhere: calls that go round in circles, of one or of several, and
//! more tokens or money than a run may take.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use crate::{
    agent::{
        RunError,
        tools::{self, ToolOutput},
    },
    config,
    llm::ToolCall,
    protocol::Spent,
};

/// How often the same call may give the same result.
const SAME_RESULTS: usize = 3;
/// After so many misses in a file, the whole file is better written anew.
const MISSES: usize = 2;
/// After so many without a write to the file in between, it is not going to hit.
const MAX_MISSES: usize = 6;
/// How many times a file may be changed from the same content to the same other one.
const SAME_CHANGES: usize = 3;
/// Calls that were made before, with whatever result, while nothing was written and no new command
/// was run: after so many, the model hears that they lead nowhere; after so many more, the run
/// ends. Who waits for something to happen looks at it a few times.
const REPEATED: usize = 4;
const MAX_REPEATED: usize = 8;
/// How many answers in a row may have nothing but failing calls.
const MAX_FAILING: usize = 8;

/// What a run has done and used so far; read off its steps' outputs alone, so that a restarted run
/// counts the same.
#[derive(Debug, Default)]
pub struct Guards {
    /// How often a call (its tool and arguments) gave a result, since the app last changed, as far
    /// as is known.
    results: HashMap<[String; 3], usize>,
    /// The commands that were run.
    commands: HashSet<String>,
    misses: HashMap<String, usize>,
    /// Digests of what the run wrote last to each path.
    contents: HashMap<String, u64>,
    /// How many times a path's content was changed from one digest to another.
    changes: HashMap<(String, u64, u64), usize>,
    /// The calls (tools and arguments) since the app last changed, as far as is known, and how many
    /// of them were made before.
    calls: HashSet<[String; 2]>,
    repeated: usize,
    /// How many of the latest answers had nothing but failing calls.
    failing: usize,
    spent: Spent,
}

impl Guards {
    /// Counts what an answer cost.
    pub fn spend(&mut self, spent: Spent) {
        self.spent.add(spent);
    }

    /// Whether there is anything left to spend after `lost`, which is not counted yet; an error for
    /// the user when there is not.
    pub fn may_go_on(&self, limits: &config::Limits, lost: Spent) -> Result<(), RunError> {
        let mut spent = self.spent;
        spent.add(lost);
        let tokens = spent.input_tokens + spent.output_tokens;
        if tokens >= limits.max_tokens {
            return Err(RunError::User(format!(
                "This run was stopped: it has used {tokens} tokens, and {} is the limit for one run (RUN_MAX_TOKENS). The files are kept: \
                 send a message such as “Go on” to continue.",
                limits.max_tokens
            )));
        }
        match (spent.cost_micros, limits.max_cost_micros) {
            (Some(cost), Some(limit)) if cost >= limit => Err(RunError::User(format!(
                "This run was stopped: it has cost ${:.2}, and ${:.2} is the limit for one run (RUN_MAX_COST). The files are kept: send a \
                 message such as “Go on” to continue.",
                dollars(cost),
                dollars(limit)
            ))),
            _ => Ok(()),
        }
    }

    /// Takes note of a call and its result. Returns what the model is to be told besides; an error
    /// when it goes round in circles.
    pub fn take(
        &mut self,
        call: &ToolCall,
        output: &ToolOutput,
    ) -> Result<Option<String>, RunError> {
        let now = [&call.name, &call.arguments, &output.content].map(String::clone);
        let times = self.results.get(&now).copied().unwrap_or_default() + 1;
        // After a change the same question is a new one. A command may change anything; the same
        // command again is no way forward.
        let is_progress = !output.written.is_empty()
            || (tools::is_command(call) && self.commands.insert(call.arguments.clone()));
        if is_progress {
            self.results.clear();
            self.calls.clear();
            self.repeated = 0;
        }
        self.results.insert(now, times);
        if times >= SAME_RESULTS {
            return Err(circle(
                &format!(
                    "it called {} {SAME_RESULTS} times with the same result",
                    call.name
                ),
                &output.content,
            ));
        }
        self.take_contents(call, output)?;
        if !self
            .calls
            .insert([&call.name, &call.arguments].map(String::clone))
        {
            self.repeated += 1;
        }
        if self.repeated >= MAX_REPEATED {
            let what = format!(
                "it made {MAX_REPEATED} calls that it had made before, and changed nothing in between; the last was {} with {}",
                call.name, call.arguments
            );
            return Err(circle(&what, &output.content));
        }
        for file in &output.written {
            self.misses.remove(&file.path);
        }
        if let Some(path) = &output.missed {
            return self.miss(path, output);
        }
        Ok((self.repeated == REPEATED).then(|| {
            "You have made these calls before, and nothing was changed in between: more of them lead nowhere. Change something, or end."
                .to_owned()
        }))
    }

    /// Files that change to and fro.
    fn take_contents(&mut self, call: &ToolCall, output: &ToolOutput) -> Result<(), RunError> {
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
            if *times >= SAME_CHANGES {
                let what = format!(
                    "it made the same change of {} for the {SAME_CHANGES}rd time, to and fro",
                    file.path
                );
                return Err(circle(&what, &output.content));
            }
        }
        Ok(())
    }

    /// A text to be replaced that is not in the file.
    fn miss(&mut self, path: &str, output: &ToolOutput) -> Result<Option<String>, RunError> {
        let misses = self.misses.entry(path.to_owned()).or_default();
        *misses += 1;
        if *misses >= MAX_MISSES {
            let what = format!(
                "it tried {MAX_MISSES} times to replace a text in {path} that is not there"
            );
            return Err(circle(&what, &output.content));
        }
        Ok((*misses >= MISSES)
            .then(|| format!("That was miss number {misses} in {path}. Read the file, and write it whole with createOrUpdateFiles.")))
    }

    /// Takes note of all outputs of an answer's calls; an error when nothing but failures has come
    /// for too long.
    pub fn end_turn(&mut self, outputs: &[ToolOutput]) -> Result<(), RunError> {
        self.failing = if outputs.iter().all(|output| output.failed) {
            self.failing + 1
        } else {
            0
        };
        match outputs.last() {
            Some(last) if self.failing >= MAX_FAILING => Err(circle(
                &format!(
                    "all calls of its last {MAX_FAILING} answers failed, the last of them with this"
                ),
                &last.content,
            )),
            _ => Ok(()),
        }
    }
}

/// The end of a run that goes round in circles; `what` says in which.
fn circle(what: &str, last: &str) -> RunError {
    let said: String = last.chars().take(300).collect();
    let what: String = what.chars().take(400).collect();
    RunError::User(format!(
        "The model went round in circles: {what}:\n\n```\n{said}\n```\n\nThe files are kept. Say differently what you want, or send “Go on”."
    ))
}

fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
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
        }
    }

    fn check() -> ToolCall {
        ToolCall {
            name: "checkApp".to_owned(),
            ..call("{}")
        }
    }

    #[test]
    fn the_same_call_with_the_same_result_stops_at_the_third_time_and_not_before() {
        let mut guards = Guards::default();
        let written = ToolOutput {
            written: vec![FileChange {
                path: "a.txt".to_owned(),
            }],
            ..output("Wrote a.txt")
        };
        for content in ["a", "a", "b"] {
            guards.take(&call("ls"), &output(content)).unwrap();
        }
        guards.take(&call("write"), &written).unwrap();
        for _ in 0..2 {
            guards.take(&call("ls"), &output("a")).unwrap();
            guards.take(&check(), &output("a")).unwrap();
        }
        let error = guards
            .take(&call("ls"), &output("a"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("terminal 3 times"), "{error}");
        // The same write, again and again.
        let write = ToolCall {
            name: "editFile".to_owned(),
            ..call("{}")
        };
        for _ in 0..2 {
            guards.take(&write, &written).unwrap();
            guards.take(&call("ls"), &output("a")).unwrap();
        }
        guards.take(&write, &written).unwrap_err();
    }

    #[test]
    fn a_command_that_was_not_run_before_may_change_the_app_and_the_same_ones_again_lead_nowhere() {
        let mut guards = Guards::default();
        for number in 0..5 {
            guards
                .take(
                    &call(&format!("sed -i {number}d a.txt")),
                    &output("exit code 0"),
                )
                .unwrap();
            guards.take(&check(), &output("Error")).unwrap();
        }
        guards
            .take(&call("sed -i 0d a.txt"), &output("exit code 0"))
            .unwrap();
        guards.take(&check(), &output("Error")).unwrap();
        guards
            .take(&call("sed -i 1d a.txt"), &output("exit code 0"))
            .unwrap();
        guards.take(&check(), &output("Error")).unwrap_err();
    }

    #[test]
    fn after_two_misses_in_a_file_a_whole_write_is_suggested_and_a_write_forgets_them() {
        let mut guards = Guards::default();
        let missed = |content: &str| ToolOutput {
            missed: Some("a.txt".to_owned()),
            ..output(content)
        };
        assert_eq!(guards.take(&call("1"), &missed("1")).unwrap(), None);
        let told = guards.take(&call("2"), &missed("2")).unwrap().unwrap();
        assert!(
            told.contains("createOrUpdateFiles") && told.contains("a.txt"),
            "{told}"
        );
        let path = "a.txt".to_owned();
        let written = ToolOutput {
            written: vec![FileChange { path }],
            ..output("3")
        };
        guards.take(&call("3"), &written).unwrap();
        assert_eq!(guards.take(&call("4"), &missed("4")).unwrap(), None);
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

    /// How many calls are made before the run ends, of many, and what is said then.
    fn ends(calls: impl Iterator<Item = (ToolCall, ToolOutput)>) -> (usize, String) {
        let mut guards = Guards::default();
        for (number, (call, output)) in calls.enumerate() {
            let taken = guards.take(&call, &output);
            if let Err(error) = taken.and_then(|_| guards.end_turn(&[output])) {
                return (number + 1, error.to_string());
            }
        }
        (0, String::new())
    }

    #[test]
    fn circles_of_any_length_end_well_before_the_turns_do_and_say_which_they_were() {
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

    #[test]
    fn tokens_and_money_have_an_end_and_an_unknown_price_none() {
        let limits = config::Limits {
            max_turns: 1,
            max_tokens: 1000,
            max_cost_micros: Some(500_000),
        };
        let spent = |tokens, cost_micros| Spent {
            input_tokens: tokens,
            output_tokens: 0,
            cost_micros,
            estimated: false,
        };
        let mut guards = Guards::default();
        guards.spend(spent(10, Some(400_000)));
        guards.may_go_on(&limits, Spent::default()).unwrap();
        guards.spend(spent(10, None));
        guards.may_go_on(&limits, Spent::default()).unwrap();
        guards.spend(spent(10, Some(100_000)));
        let error = guards
            .may_go_on(&limits, Spent::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("$0.50") && error.contains("RUN_MAX_COST"),
            "{error}"
        );
        let mut guards = Guards::default();
        guards.spend(spent(1000, None));
        assert!(
            guards
                .may_go_on(&limits, Spent::default())
                .unwrap_err()
                .to_string()
                .contains("RUN_MAX_TOKENS")
        );
    }
}
