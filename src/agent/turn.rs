//! The turn loop: model → tool calls → results → model …, until the model says that it is done.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Agent, AgentInput, App, Journal, RunError, summary,
    tools::{self, Tool, ToolOutput},
};
use crate::{
    llm::{ChatMessage, ChatRequest, ModelReply, ModelRole, ToolCall},
    protocol::{EventKind, Status, ToolUse},
};

/// How often the growing text of an answer is published.
const TEXT_INTERVAL: Duration = Duration::from_millis(50);
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
/// that has no result, or with the next turn. While an answer comes its text is published as it grows; nothing is carried out before
/// the answer is whole.
///
/// A turn ends the loop when its text has a summary and it calls no tools. One with neither is reminded once of how to end.
/// The last of `AGENT_MAX_TURNS` turns is given no tools and must summarise. Tool errors go back to the model as results; errors of
/// the model or the sandbox end the run.
pub async fn run_turns<J: Journal>(journal: &J, agent: &Agent, app: &App, input: &AgentInput) -> Result<Outcome, RunError> {
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
        let reply: ModelReply = journal
            .step(&format!("turn-{turn}"), || answer(journal, agent, turn, &request))
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
            let output = call_tool(journal, app, &step, call).await?;
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

/// One answer of the model; its text is published while it grows.
async fn answer<J: Journal>(journal: &J, agent: &Agent, turn: u32, request: &ChatRequest) -> Result<ModelReply, RunError> {
    journal.publish(EventKind::Status { status: Status::Thinking }).await?;
    let (grow, mut grown) = watch::channel(String::new());
    let streaming = async {
        // Moved in, so that the publisher ends with the answer.
        let grow = grow;
        agent
            .model
            .stream(request, |piece| grow.send_modify(|text| text.push_str(piece)))
            .await
    };
    let publishing = async {
        while grown.changed().await.is_ok() {
            let text = grown.borrow_and_update().clone();
            publish_text(journal, turn, &text).await?;
            tokio::time::sleep(TEXT_INTERVAL).await;
        }
        Ok::<_, RunError>(())
    };
    let (reply, published) = tokio::join!(streaming, publishing);
    published?;
    Ok(reply?)
}

async fn publish_text<J: Journal>(journal: &J, turn: u32, text: &str) -> Result<(), RunError> {
    let text = summary::without(text).trim().to_owned();
    if text.is_empty() {
        return Ok(());
    }
    // Rendered by the journal that saves it.
    let html = String::new();
    journal.publish(EventKind::Text { turn, text, html }).await
}

/// Carries a call out as a step, and publishes its begin and end.
async fn call_tool<J: Journal>(journal: &J, app: &App, step: &str, call: &ToolCall) -> Result<ToolOutput, RunError> {
    let prepared = tools::prepare(call);
    let shown = |output: Option<&ToolOutput>| EventKind::Tool {
        tool: ToolUse {
            step: step.to_owned(),
            tool: call.name.chars().take(80).collect(),
            title: prepared.title.clone(),
            output: output.map(|output| output.content.chars().take(SHOWN_OUTPUT).collect()),
            failed: output.is_some_and(|output| output.failed),
        },
    };
    let output: ToolOutput = journal
        .step(step, || async {
            if let Some(status) = prepared.status {
                journal.publish(EventKind::Status { status }).await?;
            }
            journal.publish(shown(None)).await?;
            let output = prepared.carry_out(app).await?;
            if !output.written.is_empty() {
                let files = output.written.clone();
                journal.publish(EventKind::Files { files }).await?;
            }
            Ok(output)
        })
        .await?;
    // As with text: after a restart the end may not have been told, and one that was told is no event.
    journal.publish(shown(Some(&output))).await?;
    Ok(output)
}

/// The tool's name as a part of a step's name: models invent names of all kinds.
fn step_name(tool: &str) -> String {
    let name: String = tool.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}
