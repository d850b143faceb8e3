//! A new prompt: the message, its run and the events of both, and for the first prompt also the
//! project, in one transaction.

use std::sync::Arc;

use sea_orm::ConnectionTrait;

use super::{
    Result, Store, credit, event, message, order, plan, project, run, tool_consent, user_key,
};
use crate::protocol::{
    CreditRules, Event, EventKind, ImageId, MessageId, ModelId, NewPrompt, Project, ProjectId, Run,
    UserId,
};

/// The payment for runs: credits, or users' own keys.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub credits: Option<CreditRules>,
    /// See [`Store::with_own_keys`].
    pub own_keys: Option<Arc<[ModelId]>>,
}

impl Store {
    pub(super) fn payment(&self) -> Payment {
        Payment {
            credits: self.credits,
            own_keys: self.own_keys.clone(),
        }
    }

    /// Creates a project for the user, with its first message and run, in one transaction. The
    /// title is the prompt's beginning until the run names it. `NotFound` if the image is gone,
    /// `OutOfCredits` if the user's balance is too low. A repeated order with the same key creates
    /// nothing; it returns the first one's project.
    pub async fn create_project(
        &self,
        user: &UserId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
        title: &str,
    ) -> Result<(Project, Run, Vec<Event>)> {
        order::make(|| self.create_once(user, prompt, image, title)).await
    }

    async fn create_once(
        &self,
        user: &UserId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
        title: &str,
    ) -> Result<(Project, Run, Vec<Event>)> {
        let (prompt, image, title) = (prompt.clone(), image.cloned(), title.to_owned());
        let (user, payment) = (user.clone(), self.payment());
        self.write(move |tx| {
            Box::pin(async move {
                if let Some(run) = order::find(tx, &user, None, &prompt).await? {
                    let project = project::there(tx, run.project).await?;
                    return Ok((project.into_project(), run, Vec::new()));
                }
                let project = project::insert(tx, &user, &title).await?;
                let image = image.as_ref();
                let (run, events) =
                    insert_prompt(tx, &payment, &user, project.id, &prompt, image).await?;
                Ok((project, run, events))
            })
        })
        .await
    }

    /// Adds the user's message and its run in one transaction. `NotFound` if there is no such
    /// project, or the image is gone; `OutOfCredits` if the user's balance is too low; `Conflict`
    /// if it answers a message that was answered already. A repeated order with the same key
    /// creates nothing; it returns the first one's run.
    pub async fn add_prompt(
        &self,
        user: &UserId,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
    ) -> Result<(Run, Vec<Event>)> {
        order::make(|| self.add_once(user, project, prompt, image)).await
    }

    async fn add_once(
        &self,
        user: &UserId,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
    ) -> Result<(Run, Vec<Event>)> {
        let (prompt, image, payment) = (prompt.clone(), image.cloned(), self.payment());
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                project::there(tx, project).await?;
                if let Some(run) = order::find(tx, &user, Some(project), &prompt).await? {
                    return Ok((run, Vec::new()));
                }
                project::touch(tx, project).await?;
                plan::expect_unanswered(tx, project, &prompt).await?;
                insert_prompt(tx, &payment, &user, project, &prompt, image.as_ref()).await
            })
        })
        .await
    }
}

pub(super) async fn insert_prompt(
    tx: &impl ConnectionTrait,
    payment: &Payment,
    user: &UserId,
    project: ProjectId,
    prompt: &NewPrompt,
    image: Option<&ImageId>,
) -> Result<(Run, Vec<Event>)> {
    let part = plan::approved_by(tx, project, prompt).await?;
    tool_consent::decide(tx, project, prompt).await?;
    let mut message = message::insert_prompt(tx, user, project, prompt, part, image).await?;
    let asked_for = (message.id, message.model.as_ref());
    let run = insert_run(tx, payment, user, project, asked_for).await?;
    order::keep(tx, user, prompt, &run).await?;
    message.run = Some(run.id);
    let events = vec![
        event::append(tx, project, Some(run.id), EventKind::Message { message }).await?,
        event::append(
            tx,
            project,
            Some(run.id),
            EventKind::Run { run: run.clone() },
        )
        .await?,
    ];
    Ok((run, events.into_iter().flatten().collect()))
}

/// Adds a run for the message with this model, and charges the user unless their own key answers.
pub(super) async fn insert_run(
    tx: &impl ConnectionTrait,
    payment: &Payment,
    user: &UserId,
    project: ProjectId,
    (message, model): (MessageId, Option<&ModelId>),
) -> Result<Run> {
    let configured = payment.own_keys.as_deref();
    let own_key = user_key::that_answers(tx, configured, user, model).await?;
    let run = run::insert(tx, project, message, user, own_key).await?;
    if own_key.is_none() {
        credit::charge(tx, payment.credits, user, run.id).await?;
    }
    Ok(run)
}
