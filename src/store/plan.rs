//! Questions and plans. Each is answered by one message; an approved plan stays in the project, and
//! its steps are ticked off as they are done.

use sea_orm::{QueryOrder, entity::prelude::*};

use super::{
    Result, Store, StoreError, event, image,
    message::{Column, Entity, Model},
    project, run, to_json,
};
use crate::protocol::{
    AppPlan, Event, EventKind, Message, MessageId, MessageKind, MessagePart, Mode, NewPrompt,
    ProjectId, Role,
};

const ANSWERED: &str = "These questions were answered already, perhaps in another tab. \
                        Send a message to add something.";
const APPROVED: &str = "This plan was approved already, perhaps in another tab. \
                        Send a message to change what is built.";
const GONE: &str =
    "What you answer is no longer part of the conversation. Reload the page to see it as it is.";
const NO_BUILD: &str = "A plan is approved by a message in the mode build. Choose Build to approve \
                        it, or send the message without approving the plan.";

impl Store {
    /// The plan that was last approved by this message or an earlier one, and the approving
    /// message.
    pub async fn approved_plan(&self, message: &Message) -> Result<Option<(MessageId, AppPlan)>> {
        let last = Entity::find()
            .filter(Column::ProjectId.eq(message.project))
            .filter(Column::Role.eq(Role::User))
            .filter(Column::ReplacedBy.is_null())
            .filter(Column::Part.is_not_null())
            .filter(Column::Id.lte(message.id))
            .order_by_desc(Column::Id);
        let last = last.one(&self.db).await?.map(Model::into_message);
        Ok(last.and_then(|(message, _)| match message.part? {
            MessagePart::Plan { plan } => Some((message.id, plan)),
            MessagePart::Questions { .. } => None,
        }))
    }

    /// Ticks off the step with this index of an approved plan; `None` if it is ticked off already,
    /// or doesn't exist.
    pub async fn tick_step(&self, id: MessageId, index: usize) -> Result<Option<Event>> {
        self.write(move |tx| {
            Box::pin(async move {
                let found = Entity::find_by_id(id).one(tx).await?;
                let project = found.ok_or(StoreError::NotFound("message"))?.project_id;
                // Two steps may be ticked off at the same time.
                project::lock(tx, project).await?;
                let model = Entity::find_by_id(id).one(tx).await?;
                let model = model.ok_or(StoreError::NotFound("message"))?;
                let (mut message, hash) = model.into_message();
                let Some(MessagePart::Plan { plan }) = &mut message.part else {
                    return Ok(None);
                };
                match plan.steps.get_mut(index) {
                    Some(step) if !step.done => step.done = true,
                    _ => return Ok(None),
                }
                let part = to_json("part", &message.part)?;
                Entity::update_many()
                    .col_expr(Column::Part, Expr::value(part))
                    .filter(Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                let runs = run::Entity::find()
                    .filter(run::Column::MessageId.eq(id))
                    .order_by_desc(run::Column::Id);
                message.run = runs.one(tx).await?.map(|run| run.id);
                let messages = image::with_images(tx, vec![(message, hash)]).await?;
                let message = messages.into_iter().next();
                let message = message.ok_or(StoreError::NotFound("message"))?;
                let run = message.run;
                event::append(tx, project, run, EventKind::Message { message }).await
            })
        })
        .await
    }
}

/// The plan that the prompt approves, if it answers one. `NotFound` if the answered message is not
/// a message of the project with questions or a plan, `Conflict` if it was withdrawn.
pub(super) async fn approved_by(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    prompt: &NewPrompt,
) -> Result<Option<MessagePart>> {
    let Some(answered) = prompt.answers() else {
        return Ok(None);
    };
    let answered = answerable(tx, project, answered).await?;
    if answered.replaced_by.is_some() {
        return Err(StoreError::Conflict(GONE));
    }
    if answered.kind != MessageKind::Plan {
        return Ok(None);
    }
    if prompt.mode() != Mode::Build {
        return Err(StoreError::Conflict(NO_BUILD));
    }
    let plan = AppPlan::approved(prompt.as_str());
    Ok(Some(MessagePart::Plan { plan }))
}

/// Fails with `Conflict` if another message of the conversation already answers the same message.
/// The project's row is locked, so that the later of two answers sees the earlier.
pub(super) async fn expect_unanswered(
    tx: &impl ConnectionTrait,
    project: ProjectId,
    prompt: &NewPrompt,
) -> Result<()> {
    let Some(answered) = prompt.answers() else {
        return Ok(());
    };
    project::lock(tx, project).await?;
    let answered = answerable(tx, project, answered).await?;
    let answers = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Answers.eq(answered.id))
        .filter(Column::ReplacedBy.is_null());
    match (answers.count(tx).await?, answered.kind) {
        (0, _) => Ok(()),
        (_, MessageKind::Plan) => Err(StoreError::Conflict(APPROVED)),
        _ => Err(StoreError::Conflict(ANSWERED)),
    }
}

/// The project's message with questions or a plan.
async fn answerable(tx: &impl ConnectionTrait, project: ProjectId, id: MessageId) -> Result<Model> {
    let found = Entity::find_by_id(id)
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Kind.is_in([MessageKind::Questions, MessageKind::Plan]));
    let found = found.one(tx).await?;
    found.ok_or(StoreError::NotFound("question"))
}
