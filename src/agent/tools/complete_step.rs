//! `completeStep`: ticks off a step of the approved plan.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FileAccess, Handler, ToolContext, ToolError, ToolOutput, lenient::words, object};
use crate::protocol::{AppPlan, Status, first_chars};

#[derive(Debug, Deserialize)]
pub struct Arguments {
    /// A step's number, counted from 1, or its text.
    step: Value,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Ticks a step of the approved plan that is done.",
        object(
            json!({ "step": { "type": "integer", "minimum": 1, "description": "The step's number" } }),
            &["step"],
        ),
    )
}

impl Arguments {
    /// The index of the named step.
    fn index(&self, plan: &AppPlan) -> Option<usize> {
        let named = words(&self.step).to_lowercase();
        let named = named.trim();
        let is_named = |text: &str| text.to_lowercase() == named;
        if let Some(index) = plan.steps.iter().position(|step| is_named(&step.text)) {
            return Some(index);
        }
        // Such as 2, "2." or "Step 2: the form".
        let number = named.strip_prefix("step").unwrap_or(named).trim_start();
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = number[..digits].parse().ok()?;
        number
            .checked_sub(1)
            .filter(|index| *index < plan.steps.len())
    }
}

impl Handler for Arguments {
    fn title(&self) -> String {
        format!("step {}", first_chars(&words(&self.step), 120))
    }

    fn status(&self) -> Status {
        Status::Thinking
    }

    fn access(&self) -> FileAccess {
        FileAccess::None
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        async move {
            let Some(approved) = context.plan else {
                return Err(ToolError::RespondToModel(
                    "there is no approved plan".to_owned(),
                ));
            };
            let Some(index) = self.index(approved.plan) else {
                return Err(ToolError::RespondToModel(format!(
                    "there is no such step; the plan's steps are 1 to {}",
                    approved.plan.steps.len()
                )));
            };
            (approved.tick)(index).await?;
            Ok(ToolOutput::ok(format!("Step {} is ticked.", index + 1)))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PlanStep;

    #[test]
    fn a_step_is_found_by_its_number_or_its_text() {
        let plan = AppPlan {
            text: String::new(),
            steps: ["Write the page", "3 columns", "Add the form"]
                .map(PlanStep::new)
                .to_vec(),
        };
        let found = |step: Value| Arguments { step }.index(&plan);
        for step in [
            json!(2),
            json!("2"),
            json!("2."),
            json!("Step 2: columns"),
            json!("3 Columns"),
        ] {
            assert_eq!(found(step.clone()), Some(1), "{step}");
        }
        assert_eq!(found(json!("add the form")), Some(2));
        for step in [
            json!(0),
            json!(4),
            json!(-1),
            json!("the form"),
            json!(null),
            json!("ä"),
        ] {
            assert_eq!(found(step.clone()), None, "{step}");
        }
    }
}
