//! The tool calls of a turn: each is a step of its own, and those that don't conflict run at the
//! same time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use tracing::Instrument;

use super::{budget::Budget, explore::explore, job::Job};
use crate::{
    agent::{
        Journal, RunError, Step,
        tools::{self, FileAccess, Prepared, ToolContext, ToolOutput},
    },
    llm::ToolCall,
    protocol::{EventKind, Mode, ToolUse, first_chars},
};

/// How much of a tool's output people see, in characters.
const SHOWN_OUTPUT: usize = 4000;

/// The state of the conversation that an answer's calls depend on.
#[derive(Clone, Copy)]
pub(super) struct State<'a> {
    /// Why the user can't be asked now.
    pub no_questions: Option<&'static str>,
    /// Why the user can't be asked for consent to a tool now.
    pub no_consent: Option<&'static str>,
    /// What the run has used so far.
    pub budget: &'a Budget,
}

/// Executes the calls, each after the earlier ones that it conflicts with. Returns their outputs in
/// the same order.
pub(super) async fn call_tools<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    calls: &[ToolCall],
    state: State<'_>,
) -> Result<Vec<ToolOutput>, RunError> {
    let prepared: Vec<Prepared> = calls.iter().map(|call| job.prepare(call)).collect();
    let accesses: Vec<FileAccess> = prepared.iter().map(Prepared::access).collect();
    let mut outputs = Vec::with_capacity(calls.len());
    for batch in batches(&accesses) {
        let work = batch.map(|index| {
            let (call, prepared) = (&calls[index], &prepared[index]);
            let step = format!("turn-{turn}-{}-{}", tools::step_name(&call.name), index + 1);
            let span = tracing::info_span!("tool", tool.name = first_chars(&call.name, 80));
            async move { call_tool(job, &step, call, prepared, state).await }.instrument(span)
        });
        // All run to completion, even if one fails: the work they have done is saved.
        for output in futures::future::join_all(work).await {
            outputs.push(output?);
        }
    }
    Ok(outputs)
}

/// Consecutive calls without conflicts.
fn batches(accesses: &[FileAccess]) -> Vec<std::ops::Range<usize>> {
    let mut batches: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, access) in accesses.iter().enumerate() {
        match batches.last_mut() {
            Some(batch)
                if !accesses[batch.clone()]
                    .iter()
                    .any(|other| access.conflicts_with(other)) =>
            {
                batch.end = index + 1
            }
            _ => batches.push(index..index + 1),
        }
    }
    batches
}

/// Executes a call as a step, and publishes its beginning and end.
///
/// A command whose end was not observed is never repeated: the model learns that it was
/// interrupted, and decides.
async fn call_tool<J: Journal>(
    job: &Job<'_, '_, J>,
    step: &str,
    call: &ToolCall,
    prepared: &Prepared,
    state: State<'_>,
) -> Result<ToolOutput, RunError> {
    let (journal, sandbox) = (job.journal, job.sandbox);
    let shown = |output: Option<&ToolOutput>| EventKind::Tool {
        tool: ToolUse {
            step: step.to_owned(),
            tool: first_chars(&call.name, 80).to_owned(),
            title: prepared.title.clone(),
            output: output.map(|output| first_chars(&output.content, SHOWN_OUTPUT).to_owned()),
            failed: output.is_some_and(|output| output.failed),
            took: output.and_then(|output| output.took),
        },
    };
    let questions = &*prepared.to_explore();
    // Whether this process has made an attempt, and whether one reached the sandbox.
    let (tried, begun) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let output: ToolOutput = journal
        .step(
            Step::new(step, call).within(prepared.timeout()),
            |attempt| async move {
                let begun_at = Instant::now();
                if let Some(status) = prepared.status {
                    journal.publish(EventKind::Status { status }).await?;
                }
                journal.publish(shown(None)).await?;
                // An attempt by an earlier process may have reached the sandbox.
                let before = !tried.swap(true, Ordering::Relaxed) && attempt.number > 1;
                let again = attempt.interrupted || before || begun.load(Ordering::Relaxed);
                let mut output = if again && !prepared.is_repeatable() {
                    ToolOutput::interrupted()
                } else if !questions.is_empty() {
                    explore(job, step, questions, state.budget).await?
                } else {
                    let scope = &job.scope().await;
                    let work = |app| async move {
                        begun.store(true, Ordering::Relaxed);
                        if job.mode == Mode::Build {
                            job.browser.start(&app);
                        }
                        let (agent, app) = (job.agent, &app);
                        prepared
                            .execute(&ToolContext {
                                agent,
                                app,
                                scope,
                                plan: job.plan,
                                no_questions: state.no_questions,
                                no_consent: state.no_consent,
                                again,
                            })
                            .await
                    };
                    sandbox.with_app(work).await?
                };
                output.took = u64::try_from(begun_at.elapsed().as_millis()).ok();
                output.sandbox = Some(sandbox.app().await?.id().to_owned());
                if let Some(notice) = sandbox.notice().await {
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
    if let Some(id) = &output.sandbox {
        sandbox.settled_in(id).await;
    }
    if !output.failed {
        sandbox.wrote(prepared.files(&output)).await;
    }
    // As with text: a restart may have prevented publishing the end, and publishing it twice is no
    // event.
    journal.publish(shown(Some(&output))).await?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_calls_run_together_until_one_conflicts() {
        let writes = |path| FileAccess::writes([path]);
        let reads = |path| FileAccess::reads([path]);
        let accesses = [
            writes("a"),
            writes("b"),
            reads("c"),
            reads("a"),
            reads("b"),
            FileAccess::All,
            reads("a"),
            writes("b"),
            writes("b"),
        ];
        assert_eq!(batches(&accesses), [0..3, 3..5, 5..6, 6..8, 8..9]);
        assert!(batches(&[]).is_empty());
    }
}
