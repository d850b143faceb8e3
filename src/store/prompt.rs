//! A prompt comes in: the message, the run that answers it and the events of both in one
//! transaction, and for the first one the project.

use sea_orm::ConnectionTrait;

use super::{Result, Store, event, message, project, run};
use crate::protocol::{Event, EventKind, ImageId, NewPrompt, Project, ProjectId, Run, UserId};

impl Store {
    /// Creates a project of the user with its first message and the run that answers it, in one transaction.
    /// The title is the prompt's beginning until the run names it. `NotFound` when the image is
    /// gone.
    pub async fn create_project(
        &self,
        user: &UserId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
        title: &str,
    ) -> Result<(Project, Run, Vec<Event>)> {
        let (prompt, image, title) = (prompt.clone(), image.cloned(), title.to_owned());
        let user = user.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let project = project::insert(tx, &user, &title).await?;
                let image = image.as_ref();
                let (run, events) = insert_prompt(tx, &user, project.id, &prompt, image).await?;
                Ok((project, run, events))
            })
        })
        .await
    }

    /// Adds the user's message and the run that answers it, in one transaction. `NotFound` when
    /// there is no such project, or the image is gone.
    pub async fn add_prompt(
        &self,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<&ImageId>,
    ) -> Result<(Run, Vec<Event>)> {
        let (prompt, image) = (prompt.clone(), image.cloned());
        self.write(move |tx| {
            Box::pin(async move {
                let user = project::there(tx, project).await?.user_id;
                project::touch(tx, project).await?;
                insert_prompt(tx, &user, project, &prompt, image.as_ref()).await
            })
        })
        .await
    }
}

pub(super) async fn insert_prompt(
    tx: &impl ConnectionTrait,
    user: &UserId,
    project: ProjectId,
    prompt: &NewPrompt,
    image: Option<&ImageId>,
) -> Result<(Run, Vec<Event>)> {
    let mut message = message::insert_prompt(tx, user, project, prompt, image).await?;
    let run = run::insert(tx, project, message.id).await?;
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
