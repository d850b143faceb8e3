//! One answer of the model, published while it grows, and requested again with less of the chat if
//! the provider refuses all of it.

use parking_lot::Mutex;

use super::{
    answer_stream::{self, AnswerStream},
    compaction,
    job::Job,
};
use crate::{
    agent::{Attempt, FaultKind, Journal, RunError, input},
    llm::{ChatRequest, ModelError, ModelReply, Omission, Piece},
    protocol::{EventKind, GrowingText, Mode, Status},
};

/// After this many answers that ended early, a large chat is shortened: some providers end an
/// answer early if the chat is too long.
const MAX_EARLY_ENDS: u32 = 2;
/// How many times a chat that is too long is shortened for one answer.
const MAX_HALVINGS: usize = 3;

/// The request for an answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    step: &'a str,
    turn: u32,
    attempt: Attempt,
    /// How many earlier attempts had an answer that ended early.
    early_ends: u32,
}

impl<'a> Asked<'a> {
    pub fn new(step: &'a str, turn: u32, attempt: Attempt, early_ends: &EarlyEnds) -> Self {
        Self {
            step,
            turn,
            attempt,
            early_ends: early_ends.count(attempt),
        }
    }
}

/// How many attempts in a row, with the same provider, had an answer that ended early.
#[derive(Debug, Default)]
pub struct EarlyEnds(Mutex<(usize, u32)>);

impl EarlyEnds {
    fn count(&self, attempt: Attempt) -> u32 {
        let (alternative, count) = *self.0.lock();
        if alternative == attempt.alternative {
            count
        } else {
            0
        }
    }

    /// Records the result of an attempt, and returns it.
    pub fn record<T>(&self, attempt: Attempt, result: Result<T, RunError>) -> Result<T, RunError> {
        let is_early = matches!(
            &result,
            Err(RunError::Transient(fault)) if fault.kind == FaultKind::AnswerCut
        );
        let count = self.count(attempt) + u32::from(is_early);
        *self.0.lock() = (attempt.alternative, count);
        result
    }
}

/// The answer. Its text, its thinking and its files are published while they grow. A chat that is
/// too long for the model is shortened and sent again, and so is a large one whose answers ended
/// early [`MAX_EARLY_ENDS`] times.
pub async fn answer<J: Journal>(
    job: &Job<'_, '_, J>,
    asked: &Asked<'_>,
    request: &ChatRequest,
) -> Result<ModelReply, RunError> {
    let (journal, turn) = (job.journal, asked.turn);
    journal
        .publish(EventKind::Status {
            status: Status::Thinking,
        })
        .await?;
    if asked.attempt.number > 1 {
        // Retracts what the previous attempt had begun to say.
        let (text, html) = (String::new(), String::new());
        journal
            .publish(EventKind::Text { turn, text, html })
            .await?;
        let nothing = GrowingText::Thinking(turn).whole(String::new());
        journal.publish(nothing).await?;
        journal
            .publish(EventKind::Draft { turn, piece: None })
            .await?;
    }
    let mut less = request.clone();
    let ended_early = asked.early_ends >= MAX_EARLY_ENDS;
    less.takes_unfinished = ended_early;
    let mut overflowed = ended_early
        && compaction::is_large(&less.messages)
        && compaction::halve(&mut less.messages);
    let mut halvings = 0;
    loop {
        match stream(job, asked, &less).await? {
            Err(ModelError::Overflow(_))
                if halvings < MAX_HALVINGS && compaction::halve(&mut less.messages) =>
            {
                halvings += 1;
                overflowed = true;
            }
            Err(refused @ ModelError::Invalid(_)) => {
                return without_what_is_refused(job, asked, less, refused).await;
            }
            answered => {
                return Ok(ModelReply {
                    overflowed,
                    ..answered?
                });
            }
        }
    }
}

/// Sends the chat again with less and less of its old parts: a provider's objection to an old
/// message must not block every later one.
async fn without_what_is_refused<J: Journal>(
    job: &Job<'_, '_, J>,
    asked: &Asked<'_>,
    mut less: ChatRequest,
    refused: ModelError,
) -> Result<ModelReply, RunError> {
    for left_out in [
        Omission::Thoughts,
        Omission::PreviousMessages,
        Omission::FileContents,
    ] {
        if !input::leave_out(&mut less.messages, left_out) {
            continue;
        }
        tracing::warn!(
            step.name = asked.step,
            error = %refused,
            ?left_out,
            "the provider refused the chat; asking again with less of it"
        );
        match stream(job, asked, &less).await? {
            Err(ModelError::Invalid(_)) => {}
            answered => {
                return Ok(ModelReply {
                    left_out: Some(left_out),
                    ..answered?
                });
            }
        }
    }
    Err(refused.into())
}

async fn stream<J: Journal>(
    job: &Job<'_, '_, J>,
    asked: &Asked<'_>,
    request: &ChatRequest,
) -> Result<Result<ModelReply, ModelError>, RunError> {
    let (step, alternative) = (asked.step, asked.attempt.alternative);
    let (stream, so_far) = AnswerStream::channel();
    let last = so_far.clone();
    // The received part of an answer costs money, even if its end never arrives.
    let price = |size| job.agent.model.estimate(alternative, request, size);
    let writes = job.mode == Mode::Build;
    let streaming = async {
        // Moved in, so that the publisher ends with the answer.
        let stream = stream;
        let on_piece = |piece: Piece<'_>| stream.send_modify(|answer| answer.take(piece));
        job.agent.model.stream(alternative, request, on_piece).await
    };
    let (reply, published) = tokio::join!(
        streaming,
        answer_stream::publish(job.journal, step, asked.turn, writes, so_far, price)
    );
    published?;
    let (size, (thinking, thought_for)) = {
        let last = last.borrow();
        (last.size(), last.thought())
    };
    if reply.is_err() && size > 0 {
        job.journal.spend(step, price(size)).await?;
    }
    Ok(reply.map(|reply| ModelReply {
        thinking,
        thought_for,
        ..reply
    }))
}
