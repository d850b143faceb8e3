//! What stops a run that leads nowhere: the same call with the same result again and again, and more tokens or money than a run may take.

use std::collections::{HashMap, HashSet};

use super::{
    RunError,
    tools::{self, ToolOutput},
};
use crate::{config, llm::ToolCall, protocol::Spent};

/// How often the same call may give the same result.
const SAME_RESULTS: usize = 3;
/// After so many misses in a file, the whole file is better written anew.
const MISSES: usize = 2;

/// What a run has done and used so far; read off its steps' outputs alone, so that a restarted run counts the same.
#[derive(Debug, Default)]
pub struct Guards {
    /// How often a call (its tool and arguments) gave a result, since the app last changed, as far as is known.
    results: HashMap<[String; 3], usize>,
    /// The commands that were run.
    commands: HashSet<String>,
    misses: HashMap<String, usize>,
    spent: Spent,
}

impl Guards {
    /// Counts what an answer cost.
    pub fn spend(&mut self, spent: Spent) {
        self.spent.add(spent);
    }

    /// Whether there is anything left to spend after `lost`, which is not counted yet; an error for the user when there is not.
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

    /// Takes note of a call and its result. Returns what the model is to be told besides; an error when it goes round in circles.
    pub fn take(&mut self, call: &ToolCall, output: &ToolOutput) -> Result<Option<String>, RunError> {
        let now = [&call.name, &call.arguments, &output.content].map(String::clone);
        let times = self.results.get(&now).copied().unwrap_or_default() + 1;
        // After a change the same question is a new one. A command may change anything; the same command again is no way forward.
        if !output.written.is_empty() || (tools::is_command(call) && self.commands.insert(call.arguments.clone())) {
            self.results.clear();
        }
        self.results.insert(now, times);
        if times >= SAME_RESULTS {
            let said: String = output.content.chars().take(300).collect();
            return Err(RunError::User(format!(
                "The model went round in circles: it called {} {SAME_RESULTS} times with the same result:\n\n```\n{said}\n```\n\nThe \
                 files are kept. Say differently what you want, or send “Go on”.",
                call.name
            )));
        }
        for file in &output.written {
            self.misses.remove(&file.path);
        }
        let Some(path) = &output.missed else {
            return Ok(None);
        };
        let misses = self.misses.entry(path.clone()).or_default();
        *misses += 1;
        Ok((*misses >= MISSES)
            .then(|| format!("That was miss number {misses} in {path}. Read the file, and write it whole with createOrUpdateFiles.")))
    }
}

fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
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
            written: vec![FileChange { path: "a.txt".to_owned() }],
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
        let error = guards.take(&call("ls"), &output("a")).unwrap_err().to_string();
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
                .take(&call(&format!("sed -i {number}d a.txt")), &output("exit code 0"))
                .unwrap();
            guards.take(&check(), &output("Error")).unwrap();
        }
        guards.take(&call("sed -i 0d a.txt"), &output("exit code 0")).unwrap();
        guards.take(&check(), &output("Error")).unwrap();
        guards.take(&call("sed -i 1d a.txt"), &output("exit code 0")).unwrap();
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
        assert!(told.contains("createOrUpdateFiles") && told.contains("a.txt"), "{told}");
        let path = "a.txt".to_owned();
        let written = ToolOutput {
            written: vec![FileChange { path }],
            ..output("3")
        };
        guards.take(&call("3"), &written).unwrap();
        assert_eq!(guards.take(&call("4"), &missed("4")).unwrap(), None);
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
        };
        let mut guards = Guards::default();
        guards.spend(spent(10, Some(400_000)));
        guards.may_go_on(&limits, Spent::default()).unwrap();
        guards.spend(spent(10, None));
        guards.may_go_on(&limits, Spent::default()).unwrap();
        guards.spend(spent(10, Some(100_000)));
        let error = guards.may_go_on(&limits, Spent::default()).unwrap_err().to_string();
        assert!(error.contains("$0.50") && error.contains("RUN_MAX_COST"), "{error}");
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
