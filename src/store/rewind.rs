//! Rewinding the conversation to a prompt: the prompt and everything after it is withdrawn, the
//! app's files become those of the version before it, and the new prompt gets its run, all in one
//! transaction. A prompt that is still queued is changed or removed in place.

use sea_orm::{QueryOrder, entity::prelude::*};

use super::{
    NewFragment, Result, Store, StoreError,
    blob::BlobHash,
    credit, event, fragment,
    message::{self, Column, Entity},
    plan, project, prompt, readable, run, step, to_json, tool_consent, user_key, version,
    without_nul,
};
use crate::protocol::{
    Event, EventKind, FragmentId, ImageId, Message, MessageId, ModelId, NewPrompt, ProjectId, Role,
    Run, RunState, Timestamp, UserId,
};

/// Why a message can't be sent again while a run works.
const AT_WORK: &str =
    "A run is at work on this project. Stop it or wait for its end, then send the message again.";
const GONE: &str =
    "This message is no longer part of the conversation. Reload the page to see it as it is.";
const BEGUN: &str = "This message is already being worked on. Stop the run to change the message.";

const PAID: &str = "This message waits, and the other model is paid otherwise: by a key of one's \
    own, or by credits. Remove it and send it again.";

/// A prompt with its state.
#[derive(Debug, Clone)]
pub struct Prompted {
    pub message: Message,
    /// The last of its runs.
    pub run: Run,
    /// When its first run began to use the app, or ended without; `None` before that.
    pub begun: Option<Timestamp>,
    /// Whether it is the last prompt.
    pub is_last: bool,
}

/// A prompt's replacement, and the version to rewind to.
#[derive(Debug, Clone)]
pub struct Rewind {
    /// The user who sends the new prompt and pays for its run.
    pub user: UserId,
    pub message: MessageId,
    pub prompt: NewPrompt,
    pub image: Option<ImageId>,
    /// The app's current files, to be saved as a version; `None` if there is no app yet, so that no
    /// files change.
    pub unsaved: Option<NewFragment>,
    /// The version to rewind to; `None` for the template.
    pub source: Option<FragmentId>,
}

impl Store {
    /// The prompt with this id, or `NotFound`; `Conflict` where it was withdrawn.
    pub async fn find_prompt(&self, id: MessageId) -> Result<Prompted> {
        let model = prompt_model(&self.db, id).await?;
        let runs = run::Entity::find()
            .filter(run::Column::MessageId.eq(id))
            .order_by_asc(run::Column::Id);
        let runs = readable::models(&self.db, "run", runs).await?;
        let begun = step::first_start(&self.db, runs.iter().map(|run| run.id)).await?;
        let ended = runs.first().and_then(|run| run.finished_at.map(Timestamp));
        let begun = begun.or(ended);
        let last = runs.into_iter().next_back();
        let run = last.ok_or(StoreError::NotFound("run"))?.into_run();
        let later = Entity::find()
            .filter(Column::ProjectId.eq(model.project_id))
            .filter(Column::Role.eq(Role::User))
            .filter(Column::ReplacedBy.is_null())
            .filter(Column::Id.gt(id));
        let is_last = later.count(&self.db).await? == 0;
        Ok(Prompted {
            message: self.find_message(id).await?,
            run,
            begun,
            is_last,
        })
    }

    /// Withdraws the prompt and everything after it, makes the source's files the latest version,
    /// and adds the new prompt with its run. `Conflict` while a run works, `OutOfCredits` if the
    /// user's balance is too low.
    pub async fn rewind(&self, project: ProjectId, rewind: Rewind) -> Result<(Run, Vec<Event>)> {
        let hashed = match &rewind.unsaved {
            Some(unsaved) => Some(self.prepare(unsaved).await?),
            None => None,
        };
        let payment = self.payment();
        self.write(move |tx| {
            Box::pin(async move {
                project::there(tx, project).await?;
                project::touch(tx, project).await?;
                if run::has_unfinished(tx, project).await? {
                    return Err(StoreError::Conflict(AT_WORK));
                }
                prompt_model(tx, rewind.message).await?;
                let mut events = Vec::new();
                if let (Some(unsaved), Some(hashed)) = (&rewind.unsaved, &hashed) {
                    events.extend(version::keep_unsaved(tx, project, unsaved, hashed).await?);
                    let latest = fragment::latest(tx, project).await?;
                    let is_there = latest.is_some_and(|latest| Some(latest.id) == rewind.source);
                    if !is_there {
                        let (source, user) = (rewind.source, &rewind.user);
                        events.extend(version::restore(tx, project, source, user).await?.1);
                    }
                }
                let withdrawn = from(tx, project, rewind.message).await?;
                let image = rewind.image.as_ref();
                let (run, prompted) = prompt::insert_prompt(
                    tx,
                    &payment,
                    &rewind.user,
                    project,
                    &rewind.prompt,
                    image,
                )
                .await?;
                events.extend(withdraw(tx, project, withdrawn, run.message).await?);
                events.extend(prompted);
                Ok((run, events))
            })
        })
        .await
    }

    /// Changes the text, mode and image of a queued prompt. `Conflict` once its run has begun.
    pub async fn change_prompt(
        &self,
        user: &UserId,
        id: MessageId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
    ) -> Result<(Run, Vec<Event>)> {
        let (prompt, image, user) = (prompt.clone(), image.cloned(), user.clone());
        let configured = self.own_keys.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let (model, run) = waiting(tx, id).await?;
                let project = model.project_id;
                project::there(tx, project).await?;
                let image = match &image {
                    Some(image) => Some(message::attach(tx, &user, project, image).await?),
                    None => None,
                };
                let hash = image.as_ref().map(|image| BlobHash::from(&image.id));
                let chosen = prompt.model().clone().or(model.model.clone());
                if chosen != model.model {
                    expect_same_payment(tx, configured.as_deref(), &run, chosen.as_ref()).await?;
                }
                let content = without_nul(prompt.as_str());
                let part = plan::approved_by(tx, project, &prompt).await?;
                tool_consent::decide(tx, project, &prompt).await?;
                let json = part
                    .as_ref()
                    .map(|part| to_json("part", part))
                    .transpose()?;
                Entity::update_many()
                    .col_expr(Column::Content, Expr::value(content.clone()))
                    .col_expr(Column::Mode, Expr::value(prompt.mode()))
                    .col_expr(Column::Part, Expr::value(json))
                    .col_expr(Column::Answers, Expr::value(prompt.answers()))
                    .col_expr(Column::Model, Expr::value(chosen.clone()))
                    .col_expr(Column::ImageHash, Expr::value(hash))
                    .filter(Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                let message = Message {
                    content,
                    image,
                    mode: prompt.mode(),
                    part,
                    answers: prompt.answers(),
                    model: chosen,
                    run: Some(run.id),
                    ..model.into_message().0
                };
                let kind = EventKind::Message { message };
                let event = event::append(tx, project, Some(run.id), kind).await?;
                Ok((run, event.into_iter().collect()))
            })
        })
        .await
    }

    /// Removes a queued prompt from the conversation, and its run from the queue. `Conflict` once
    /// the run has begun.
    pub async fn remove_prompt(&self, id: MessageId) -> Result<(Run, Vec<Event>)> {
        self.write(move |tx| {
            Box::pin(async move {
                let (model, run) = waiting(tx, id).await?;
                let (project, now) = (model.project_id, Timestamp::now());
                run::end(tx, run.id, RunState::Cancelled, now).await?;
                project::touch(tx, project).await?;
                let run = Run {
                    state: RunState::Cancelled,
                    finished_at: Some(now),
                    ..run
                };
                let mut events = Vec::new();
                let kind = EventKind::Run { run: run.clone() };
                events.extend(event::append(tx, project, Some(run.id), kind).await?);
                events.extend(withdraw(tx, project, vec![id], id).await?);
                credit::settle(tx, run.id, run.state).await?;
                Ok((run, events))
            })
        })
        .await
    }
}

/// The prompt's row; `NotFound` where there is none, `Conflict` where it was withdrawn.
async fn prompt_model(db: &impl ConnectionTrait, id: MessageId) -> Result<message::Model> {
    let found = Entity::find_by_id(id).filter(Column::Role.eq(Role::User));
    let model = found
        .one(db)
        .await?
        .ok_or(StoreError::NotFound("message"))?;
    if model.replaced_by.is_some() {
        return Err(StoreError::Conflict(GONE));
    }
    Ok(model)
}

/// A prompt with a queued run, which stays queued until the transaction ends.
async fn waiting(tx: &impl ConnectionTrait, id: MessageId) -> Result<(message::Model, Run)> {
    let model = prompt_model(tx, id).await?;
    project::there(tx, model.project_id).await?;
    // A write, so that nobody else starts the run from here on.
    let held = run::Entity::update_many()
        .col_expr(run::Column::State, Expr::value(RunState::Queued))
        .filter(run::Column::MessageId.eq(id))
        .filter(run::Column::State.eq(RunState::Queued))
        .exec(tx)
        .await?;
    if held.rows_affected == 0 {
        return Err(StoreError::Conflict(BEGUN));
    }
    let run = run::Entity::find()
        .filter(run::Column::MessageId.eq(id))
        .filter(run::Column::State.eq(RunState::Queued))
        .one(tx)
        .await?;
    let run = run.ok_or(StoreError::Conflict(BEGUN))?;
    Ok((model, run.into_run()))
}

/// `Conflict` if the queued run would be paid differently with this model: by a key instead of
/// credits, or by another key.
async fn expect_same_payment(
    tx: &impl ConnectionTrait,
    configured: Option<&[ModelId]>,
    run: &Run,
    model: Option<&ModelId>,
) -> Result<()> {
    let waiting = run::model(tx, run.id).await?;
    let user = waiting.user_id.unwrap_or_else(UserId::local);
    match user_key::that_answers(tx, configured, &user, model).await? {
        own_key if own_key == waiting.own_key => Ok(()),
        _ => Err(StoreError::Conflict(PAID)),
    }
}

/// The messages of the conversation from this prompt on, with their replies.
async fn from(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    first: MessageId,
) -> Result<Vec<MessageId>> {
    let prompts = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Role.eq(Role::User))
        .filter(Column::ReplacedBy.is_null())
        .filter(Column::Id.gte(first))
        .order_by_asc(Column::Id);
    let prompts = readable::models(tx, "message", prompts).await?.into_iter();
    let mut ids: Vec<MessageId> = prompts.map(|model| model.id).collect();
    let runs = run::of_project(tx, project).await?.into_iter();
    let replies = runs.filter(|run| ids.contains(&run.message_id));
    let replies: Vec<MessageId> = replies.filter_map(|run| run.reply_id).collect();
    ids.extend(replies);
    Ok(ids)
}

async fn withdraw(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    messages: Vec<MessageId>,
    by: MessageId,
) -> Result<Option<Event>> {
    Entity::update_many()
        .col_expr(Column::ReplacedBy, Expr::value(by))
        .filter(Column::Id.is_in(messages.iter().copied()))
        .exec(tx)
        .await?;
    event::append(tx, project, None, EventKind::Withdrawn { messages }).await
}
