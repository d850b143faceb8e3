//! One answer of the model, published while it grows, and asked for again with less of the chat
//! where the provider takes no more.

use std::sync::{Mutex, PoisonError};

use super::{
    Job,
    answer_stream::{Growth, publish_growth},
    compaction,
};
use crate::{
    agent::{Attempt, FaultKind, Journal, RunError, input},
    llm::{ChatRequest, LeftOut, ModelError, ModelReply, Piece},
    protocol::{EventKind, Status},
};

/// After this many answers that ended early, a chat that is not short is asked with less of it:
/// some providers end so where it is too long.
const EARLY_ENDS: u32 = 2;
/// At most so many times a chat that is too long is made smaller for one answer.
const MAX_HALVINGS: usize = 3;

/// Which answer is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    step: &'a str,
    turn: u32,
    attempt: Attempt,
    /// How many attempts before it had an answer that ended early.
    early_ends: u32,
}

impl<'a> Asked<'a> {
    pub fn new(step: &'a str, turn: u32, attempt: Attempt, early_ends: &EarlyEnds) -> Self {
        Self {
            step,
            turn,
            attempt,
            early_ends: early_ends.of(attempt),
        }
    }
}

/// How many attempts in a row, with the same provider, had an answer that ended early.
#[derive(Debug, Default)]
pub struct EarlyEnds(Mutex<(usize, u32)>);

impl EarlyEnds {
    fn of(&self, attempt: Attempt) -> u32 {
        let (alternative, count) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if alternative == attempt.alternative {
            count
        } else {
            0
        }
    }

    /// Takes note of what came of an attempt.
    pub fn count<T>(&self, attempt: Attempt, answered: Result<T, RunError>) -> Result<T, RunError> {
        let is_early = matches!(&answered, Err(RunError::Transient(fault)) if fault.kind == FaultKind::AnswerCut);
        let count = self.of(attempt) + u32::from(is_early);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (attempt.alternative, count);
        answered
    }
}

/// The answer; its text and its files are published while they grow. A chat that is more than the
/// model can take is asked again with less of it, and so is a large one whose answers ended early
/// [`EARLY_ENDS`] times before.
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
        // What the attempt before had begun to say is void.
        let (text, html) = (String::new(), String::new());
        journal
            .publish(EventKind::Text { turn, text, html })
            .await?;
        journal
            .publish(EventKind::Draft { turn, piece: None })
            .await?;
    }
    let mut less = request.clone();
    let ended_early = asked.early_ends >= EARLY_ENDS;
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

/// What is wrong with the request may be something old in it, which must not spoil every message to
/// come.
async fn without_what_is_refused<J: Journal>(
    job: &Job<'_, '_, J>,
    asked: &Asked<'_>,
    mut less: ChatRequest,
    refused: ModelError,
) -> Result<ModelReply, RunError> {
    for left_out in [
        LeftOut::Thoughts,
        LeftOut::PreviousMessages,
        LeftOut::FileContents,
    ] {
        if !input::leave_out(&mut less.messages, left_out) {
            continue;
        }
        tracing::warn!(step.name = asked.step, error = %refused, ?left_out, "the provider refused the chat; it is asked again with less of it");
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
    let (grow, grown) = Growth::channel();
    let last = grown.clone();
    // What has come of an answer is paid for, also when its end never comes.
    let price = |size| job.agent.model.estimate(alternative, request, size);
    let streaming = async {
        // Moved in, so that the publisher ends with the answer.
        let grow = grow;
        let on_piece = |piece: Piece<'_>| grow.send_modify(|growth| growth.take(piece));
        job.agent.model.stream(alternative, request, on_piece).await
    };
    let (reply, published) = tokio::join!(
        streaming,
        publish_growth(job.journal, step, asked.turn, grown, price)
    );
    published?;
    let size = last.borrow().size();
    if reply.is_err() && size > 0 {
        job.journal.spend(step, price(size)).await?;
    }
    Ok(reply)
}
