//! A run's end: its reply, version, state, credits and their events, in one transaction.

use sea_orm::ConnectionTrait;

use super::{
    Result, Store,
    blob::Hashed,
    credit, event,
    fragment::{self, NewFragment, Origin},
    message,
    passed_journey::{self, NewPassedJourney},
    project, run, step, usage,
};
use crate::protocol::{
    Event, EventKind, Message, MessageKind, MessagePart, Role, Run, RunId, RunState, Timestamp,
};

/// The end of a run.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A RESULT message and the version that goes with it.
    Result {
        content: String,
        fragment: NewFragment,
        /// Those that the app passed.
        journeys: Vec<NewPassedJourney>,
    },
    /// An answer, questions or a plan: a message of this kind, without a version.
    Answer {
        kind: MessageKind,
        content: String,
        part: Option<MessagePart>,
    },
    /// An ERROR message.
    Error { content: String },
    /// The user stopped it; the message says what became of the work.
    Cancelled { content: String },
}

impl Store {
    /// Ends the run with its reply: message, version and state in one transaction. A run that has
    /// ended already is left as it is.
    pub async fn finish_run(&self, id: RunId, reply: &Reply) -> Result<Vec<Event>> {
        let hashed = match reply {
            Reply::Result {
                fragment, journeys, ..
            } => {
                for picture in journeys.iter().filter_map(|one| one.picture.as_deref()) {
                    self.put_picture(picture).await?;
                }
                Some(self.prepare(fragment).await?)
            }
            Reply::Answer { .. } | Reply::Error { .. } | Reply::Cancelled { .. } => None,
        };
        let reply = reply.clone();
        self.write(move |tx| Box::pin(async move { finish(tx, id, &reply, hashed.as_ref()).await }))
            .await
    }

    /// Marks the run as failed and refunds it, nothing else: a run that can't be ended properly
    /// must not block its project.
    pub async fn abandon_run(&self, id: RunId) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                if run::end(tx, id, RunState::Failed, Timestamp::now()).await? {
                    credit::settle(tx, id, RunState::Failed).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

async fn finish(
    tx: &impl ConnectionTrait,
    id: RunId,
    reply: &Reply,
    hashed: Option<&Hashed>,
) -> Result<Vec<Event>> {
    let run = run::model(tx, id).await?.into_run();
    if run.state.is_final() {
        return Ok(Vec::new());
    }
    let (kind, state, content, new_fragment) = match reply {
        Reply::Result {
            content, fragment, ..
        } => (
            MessageKind::Result,
            RunState::Succeeded,
            content,
            hashed.map(|hashed| (fragment, hashed)),
        ),
        Reply::Answer { kind, content, .. } => (*kind, RunState::Succeeded, content, None),
        Reply::Error { content } => (MessageKind::Error, RunState::Failed, content, None),
        Reply::Cancelled { content } => (MessageKind::Error, RunState::Cancelled, content, None),
    };
    let now = Timestamp::now();
    if !run::end(tx, id, state, now).await? {
        return Ok(Vec::new());
    }
    let mut events = Vec::new();
    let (part, passed): (_, &[_]) = match reply {
        Reply::Answer { part, .. } => (part.clone(), &[]),
        Reply::Result { journeys, .. } => (None, journeys),
        Reply::Error { .. } | Reply::Cancelled { .. } => (None, &[]),
    };
    let reply = Message {
        mode: message::mode(tx, run.message).await?,
        part,
        ..message::new(run.project, Role::Assistant, kind, content)
    };
    message::save(tx, &reply).await?;
    let journeys = passed_journey::insert(tx, reply.id, passed).await?;
    let mut fragment = None;
    if let Some((new, hashed)) = new_fragment {
        let origin = Origin::Run {
            run: id,
            message: reply.id,
        };
        let saved = fragment::insert(tx, run.project, origin, new, hashed).await?;
        // The first version names the project; later ones leave it its name.
        if saved.number == 1 && project::set_title(tx, run.project, &new.project_title).await? {
            let title = new.project_title.clone();
            events
                .push(event::append(tx, run.project, Some(id), EventKind::Title { title }).await?);
        }
        fragment = Some(saved);
    }
    run::set_reply(tx, id, reply.id).await?;
    project::touch(tx, run.project).await?;
    let message = Message {
        run: Some(id),
        fragment,
        journeys,
        ..reply
    };
    events.push(event::append(tx, run.project, Some(id), EventKind::Message { message }).await?);
    let spent = usage::of_runs(tx, [id]).await?.remove(&id);
    let run = Run {
        state,
        finished_at: Some(now),
        spent: spent.filter(|spent| !spent.is_nothing()),
        ..run
    };
    events.push(event::append(tx, run.project, Some(id), EventKind::Run { run }).await?);
    credit::settle(tx, id, state).await?;
    step::end(tx, id, state == RunState::Succeeded).await?;
    event::compact(tx, id).await?;
    Ok(events.into_iter().flatten().collect())
}
