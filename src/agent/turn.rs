//! The turn loop: model → tool calls → results → model …, until the model says that it is done and
//! the app proves it.

mod answer;
mod answer_stream;
mod calls;
mod compaction;
mod guards;
mod summary;
mod toolless;
mod work;

use answer::{Asked, EarlyEnds, answer};
use calls::call_tools;
use guards::Guards;
use serde::{Deserialize, Serialize};
pub use work::Work;

use super::{
    Agent, AgentInput, Journal, Report, RunError, Step, Workplace,
    check::{Reports, Scope},
    input,
    text::secrets,
    tools,
};
use crate::{
    llm::{ChatMessage, ChatRequest, ModelError, ModelReply, ModelRole},
    protocol::{EventKind, Spent, Status},
};

/// How often the model may mend what a check found.
const REPAIRS: u32 = 3;
/// How many answers in a row may reach the model's limit of output tokens before anything whole was
/// in them.
const CUTS: u32 = 2;
/// How a model that calls no tools is told what to do instead.
const IN_WORDS: &str = "Write each file whole, as a code block whose first line names it, like this:\n\n```tsx app/page.tsx\n…\n```\n\nThe files \
                        are saved as you write them. When everything is done, end with <task_summary>…</task_summary>.";

/// How many answers in a row may have files in words that are not to be written.
const REFUSALS: u32 = 3;
/// What a model hears whose answer was too long.
const CUT: &str = "Your answer reached your limit of output tokens and was cut off there. Tool calls that came whole were carried out. Go on with \
                   what is missing, and write fewer or smaller files in one answer.";

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
    async fn scope(&self) -> Scope<'_> {
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
    /// What it has said it did in an answer that called tools too: it holds when nothing else
    /// follows.
    early: Option<String>,
    /// How many answers in a row were cut off with nothing whole in them.
    cuts: u32,
    /// How many answers in a row had files in words that were not to be written.
    refusals: u32,
}

/// Lets the model work on the app until it ends with `<task_summary>` and the app passes the check.
///
/// Each turn is a step `turn-<n>` (counted from 1) whose output is the model's whole answer; each
/// tool call of the answer is a step `turn-<n>-<tool>-<k>` whose output is the tool's result, and
/// each check a step `verify-<n>`. The chat is built from these outputs alone, so after a restart
/// the loop runs through the saved steps without asking the model or touching the sandbox, and goes
/// on where it was. While an answer comes its text and its files are published as they grow;
/// nothing is carried out before the answer is whole.
///
/// A turn is the last one when its text has a summary and it calls no tools. What the check then
/// finds goes back to the model, at most `REPAIRS` times; the same problems twice in a row end it
/// early. A turn with neither tools, files nor a summary is reminded once of how to go on. The last
/// of `AGENT_MAX_TURNS` turns may call no tools and must summarise. Tool errors go back to the
/// model as results; errors of the model or the sandbox that don't pass end the run, and so do the
/// loop's guards.
pub async fn build_app<J: Journal>(
    job: &Job<'_, '_, J>,
    input: &AgentInput,
) -> Result<Outcome, RunError> {
    let mut talk = Talk {
        messages: input.messages.clone(),
        turns: 0,
        guards: Guards::default(),
        calls_tools: false,
        reminded: false,
        early: None,
        cuts: 0,
        refusals: 0,
    };
    talk.guards.spend(input.spent);
    let mut before: Option<Report> = None;
    let mut round = 0;
    loop {
        round += 1;
        let done = talk.until_done(job).await;
        let summary = done.map_err(|error| still_broken(error, before.as_ref()))?;
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

/// The error that ended the run, with what the check before had found.
fn still_broken(error: RunError, found: Option<&Report>) -> RunError {
    match (error, found) {
        (RunError::User(said), Some(report)) => RunError::User(format!(
            "{said}\n\nThe app does not work yet. {}",
            report.for_people()
        )),
        (error, _) => error,
    }
}

/// Checks the app, as a step.
async fn verify<J: Journal>(
    job: &Job<'_, '_, J>,
    round: u32,
    summary: &str,
) -> Result<Report, RunError> {
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
            self.guards.may_go_on(limits, Spent::default())?;
            let reply = self.next_answer(job, limits.max_turns).await?;
            let summary = summary::find(&reply.text).map(str::to_owned);
            if !reply.tool_calls.is_empty() {
                (self.calls_tools, self.reminded, self.cuts) = (true, false, 0);
                self.call_tools(job, &reply).await?;
                self.early = summary;
                continue;
            }
            let early = self.early.take();
            let wrote = self.write_files(job, &reply).await?;
            if reply.cut {
                self.note_cut(wrote)?;
                continue;
            }
            self.cuts = 0;
            self.refusals = if wrote == Some(false) {
                self.refusals + 1
            } else {
                0
            };
            if self.refusals >= REFUSALS {
                break;
            }
            if self.refusals > 0 {
                continue;
            }
            if let Some(summary) = summary.or(early.filter(|_| wrote.is_none())) {
                self.reminded = false;
                return Ok(summary);
            }
            if wrote.is_none() && !self.remind() {
                break;
            }
        }
        Err(RunError::User(format!(
            "The model stopped without saying that it is done (after {} of at most {} turns). The files are kept: send a message such as “Go on” to \
             continue.",
            self.turns, limits.max_turns
        )))
    }

    /// Tells the model once how to go on; whether it was not told just before.
    fn remind(&mut self) -> bool {
        if self.reminded {
            return false;
        }
        self.reminded = true;
        self.messages.push(ChatMessage::System {
            content: format!(
                "Go on with the tools. If you can't call tools: {IN_WORDS} When everything is done, end with <task_summary>…</task_summary>."
            ),
        });
        true
    }

    /// Takes note of an answer that was cut off, in which files were written, well or not, or none.
    fn note_cut(&mut self, wrote: Option<bool>) -> Result<(), RunError> {
        self.cuts = if wrote.is_some() { 0 } else { self.cuts + 1 };
        if self.cuts >= CUTS {
            return Err(RunError::User(
                "The model's answer was cut off: it reached the model's limit of output tokens, and again when it was asked for less. The \
                 files are kept. Ask for less at once, or choose a model that may write more in AI_MODEL."
                    .to_owned(),
            ));
        }
        self.messages.push(ChatMessage::System {
            content: CUT.to_owned(),
        });
        Ok(())
    }

    /// Carries the answer's calls out, and tells the model what came of them.
    async fn call_tools<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        reply: &ModelReply,
    ) -> Result<(), RunError> {
        let outputs = call_tools(job, self.turns, &reply.tool_calls).await?;
        for (call, output) in reply.tool_calls.iter().zip(&outputs) {
            let told = self.guards.take(call, output)?;
            self.messages.push(ChatMessage::Tool {
                tool_call_id: call.id.clone(),
                content: told.map_or_else(
                    || output.content.clone(),
                    |told| format!("{}\n{told}", output.content),
                ),
            });
        }
        self.guards.end_turn(&outputs)?;
        if reply.cut {
            self.messages.push(ChatMessage::System {
                content: CUT.to_owned(),
            });
        }
        Ok(())
    }

    /// Asks the model for the next turn, as a step, and adds the answer to the talk.
    async fn next_answer<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        max_turns: u32,
    ) -> Result<ModelReply, RunError> {
        self.turns += 1;
        let (turn, last) = (self.turns, self.turns == max_turns);
        if last && turn > 1 {
            self.messages.push(ChatMessage::System {
                content: "This is your last turn, and you may call no more tools. End with <task_summary> and say what works and what is missing."
                    .to_owned(),
            });
        }
        compaction::make_room(&mut self.messages, job.agent.model.context_tokens());
        let request = &ChatRequest {
            messages: secrets::leave_out_of(&self.messages),
            tools: tools::specs(),
            may_call: !last,
            in_words: IN_WORDS,
            takes_unfinished: false,
            role: ModelRole::Coder,
        };
        // After a summary there may be nothing left to say.
        let may_be_empty = self.early.is_some();
        let step_name = &*format!("turn-{turn}");
        let step = Step::new(step_name, &request.messages)
            .within(job.agent.settings.run_timeout)
            .with_alternatives(job.agent.model.alternatives());
        let (guards, limits) = (&self.guards, &job.agent.settings.limits);
        let early_ends = &EarlyEnds::default();
        let answering = |attempt| async move {
            guards.may_go_on(limits, job.journal.lost(step_name))?;
            let asked = Asked::new(step_name, turn, attempt, early_ends);
            let reply = early_ends.count(attempt, answer(job, &asked, request).await)?;
            let is_empty =
                reply.text.trim().is_empty() && reply.tool_calls.is_empty() && !reply.cut;
            if is_empty && !may_be_empty {
                return Err(ModelError::Cut("it is empty".to_owned()).into());
            }
            Ok(reply)
        };
        let reply: ModelReply = job.journal.step(step, answering).await?;
        // Published again after a restart, where it may have been cut; an unchanged one is no
        // event.
        publish_text(job.journal, turn, &reply.text).await?;
        self.guards.spend(job.journal.lost(step_name));
        if !reply.half_calls.is_empty() {
            // What those calls had begun to write is not carried out.
            job.journal
                .publish(EventKind::Draft { turn, piece: None })
                .await?;
        }
        self.guards.spend(reply.spent);
        if reply.overflowed {
            compaction::halve(&mut self.messages);
        }
        if let Some(left_out) = reply.left_out {
            input::leave_out(&mut self.messages, left_out);
        }
        // An empty answer is left out of the chat: what was cut off would not be known of.
        let half = Some(&reply.half_calls).filter(|half| {
            !half.is_empty() && reply.text.trim().is_empty() && reply.tool_calls.is_empty()
        });
        let content = half.map_or_else(
            || reply.text.clone(),
            |half| format!("[I called {}, and was cut off.]", half.join(", ")),
        );
        self.messages.push(ChatMessage::Assistant {
            content,
            tool_calls: reply.tool_calls.iter().cloned().map(tools::spelt).collect(),
            thoughts: reply.thoughts.clone(),
        });
        Ok(reply)
    }

    /// Writes the files that the model wrote in words; whether all is well, when there were any.
    async fn write_files<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        reply: &ModelReply,
    ) -> Result<Option<bool>, RunError> {
        if self.calls_tools && !self.reminded && !reply.in_words {
            return Ok(None);
        }
        let Some(outcome) =
            toolless::write_files(job, self.turns, &reply.text, &mut self.guards).await?
        else {
            return Ok(None);
        };
        self.reminded = false;
        self.messages.push(ChatMessage::System {
            content: format!("{}\n\nGo on. {IN_WORDS}", outcome.told),
        });
        Ok(Some(outcome.well))
    }
}

/// Publishes what the model has said in a turn, when that is anything for people.
async fn publish_text<J: Journal>(journal: &J, turn: u32, text: &str) -> Result<(), RunError> {
    let text = summary::without(text).trim().to_owned();
    if text.is_empty() {
        return Ok(());
    }
    // Rendered by the journal that saves it.
    let html = String::new();
    journal.publish(EventKind::Text { turn, text, html }).await
}
