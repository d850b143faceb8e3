//! The tool calls of a turn: each a step of its own; those that don't touch the same files are
//! carried out at the same time.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Job;
use crate::{
    agent::{
        Journal, RunError, Step,
        tools::{self, Kit, Prepared, ToolOutput, Touches},
    },
    llm::ToolCall,
    protocol::{EventKind, ToolUse},
};

/// How much of a tool's output people are shown, in characters.
const SHOWN_OUTPUT: usize = 4000;

/// Carries the calls out, each after those before it that it must not overtake; their outputs come
/// in their order.
pub(super) async fn call_tools<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    calls: &[ToolCall],
) -> Result<Vec<ToolOutput>, RunError> {
    let prepared: Vec<Prepared> = calls.iter().map(tools::prepare).collect();
    let touches: Vec<Touches> = prepared.iter().map(Prepared::touches).collect();
    let mut outputs = Vec::with_capacity(calls.len());
    for batch in batches(&touches) {
        let work = batch.map(|index| {
            let (call, prepared) = (&calls[index], &prepared[index]);
            async move {
                let step = format!("turn-{turn}-{}-{}", step_name(&call.name), index + 1);
                call_tool(job, &step, call, prepared).await
            }
        });
        // Each is seen to its end, also when another one fails: what it has done is saved.
        for output in futures::future::join_all(work).await {
            outputs.push(output?);
        }
    }
    Ok(outputs)
}

/// Runs of calls, in their order, in which each is apart from all others.
fn batches(touches: &[Touches]) -> Vec<std::ops::Range<usize>> {
    let mut batches: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, touched) in touches.iter().enumerate() {
        match batches.last_mut() {
            Some(batch)
                if touches[batch.clone()]
                    .iter()
                    .all(|other| touched.is_apart_from(other)) =>
            {
                batch.end = index + 1
            }
            _ => batches.push(index..index + 1),
        }
    }
    batches
}

/// Carries a call out as a step, and publishes its begin and end.
///
/// A command whose end was not seen is never repeated by itself: the model is told that it was
/// interrupted, and decides.
async fn call_tool<J: Journal>(
    job: &Job<'_, '_, J>,
    step: &str,
    call: &ToolCall,
    prepared: &Prepared,
) -> Result<ToolOutput, RunError> {
    let (journal, workplace) = (job.journal, job.workplace);
    let shown = |output: Option<&ToolOutput>| EventKind::Tool {
        tool: ToolUse {
            step: step.to_owned(),
            tool: call.name.chars().take(80).collect(),
            title: prepared.title.clone(),
            output: output.map(|output| output.content.chars().take(SHOWN_OUTPUT).collect()),
            failed: output.is_some_and(|output| output.failed),
        },
    };
    // Whether an attempt was made in this process, and whether it got to the sandbox.
    let (tried, begun) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let output: ToolOutput = journal
        .step(
            Step::new(step, call).within(prepared.timeout()),
            |attempt| async move {
                if let Some(status) = prepared.status {
                    journal.publish(EventKind::Status { status }).await?;
                }
                journal.publish(shown(None)).await?;
                // What an earlier process tried may have got to the sandbox.
                let before = !tried.swap(true, Ordering::Relaxed) && attempt.number > 1;
                let again = attempt.interrupted || before || begun.load(Ordering::Relaxed);
                let mut output = if again && !prepared.is_repeatable() {
                    ToolOutput::interrupted()
                } else {
                    let scope = &job.scope().await;
                    let work = |app| async move {
                        begun.store(true, Ordering::Relaxed);
                        let (agent, app) = (job.agent, &app);
                        prepared
                            .carry_out(&Kit {
                                agent,
                                app,
                                scope,
                                again,
                            })
                            .await
                    };
                    workplace.with_app(work).await?
                };
                output.sandbox = Some(workplace.app().await?.id().to_owned());
                if let Some(notice) = workplace.notice().await {
                    output.content = format!("{}\n\n{notice}", output.content);
                }
                if !output.written.is_empty() {
                    let files = output.written.clone();
                    journal.publish(EventKind::Files { files }).await?;
                }
                Ok(output)
            },
        )
        .await?;
    if let Some(sandbox) = &output.sandbox {
        workplace.settled_in(sandbox).await;
    }
    if !output.failed {
        workplace.wrote(prepared.files(&output)).await;
    }
    // As with text: after a restart the end may not have been told, and one that was told is no
    // event.
    journal.publish(shown(Some(&output))).await?;
    Ok(output)
}

/// The tool's name as a part of a step's name: models invent names of all kinds.
pub(super) fn step_name(tool: &str) -> String {
    let name: String = tool
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_run_together_until_one_touches_what_another_does() {
        let writes = |path: &str| Touches::Writes(vec![path.to_owned()]);
        let reads = |path: &str| Touches::Reads(vec![path.to_owned()]);
        let touches = [
            writes("a"),
            writes("b"),
            reads("c"),
            reads("a"),
            reads("b"),
            Touches::Everything,
            reads("a"),
            writes("b"),
            writes("b"),
        ];
        assert_eq!(batches(&touches), [0..3, 3..5, 5..6, 6..8, 8..9]);
        assert!(batches(&[]).is_empty());
    }
}
