//! The turn loop: model → tool calls → results → model …, until the model says that it is done.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Agent, AgentInput, Attempt, Journal, RunError, Step, Workplace,
    growth::{Growth, publish_growth},
    summary,
    tools::{self, Tool, ToolOutput},
};
use crate::{
    llm::{ChatMessage, ChatRequest, ModelReply, ModelRole, ToolCall},
    protocol::{EventKind, Status, ToolUse},
};

/// The longest that the model may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(420);
/// How much of a tool's output people are shown, in characters.
const SHOWN_OUTPUT: usize = 4000;

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the model says it did.
    pub summary: String,
}

/// Lets the model work on the app until it ends with `<task_summary>`.
///
/// Each turn is a step `turn-<n>` (counted from 1) whose output is the model's whole answer; each tool call of the answer is a step
/// `turn-<n>-<tool>-<k>` whose output is the tool's result. The chat is built from these outputs alone, so after a restart the loop
/// runs through the saved steps without asking the model or touching the sandbox, and goes on where it was: with the first tool call
/// that has no result, or with the next turn. While an answer comes its text and its files are published as they grow; nothing is
/// carried out before the answer is whole.
///
/// A turn ends the loop when its text has a summary and it calls no tools. One with neither is reminded once of how to end.
/// The last of `AGENT_MAX_TURNS` turns is given no tools and must summarise. Tool errors go back to the model as results; errors of
/// the model or the sandbox that don't pass end the run.
pub async fn run_turns<J: Journal>(journal: &J, agent: &Agent, workplace: &Workplace<'_>, input: &AgentInput) -> Result<Outcome, RunError> {
    let mut messages = input.messages.clone();
    let mut reminded = false;
    let max_turns = agent.settings.max_turns;
    for turn in 1..=max_turns {
        let last = turn == max_turns;
        if last && turn > 1 {
            messages.push(ChatMessage::System {
                content:
                    "This is your last turn and you have no tools left. End with <task_summary> and say what works and what is missing."
                        .to_owned(),
            });
        }
        let request = ChatRequest {
            messages: messages.clone(),
            tools: if last { Vec::new() } else { Tool::ALL.map(Tool::spec).to_vec() },
            role: ModelRole::Coder,
        };
        let name = format!("turn-{turn}");
        let step = Step::new(&name, &request.messages)
            .within(ANSWER_TIMEOUT)
            .with_alternatives(agent.model.alternatives());
        let reply: ModelReply = journal
            .step(step, |attempt| answer(journal, agent, turn, &request, attempt))
            .await?;
        // Published again after a restart, where it may have been cut; an unchanged one is no event.
        publish_text(journal, turn, &reply.text).await?;
        messages.push(ChatMessage::Assistant {
            content: reply.text.clone(),
            tool_calls: reply.tool_calls.clone(),
        });
        if reply.tool_calls.is_empty() {
            if let Some(summary) = summary::find(&reply.text).filter(|summary| !summary.is_empty()) {
                return Ok(Outcome {
                    summary: summary.to_owned(),
                });
            }
            if last || reminded {
                break;
            }
            reminded = true;
            messages.push(ChatMessage::System {
                content: "Go on with the tools. When everything is done, end with <task_summary>…</task_summary>.".to_owned(),
            });
            continue;
        }
        for (index, call) in reply.tool_calls.iter().enumerate() {
            let step = format!("turn-{turn}-{}-{}", step_name(&call.name), index + 1);
            let output = call_tool(journal, workplace, &step, call).await?;
            messages.push(ChatMessage::Tool {
                tool_call_id: call.id.clone(),
                content: output.content,
            });
        }
    }
    Err(RunError::User(format!(
        "The model stopped without saying that it is done (after at most {max_turns} turns). The files are kept: send a message such as “Go on” to continue."
    )))
}

/// One answer of the model; its text and its files are published while they grow.
async fn answer<J: Journal>(
    journal: &J,
    agent: &Agent,
    turn: u32,
    request: &ChatRequest,
    attempt: Attempt,
) -> Result<ModelReply, RunError> {
    journal.publish(EventKind::Status { status: Status::Thinking }).await?;
    if attempt.number > 1 {
        // What the attempt before had begun to say is void.
        let (text, html) = (String::new(), String::new());
        journal.publish(EventKind::Text { turn, text, html }).await?;
        journal.publish(EventKind::Draft { turn, piece: None }).await?;
    }
    let (grow, grown) = Growth::channel();
    let streaming = async {
        // Moved in, so that the publisher ends with the answer.
        let grow = grow;
        agent
            .model
            .stream(attempt.alternative, request, |piece| grow.send_modify(|growth| growth.take(piece)))
            .await
    };
    let (reply, published) = tokio::join!(streaming, publish_growth(journal, turn, grown));
    published?;
    Ok(reply?)
}

/// Publishes what the model has said in a turn, when that is anything for people.
pub(super) async fn publish_text<J: Journal>(journal: &J, turn: u32, text: &str) -> Result<(), RunError> {
    let text = summary::without(text).trim().to_owned();
    if text.is_empty() {
        return Ok(());
    }
    // Rendered by the journal that saves it.
    let html = String::new();
    journal.publish(EventKind::Text { turn, text, html }).await
}

/// Carries a call out as a step, and publishes its begin and end.
///
/// A command whose end was not seen is never repeated by itself: the model is told that it was interrupted, and decides.
async fn call_tool<J: Journal>(journal: &J, workplace: &Workplace<'_>, step: &str, call: &ToolCall) -> Result<ToolOutput, RunError> {
    let prepared = &tools::prepare(call);
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
        .step(Step::new(step, call).within(prepared.timeout()), |attempt| async move {
            if let Some(status) = prepared.status {
                journal.publish(EventKind::Status { status }).await?;
            }
            journal.publish(shown(None)).await?;
            // What an earlier process tried may have got to the sandbox.
            let before = !tried.swap(true, Ordering::Relaxed) && attempt.number > 1;
            let interrupted = attempt.interrupted || before || begun.load(Ordering::Relaxed);
            let mut output = if interrupted && !prepared.is_repeatable() {
                ToolOutput::interrupted()
            } else {
                let work = |app| async move {
                    begun.store(true, Ordering::Relaxed);
                    prepared.carry_out(&app).await
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
        })
        .await?;
    if let Some(sandbox) = &output.sandbox {
        workplace.settled_in(sandbox).await;
    }
    if !output.failed {
        workplace.wrote(prepared.files()).await;
    }
    // As with text: after a restart the end may not have been told, and one that was told is no event.
    journal.publish(shown(Some(&output))).await?;
    Ok(output)
}

/// The tool's name as a part of a step's name: models invent names of all kinds.
fn step_name(tool: &str) -> String {
    let name: String = tool.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}
