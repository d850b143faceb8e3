//! The loop of a run that builds nothing: the model reads the app until it answers, asks the user,
//! or proposes a plan.

use super::{
    conversation::{CUT, Conversation, MAX_CUTS, PLAN_IN_WORDS, cut_off, ended_with},
    job::Job,
    summary,
};
use crate::{
    agent::{AgentInput, Journal, RunError},
    protocol::{AppPlan, EventKind, MessageKind, MessagePart, Mode, Spent, questions_to_markdown},
};

/// The note under an answer that hit the output token limit.
const CUT_OFF: &str = "\n\n*(The answer was cut off here: it reached the model's limit.)*";

/// The outcome of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationOutcome {
    pub kind: MessageKind,
    /// Markdown.
    pub content: String,
    pub part: Option<MessagePart>,
}

impl ConversationOutcome {
    fn answer(content: &str) -> Self {
        Self {
            kind: MessageKind::Result,
            content: content.to_owned(),
            part: None,
        }
    }
}

impl From<MessagePart> for ConversationOutcome {
    fn from(part: MessagePart) -> Self {
        let (kind, content) = match &part {
            MessagePart::Questions { questions } => {
                (MessageKind::Questions, questions_to_markdown(questions))
            }
            MessagePart::Plan { plan } => (MessageKind::Plan, plan.to_markdown()),
        };
        Self {
            kind,
            content,
            part: Some(part),
        }
    }
}

/// Lets the model read the app until it has said what the user's message asks for. Turns and calls
/// are steps as in [`super::build_app`], with the same limits; there is no check, because nothing
/// was changed.
///
/// **What an answer leads to**, the first that applies:
/// 1. Tool calls are executed; one that asks questions or proposes a plan ends the conversation.
/// 2. An answer that hit the output token limit with nothing usable in it is followed by a request
///    to continue, at most `MAX_CUTS` times in a row.
/// 3. In the mode plan, words with steps in them are the plan. Other words are followed by one
///    reminder of how to end, unless the model says in a summary that it is done.
/// 4. Words are the answer.
pub async fn converse<J: Journal>(
    job: &Job<'_, '_, J>,
    input: &AgentInput,
) -> Result<ConversationOutcome, RunError> {
    let limits = &job.agent.settings.limits;
    let mut conversation = Conversation::new(input, job.mcp.note());
    let (mut cuts, mut reminded) = (0, false);
    while conversation.turns < limits.max_turns {
        conversation.budget.check(limits, Spent::default())?;
        let reply = conversation.next_answer(job, limits.max_turns).await?;
        let summary = summary::find(&reply.text).map(str::to_owned);
        if !reply.tool_calls.is_empty() {
            let outputs = conversation.call_tools(job, &reply).await?;
            if let Some(part) = ended_with(&reply, &outputs) {
                return Ok(part.into());
            }
            (conversation.early_summary, cuts) = (summary, 0);
            continue;
        }
        let is_summary = summary.is_some();
        let early = conversation.early_summary.take();
        let words = match reply.text.trim() {
            "" => early.unwrap_or_default(),
            words => summary.unwrap_or_else(|| words.to_owned()),
        };
        if reply.cut && (words.is_empty() || !reply.half_calls.is_empty()) {
            cuts += 1;
            if cuts == MAX_CUTS {
                return Err(cut_off(""));
            }
            conversation.note(CUT);
            continue;
        }
        if job.mode == Mode::Plan {
            let plan = AppPlan::from_markdown(&words);
            if !plan.steps.is_empty() {
                take_back(job, conversation.turns, is_summary).await?;
                return Ok(MessagePart::Plan { plan }.into());
            }
            if !is_summary && !reminded && conversation.turns < limits.max_turns {
                reminded = true;
                conversation.note(format!(
                    "End with askQuestions or proposePlan. If you can't call tools: \
                     {PLAN_IN_WORDS} If the user only wants an answer, give it whole once more."
                ));
                continue;
            }
        }
        take_back(job, conversation.turns, is_summary).await?;
        let end = if reply.cut { CUT_OFF } else { "" };
        return Ok(ConversationOutcome::answer(&format!("{words}{end}")));
    }
    Err(RunError::User(format!(
        "The model came to no answer (after {} of at most {} turns). Ask again, perhaps for less \
         at once.",
        conversation.turns, limits.max_turns
    )))
}

/// Retracts the last turn's text, because the message that ends the run contains it. Text before a
/// summary stays.
async fn take_back<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    is_summary: bool,
) -> Result<(), RunError> {
    if is_summary {
        return Ok(());
    }
    let (text, html) = (String::new(), String::new());
    job.journal
        .publish(EventKind::Text { turn, text, html })
        .await
}
