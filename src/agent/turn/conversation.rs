//! A run's conversation with the model: requesting answers, executing their calls, and the messages
//! to the model in between. The loops decide what follows an answer.

use super::{
    answer::{Asked, EarlyEnds, answer},
    budget::Budget,
    calls::{State, call_tools},
    compaction,
    guards::Guards,
    job::{Job, publish_text, publish_thinking},
};
use crate::{
    agent::{
        AgentInput, Journal, RunError, Step, input,
        tools::{self, ToolOutput},
    },
    llm::{ChatMessage, ChatRequest, ModelError, ModelReply, ModelRole},
    protocol::{EventKind, MessagePart, Mode},
};

/// How many answers in a row may hit the output token limit with nothing usable in them.
pub(super) const MAX_CUTS: u32 = 2;
/// The file format for models without tool calls.
pub(super) const IN_WORDS: &str = "Write each file whole, as a code block whose first line names it, like \
     this:\n\n```tsx app/page.tsx\n…\n```\n\nThe files are saved as you write \
     them. When everything is done, end with <task_summary>…</task_summary>.";
/// The format of a plan without tool calls.
pub(super) const PLAN_IN_WORDS: &str = "Write the plan in Markdown: pages, data and look under a heading each, then a heading \
     “## Steps” with a numbered list of the steps, one line each.";
/// The message to the model after an answer that hit its output token limit.
pub(super) const CUT: &str = "Your answer reached your limit of output tokens and was cut off there. Complete tool calls \
     were executed. Continue with what is missing, and write fewer or smaller files in one answer.";

/// Why a build may not ask the user: it asked already …
const ASKED: &str = "the user was asked already, and the message above is the answer; decide the \
                     rest yourself, and say in the summary what you assumed";
/// … or it is too late to ask.
const TOO_LATE: &str = "the user can only be asked before anything is changed in a run, by a call \
                        beside which nothing is changed; decide it yourself now, and say in the \
                        summary what you assumed";

/// Why a build may not ask for consent to a tool.
const NO_CONSENT: &str = "the user has to allow this tool first, and can only be asked before \
                          anything is changed in a run; go on without it now, and say in the \
                          summary that it was not used";

/// The messages to the model in its mode.
struct Words {
    /// To one without tool calls.
    in_words: &'static str,
    /// Before its last turn.
    last_turn: &'static str,
}

impl Words {
    fn of(mode: Mode) -> Self {
        match mode {
            Mode::Build => Self {
                in_words: IN_WORDS,
                last_turn: "This is your last turn, and you may call no more tools. End with \
                            <task_summary> and say what works and what is missing.",
            },
            Mode::Plan => Self {
                in_words: PLAN_IN_WORDS,
                last_turn: "This is your last turn, and you may call no more tools. Write the plan \
                            in Markdown: pages, data and look under a heading each, then a heading \
                            “## Steps” with a numbered list of the steps.",
            },
            Mode::Ask => Self {
                in_words: "Answer from what you were given, in words.",
                last_turn: "This is your last turn, and you may call no more tools. Answer from \
                            what you know by now, and say what you could not find out.",
            },
        }
    }
}

/// The error of a run whose model was cut off repeatedly. `kept` says what becomes of its work.
pub(super) fn cut_off(kept: &str) -> RunError {
    RunError::User(format!(
        "The model's answer was cut off: it reached the model's limit of output tokens, and again \
         when it was asked for less. {kept}Ask for less at once, or set AI_MODEL to a model with a \
         higher limit."
    ))
}

/// The place of files in the model's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileSource {
    /// Code blocks: the model has called no tool yet, or was asked to write files this way.
    CodeBlocks,
    /// Tool calls: a code block only quotes.
    ToolCalls,
}

/// Why the latest answers made no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    /// The last answer made progress.
    None,
    /// The last answer had no tool calls, files or summary, and a reminder followed it.
    Reminded,
    /// This many in a row were cut off with nothing usable in them.
    Cut(u32),
    /// This many in a row contained files that were refused.
    Refused(u32),
}

/// A run's conversation with the model. It is built from saved outputs alone, so that a restarted
/// run has the same one.
pub(super) struct Conversation {
    pub(super) messages: Vec<ChatMessage>,
    /// How many answers the model has given.
    pub(super) turns: u32,
    pub(super) budget: Budget,
    pub(super) guards: Guards,
    pub(super) files: FileSource,
    pub(super) stall: Stall,
    /// The summary of an answer that also called tools: it counts if nothing else follows.
    pub(super) early_summary: Option<String>,
    /// Whether the run may have changed the app.
    pub(super) has_changed: bool,
}

impl Conversation {
    /// `note`: what the model is to know before the user's message.
    pub(super) fn new(input: &AgentInput, note: Option<String>) -> Self {
        let mut budget = Budget::default();
        budget.spend(input.spent);
        let mut messages = input.messages.clone();
        if let Some(content) = note {
            let prompt = messages.len().saturating_sub(1);
            messages.insert(prompt, ChatMessage::System { content });
        }
        Self {
            messages,
            turns: 0,
            budget,
            guards: Guards::default(),
            files: FileSource::CodeBlocks,
            stall: Stall::None,
            early_summary: None,
            has_changed: false,
        }
    }

    pub(super) fn note(&mut self, content: impl Into<String>) {
        let content = content.into();
        self.messages.push(ChatMessage::System { content });
    }

    /// Executes the answer's calls, and adds their results to the conversation. Returns them.
    pub(super) async fn call_tools<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        reply: &ModelReply,
    ) -> Result<Vec<ToolOutput>, RunError> {
        let changes = changes_app(job, reply);
        let no_questions = match job.mode {
            Mode::Build if job.is_answer => Some(ASKED),
            Mode::Build if self.has_changed || changes => Some(TOO_LATE),
            Mode::Build | Mode::Plan | Mode::Ask => None,
        };
        self.has_changed |= changes;
        let state = State {
            no_questions,
            no_consent: self.has_changed.then_some(NO_CONSENT),
            budget: &self.budget,
        };
        let outputs = call_tools(job, self.turns, &reply.tool_calls, state).await?;
        for (call, output) in reply.tool_calls.iter().zip(&outputs) {
            self.budget.spend(output.explored.unwrap_or_default());
            let warning = self.guards.record(call, output)?;
            self.messages.push(ChatMessage::Tool {
                tool_call_id: call.id.clone(),
                content: warning.map_or_else(
                    || output.content.clone(),
                    |warning| format!("{}\n{warning}", output.content),
                ),
            });
        }
        self.guards.end_turn(&outputs)?;
        if reply.cut {
            self.note(CUT);
        }
        Ok(outputs)
    }

    /// Asks the model for the next turn, as a step, and adds the answer to the conversation.
    pub(super) async fn next_answer<J: Journal>(
        &mut self,
        job: &Job<'_, '_, J>,
        max_turns: u32,
    ) -> Result<ModelReply, RunError> {
        self.turns += 1;
        let (turn, is_last) = (self.turns, self.turns == max_turns);
        let words = Words::of(job.mode);
        if is_last && turn > 1 {
            self.note(words.last_turn);
        }
        compaction::make_room(&mut self.messages, job.agent.model.context_tokens());
        let request = &ChatRequest {
            messages: job.agent.redactor.redact_messages(&self.messages),
            tools: job.specs(),
            may_call: !is_last,
            in_words: words.in_words,
            takes_unfinished: false,
            role: ModelRole::Coder,
            cache_key: job.cache_key(),
        };
        // After a summary there may be nothing left to say.
        let may_be_empty = self.early_summary.is_some();
        let step_name = &*format!("turn-{turn}");
        let step = Step::new(step_name, &request.messages)
            .within(job.agent.settings.run_timeout)
            .with_alternatives(job.agent.model.alternatives());
        let (budget, limits) = (&self.budget, &job.agent.settings.limits);
        let early_ends = &EarlyEnds::default();
        let answering = |attempt| async move {
            budget.check(limits, job.journal.lost(step_name))?;
            let asked = Asked::new(step_name, turn, attempt, early_ends);
            let reply = early_ends.record(attempt, answer(job, &asked, request).await)?;
            let is_empty =
                reply.text.trim().is_empty() && reply.tool_calls.is_empty() && !reply.cut;
            if is_empty && !may_be_empty {
                return Err(ModelError::Cut("it is empty".to_owned()).into());
            }
            Ok(reply)
        };
        let reply: ModelReply = job.journal.step(step, answering).await?;
        // Published again, because a restart may have interrupted it; an unchanged one is no event.
        publish_thinking(job.journal, turn, &reply).await?;
        publish_text(job.journal, turn, &reply.text).await?;
        self.budget.spend(job.journal.lost(step_name));
        if !reply.half_calls.is_empty() {
            // Incomplete calls are not executed, so their drafts are removed.
            job.journal
                .publish(EventKind::Draft { turn, piece: None })
                .await?;
        }
        self.budget.spend(reply.spent);
        self.add_answer(&reply);
        Ok(reply)
    }

    fn add_answer(&mut self, reply: &ModelReply) {
        if reply.overflowed {
            compaction::halve(&mut self.messages);
        }
        if let Some(left_out) = reply.left_out {
            input::leave_out(&mut self.messages, left_out);
        }
        let only_half_calls = !reply.half_calls.is_empty()
            && reply.text.trim().is_empty()
            && reply.tool_calls.is_empty();
        // Providers drop an empty answer, and with it the fact that it was cut off.
        let content = if only_half_calls {
            format!(
                "[I called {}, and was cut off.]",
                reply.half_calls.join(", ")
            )
        } else {
            reply.text.clone()
        };
        self.messages.push(ChatMessage::Assistant {
            content,
            tool_calls: reply
                .tool_calls
                .iter()
                .cloned()
                .map(tools::with_canonical_name)
                .collect(),
            thoughts: reply.thoughts.clone(),
        });
    }
}

/// What the run ends with: questions about tools, or the part of the first call that has one.
pub(super) fn ended_with(reply: &ModelReply, outputs: &[ToolOutput]) -> Option<MessagePart> {
    let mut questions = Vec::new();
    for question in outputs.iter().filter_map(|output| output.asks.as_ref()) {
        if !questions.contains(question) {
            questions.push(question.clone());
        }
    }
    if !questions.is_empty() {
        return Some(MessagePart::Questions { questions });
    }
    let executed = reply.tool_calls.iter().zip(outputs);
    executed
        .filter(|(_, output)| !output.failed)
        .find_map(|(call, _)| tools::prepare_executed(call).part())
}

/// Whether a call of the answer may change the app.
fn changes_app<J>(job: &Job<'_, '_, J>, reply: &ModelReply) -> bool {
    let mut calls = reply.tool_calls.iter();
    calls.any(|call| {
        let access = job.prepare(call).access();
        !access.is_read_only()
    })
}
