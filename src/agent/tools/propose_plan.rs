//! `proposePlan`: shows the user a plan, which ends the run; the user's approval builds it.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, ToolContext, ToolError, ToolOutput,
    lenient::{list, one_line, words},
    object,
};
use crate::protocol::{AppPlan, MessagePart, PROMPT_MAX_CHARS, PlanStep, Status, item};

/// The maximum number of steps in a plan.
const MAX_STEPS: usize = 20;
/// The maximum length of a plan, in characters: with the user's additions, it must fit into a
/// message.
const MAX_CHARS: usize = PROMPT_MAX_CHARS * 8 / 10;

#[derive(Debug, Deserialize)]
pub struct Arguments {
    #[serde(default)]
    pages: Value,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    look: Value,
    #[serde(default)]
    steps: Value,
    /// The whole plan in Markdown, as some models write it.
    #[serde(default, alias = "markdown", alias = "text")]
    plan: Value,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Puts the plan before the user, who may edit it and has it built. Your work ends with it. Write in the user's language.",
        object(
            json!({
                "pages": { "type": "string", "description": "Markdown: the pages, and what people do there" },
                "data": { "type": "string", "description": "Markdown: what is kept, with its fields, and where" },
                "look": { "type": "string", "description": "Markdown: layout, colours, mood" },
                "steps": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_STEPS,
                    "items": { "type": "string", "description": "One step of the work in one line, in the order in which it is done" },
                },
            }),
            &["pages", "data", "look", "steps"],
        ),
    )
}

impl Arguments {
    fn plan(&self) -> AppPlan {
        let mut plan = AppPlan::from_markdown(&words(&self.plan));
        for (heading, section) in [
            ("Pages", &self.pages),
            ("Data", &self.data),
            ("Look", &self.look),
        ] {
            let section = words(section);
            if section.is_empty() {
                continue;
            }
            if !plan.text.is_empty() {
                plan.text.push_str("\n\n");
            }
            plan.text.push_str(&format!("## {heading}\n\n{section}"));
        }
        let steps = list(&self.steps);
        let steps = steps.iter().map(one_line);
        let steps = steps.map(|step| item(&step).map(str::to_owned).unwrap_or(step));
        let steps = steps.filter(|step| !step.is_empty()).map(PlanStep::new);
        plan.steps.extend(steps);
        plan
    }

    /// The plan, or why it can't be proposed.
    fn checked(&self) -> Result<AppPlan, String> {
        let plan = self.plan();
        let chars = plan.to_markdown().chars().count();
        match plan.steps.len() {
            0 => Err("the plan has no steps; list them in steps, one line each".to_owned()),
            steps if steps > MAX_STEPS => Err(format!(
                "the plan has {steps} steps; at most {MAX_STEPS} are shown, so join some"
            )),
            _ if chars > MAX_CHARS => Err(format!(
                "the plan has {chars} characters; at most {MAX_CHARS} fit, so say it in fewer words"
            )),
            _ => Ok(plan),
        }
    }
}

impl Handler for Arguments {
    fn title(&self) -> String {
        match self.plan().steps.len() {
            1 => "a plan with 1 step".to_owned(),
            steps => format!("a plan with {steps} steps"),
        }
    }

    fn status(&self) -> Status {
        Status::Thinking
    }

    fn access(&self) -> FileAccess {
        FileAccess::None
    }

    fn part(&self) -> Option<MessagePart> {
        let plan = self.checked().ok()?;
        Some(MessagePart::Plan { plan })
    }

    fn execute<'a>(
        &'a self,
        _context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        async move {
            self.checked().map_err(ToolError::RespondToModel)?;
            Ok(ToolOutput::ok("The plan is before the user."))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: Value) -> Arguments {
        serde_json::from_value(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    fn steps(plan: &AppPlan) -> Vec<&str> {
        plan.steps.iter().map(|step| step.text.as_str()).collect()
    }

    #[test]
    fn a_plan_is_read_however_a_model_writes_it() {
        let whole = read(json!({
            "pages": "- Home", "data": "", "look": "Blue", "steps": ["Write it", "1. Add\n data"],
        }));
        let plan = whole.plan();
        assert_eq!(plan.text, "## Pages\n\n- Home\n\n## Look\n\nBlue");
        assert_eq!(steps(&plan), ["Write it", "Add data"]);
        let objects = read(json!({
            "pages": [{ "path": "/", "description": "the list" }, "About"],
            "steps": [{ "title": "Write it" }, { "step": "Add data" }],
        }));
        let plan = objects.plan();
        assert_eq!(plan.text, "## Pages\n\n- /: the list\n- About");
        assert_eq!(steps(&plan), ["Write it", "Add data"]);
        for markdown in [
            json!({ "plan": "A list.\n\n## Steps\n1. Write it\n2. Add data" }),
            json!({ "markdown": "A list.", "steps": "- Write it\n- Add data" }),
        ] {
            let plan = read(markdown).plan();
            assert_eq!(
                (&*plan.text, steps(&plan)),
                ("A list.", vec!["Write it", "Add data"])
            );
        }
    }

    #[test]
    fn a_plan_without_steps_or_with_too_much_goes_back_to_the_model() {
        for (arguments, why) in [
            (json!({ "pages": "Home" }), "no steps"),
            (json!({ "steps": vec!["step"; 21] }), "21 steps"),
            (json!({ "steps": ["x".repeat(MAX_CHARS)] }), "fewer words"),
        ] {
            let arguments = read(arguments);
            let refusal = arguments.checked().err().unwrap_or_default();
            assert!(refusal.contains(why), "{refusal}");
            assert_eq!(arguments.part(), None);
        }
    }
}
