//! The approved plan that a build follows: its description for the model, and ticking off its
//! steps.

use futures::future::BoxFuture;

use super::RunError;
use crate::protocol::AppPlan;

/// Ticks off the step with this index, so that the conversation shows it. It is idempotent.
pub type Tick = dyn Fn(usize) -> BoxFuture<'static, Result<(), RunError>> + Send + Sync;

/// The plan that a build follows.
#[derive(Clone, Copy)]
pub struct ApprovedPlan<'a> {
    /// Its state at the beginning of the run.
    pub plan: &'a AppPlan,
    pub tick: &'a Tick,
}

/// The model's description of the plan. `is_asked_for`: the user's message is the plan itself.
pub fn note(plan: &AppPlan, is_asked_for: bool) -> String {
    let mut note = "The user approved a plan of this app".to_owned();
    if is_asked_for {
        note.push_str(": it is the message below. Build all of it.");
    } else {
        note.push_str(
            " earlier. It holds for what the message below leaves open; where they differ, the \
             message counts.",
        );
        if !plan.text.is_empty() {
            note.push_str("\n\n");
            note.push_str(&plan.text);
        }
    }
    if plan.steps.is_empty() {
        return note;
    }
    note.push_str("\n\nIts steps, those that are done with an x:\n");
    for (index, step) in plan.steps.iter().enumerate() {
        let mark = if step.done { 'x' } else { ' ' };
        note.push_str(&format!("{}. [{mark}] {}\n", index + 1, step.text));
    }
    note.push_str(
        "\nCall completeStep with a step's number as soon as the step is done, beside your other \
         calls: the user sees it ticked.",
    );
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PlanStep;

    #[test]
    fn the_model_reads_the_plan_with_what_is_done_and_not_twice_what_the_message_says() {
        let done = PlanStep {
            done: true,
            ..PlanStep::new("Write the page")
        };
        let plan = AppPlan {
            text: "## Look\n\nBlue".to_owned(),
            steps: vec![done, PlanStep::new("Add the form")],
        };
        insta::assert_snapshot!("a plan of before", note(&plan, false));
        assert!(!note(&plan, true).contains("Blue"));
        let without_steps = AppPlan {
            steps: Vec::new(),
            ..plan
        };
        assert!(!note(&without_steps, false).contains("completeStep"));
    }
}
