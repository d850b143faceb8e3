//! What a run that was stopped says, whoever stopped it.

use crate::{
    protocol::{EventKind, GrowingText, Mode, RunId},
    store::{Reply, Store, StoreError},
};

/// The reply to a stopped run: what became of its work. Files stay in the app, where the next run
/// finds them; an answer stays in the conversation, but the model gets only those that were
/// finished.
pub async fn stopped(store: &Store, run: RunId) -> Result<Reply, StoreError> {
    let content = content(store, run).await?.to_owned();
    Ok(Reply::Cancelled { content })
}

async fn content(store: &Store, run: RunId) -> Result<&'static str, StoreError> {
    let message = store.find_run(run).await?.message;
    if store.find_message(message).await?.mode == Mode::Build {
        return Ok(
            "Stopped. What was written so far is kept; send a message to continue from here.",
        );
    }
    let events = store.events_of_run(run).await?;
    let is_answered = events.iter().any(|event| match &event.kind {
        EventKind::Text { text, .. } => !text.is_empty(),
        kind => matches!(kind.piece(), Some((GrowingText::Answer(_), _))),
    });
    Ok(match is_answered {
        true => {
            "Stopped. What was answered so far is kept above. The model does not continue from it: \
             ask again for the rest."
        }
        false => "Stopped before there was an answer. Send the message again to get one.",
    })
}
