//! The turn loop: model → tool calls → results → model …, until the model says that it is done and the app proves it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Agent, AgentInput, Attempt, Journal, Report, RunError, Step, Workplace,
    calls::call_tools,
    check::{Reports, Scope},
    compaction,
    growth::{Growth, publish_growth},
    guards::Guards,
    prose, secrets, summary, tools,
};
use crate::{
    llm::{ChatMessage, ChatRequest, ModelError, ModelReply, ModelRole, ToolCall},
    protocol::{EventKind, Status},
};

/// The longest that the model may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(420);
/// How often the model may mend what a check found.
const REPAIRS: u32 = 3;
/// How a model that calls no tools is told what to do instead.
const IN_WORDS: &str = "Write each file whole, as a code block whose first line names it, like this:\n\n```tsx app/page.tsx\n…\n```\n\nThe files \
                        are saved as you write them. When everything is done, end with <task_summary>…</task_summary>.";

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the model says it did.
    pub summary: String,
}

/// What a run's agent works with.
pub struct Job<'a, 'w, J> {
    pub journal: &'a J,
    pub agent: &'a Agent,
    pub workplace: &'a Workplace<'w>,
    /// The errors that stand in the previews that users have open.
    pub reports: &'a Reports,
}

impl<J> Job<'_, '_, J> {
    /// What a check of the app is to look at.
    pub(super) async fn scope(&self) -> Scope<'_> {
        Scope {
            changed: self.workplace.changed().await,
            reports: self.reports,
        }
    }
}

/// A run's talk with the model. It is made of saved outputs alone, so a restarted run has the same.
struct Talk {
    messages: Vec<ChatMessage>,
    /// How many answers the model has given.
    turns: u32,
    guards: Guards,
    /// Whether it has called a tool: one that can does not write files in words.
    calls_tools: bool,
    /// Whether its last answer was followed by a reminder of how to go on.
    reminded: bool,
}

/// Lets the model work on the app until it ends with `<task_summary>` and the app passes the check.
///
/// Each turn is a step `turn-<n>` (counted from 1) whose output is the model's whole answer; each tool call of the answer is a step
/// `turn-<n>-<tool>-<k>` whose output is the tool's result, and each check a step `verify-<n>`. The chat is built from these outputs
/// alone, so after a restart the loop runs through the saved steps without asking the model or touching the sandbox, and goes on where
/// it was. While an answer comes its text and its files are published as they grow; nothing is carried out before the answer is whole.
///
/// A turn is the last one when its text has a summary and it calls no tools. What the check then finds goes back to the model, at most
/// [`REPAIRS`] times; the same problems twice in a row end it early. A turn with neither tools, files nor a summary is reminded once of
/// how to go on. The last of `AGENT_MAX_TURNS` turns is given no tools and must summarise. Tool errors go back to the model as
/// results; errors of the model or the sandbox that don't pass end the run, and so do the loop's guards.
pub async fn build_app<J: Journal>(job: &Job<'_, '_, J>, input: &AgentInput) -> Result<Outcome, RunError> {
    let mut talk = Talk {
        messages: input.messages.clone(),
        turns: 0,
        guards: Guards::default(),
        calls_tools: false,
        reminded: false,
    };
    let mut before: Option<Report> = None;
    let mut round = 0;
    loop {
        round += 1;
        let summary = talk.until_done(job).await?;
        let report = verify(job, round, &summary).await?;
        if report.is_well() {
            return Ok(Outcome { summary });
        }
        let same = before.is_some_and(|before| before.signature() == report.signature());
        if same || round > REPAIRS || talk.turns >= job.agent.settings.limits.max_turns {
            return Err(RunError::User(unmended(&report, same)));
        }
        let problems = report.for_model();
        talk.messages.push(ChatMessage::System {
            content: format!(
                "The app was checked, and it is not done. {problems}\n\nFind the cause and mend it, without undoing what the user asked for. Then \
                 end with <task_summary> again."
            ),
        });
        before = Some(report);
    }
}

/// Checks the app, as a step.
async fn verify<J: Journal>(job: &Job<'_, '_, J>, round: u32, summary: &str) -> Result<Report, RunError> {
    job.journal
        .publish(EventKind::Status {
            status: Status::CheckingApp,
        })
        .await?;
    let name = format!("verify-{round}");
    let step = Step::new(&name, &summary).within(super::check::TIMEOUT);
    job.journal
        .step(step, |_| {
            job.workplace
                .with_app(|app| async move { job.agent.check(&app, &job.scope().await).await })
        })
        .await
}

/// What people are told of an app that does not work.
fn unmended(report: &Report, same: bool) -> String {
    let tried = if same {
        " The model tried to mend it, and the same problem came back."
    } else {
        ""
    };
    format!(
        "The app was written, but it does not work yet.{tried}\n\n{}\n\nThe files are kept. Send a message such as “Fix this error” to go on, or say \
         differently what you want.",
        report.for_people()
    )
}

impl Talk {
    /// Lets the model work until it says that it is done; returns its summary.
    async fn until_done<J: Journal>(&mut self, job: &Job<'_, '_, J>) -> Result<String, RunError> {
        let limits = &job.agent.settings.limits;
        while self.turns < limits.max_turns {
            self.guards.may_go_on(limits)?;
            let reply = self.next_answer(job, limits.max_turns).await?;
            let summary = summary::find(&reply.text).filter(|summary| !summary.is_empty()).map(str::to_owned);
            if reply.tool_calls.is_empty() {
                let files = if self.calls_tools {
                    prose::Files::default()
                } else {
                    prose::files(&reply.text)
                };
                if !files.is_empty() {
                    self.write_files(job, &files).await?;
                } else if summary.is_none() {
                    if self.reminded {
                        break;
                    }
                    self.reminded = true;
                    self.messages.push(ChatMessage::System {
                        content: format!(
                            "Go on with the tools. If you can't call tools: {IN_WORDS} When everything is done, end with \
                             <task_summary>…</task_summary>."
                        ),
                    });
                    continue;
                }
                // A file that was not written is not done.
                if let Some(summary) = summary.filter(|_| files.refused.is_empty()) {
                    return Ok(summary);
                }
                continue;
            }
            (self.calls_tools, self.reminded) = (true, false);
            let outputs = call_tools(job, self.turns, &reply.tool_calls).await?;
            for (call, output) in reply.tool_calls.iter().zip(&outputs) {
                let told = self.guards.take(call, output)?;
                self.messages.push(ChatMessage::Tool {
                    tool_call_id: call.id.clone(),
                    content: told.map_or_else(|| output.content.clone(), |told| format!("{}\n{told}", output.content)),
                });
            }
        }
        Err(RunError::User(format!(
            "The model stopped without saying that it is done (after {} of at most {} turns). The files are kept: send a message such as “Go on” to \
             continue.",
            self.turns, limits.max_turns
        )))
    }

    /// Asks the model for the next turn, as a step, and adds the answer to the talk.
    async fn next_answer<J: Journal>(&mut self, job: &Job<'_, '_, J>, max_turns: u32) -> Result<ModelReply, RunError> {
        self.turns += 1;
        let (turn, last) = (self.turns, self.turns == max_turns);
        if last && turn > 1 {
            self.messages.push(ChatMessage::System {
                content:
                    "This is your last turn and you have no tools left. End with <task_summary> and say what works and what is missing."
                        .to_owned(),
            });
        }
        compaction::make_room(&mut self.messages, job.agent.model.context_tokens());
        let request = ChatRequest {
            messages: secrets::leave_out_of(&self.messages),
            tools: if last { Vec::new() } else { tools::specs() },
            in_words: IN_WORDS,
            role: ModelRole::Coder,
        };
        let name = format!("turn-{turn}");
        let step = Step::new(&name, &request.messages)
            .within(ANSWER_TIMEOUT)
            .with_alternatives(job.agent.model.alternatives());
        let reply: ModelReply = job.journal.step(step, |attempt| answer(job, turn, &request, attempt)).await?;
        // Published again after a restart, where it may have been cut; an unchanged one is no event.
        publish_text(job.journal, turn, &reply.text).await?;
        self.guards.spend(reply.spent);
        if reply.overflowed {
            compaction::halve(&mut self.messages);
        }
        self.messages.push(ChatMessage::Assistant {
            content: reply.text.clone(),
            tool_calls: reply.tool_calls.clone(),
        });
        Ok(reply)
    }

    /// Writes the files that the model wrote in words, by the same call as if it had called the tool, and tells it which could not be.
    async fn write_files<J: Journal>(&mut self, job: &Job<'_, '_, J>, files: &prose::Files) -> Result<(), RunError> {
        self.reminded = false;
        let mut told: Vec<String> = Vec::new();
        if !files.whole.is_empty() {
            let call: ToolCall = tools::writing_call(format!("words_{}", self.turns), &files.whole);
            for output in call_tools(job, self.turns, std::slice::from_ref(&call)).await? {
                self.guards.take(&call, &output)?;
                told.push(output.content);
            }
        }
        told.extend(files.refused.iter().map(|refused| format!("Error: {}", refused.why)));
        self.messages.push(ChatMessage::System {
            content: format!("{}\n\nGo on. {IN_WORDS}", told.join("\n")),
        });
        Ok(())
    }
}

/// One answer of the model; its text and its files are published while they grow. A chat that is more than the model can take is asked
/// again with less of it.
async fn answer<J: Journal>(job: &Job<'_, '_, J>, turn: u32, request: &ChatRequest, attempt: Attempt) -> Result<ModelReply, RunError> {
    let journal = job.journal;
    journal.publish(EventKind::Status { status: Status::Thinking }).await?;
    if attempt.number > 1 {
        // What the attempt before had begun to say is void.
        let (text, html) = (String::new(), String::new());
        journal.publish(EventKind::Text { turn, text, html }).await?;
        journal.publish(EventKind::Draft { turn, piece: None }).await?;
    }
    match stream(job, turn, request, attempt).await? {
        Err(ModelError::Overflow(_)) => {
            let mut less = request.clone();
            compaction::halve(&mut less.messages);
            let reply = stream(job, turn, &less, attempt).await??;
            Ok(ModelReply { overflowed: true, ..reply })
        }
        answered => Ok(answered?),
    }
}

async fn stream<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    request: &ChatRequest,
    attempt: Attempt,
) -> Result<Result<ModelReply, ModelError>, RunError> {
    let (grow, grown) = Growth::channel();
    let streaming = async {
        // Moved in, so that the publisher ends with the answer.
        let grow = grow;
        let on_piece = |piece: crate::llm::Piece<'_>| grow.send_modify(|growth| growth.take(piece));
        job.agent.model.stream(attempt.alternative, request, on_piece).await
    };
    let (reply, published) = tokio::join!(streaming, publish_growth(job.journal, turn, grown));
    published?;
    Ok(reply)
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
