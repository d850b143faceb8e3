//! Messages after they were sent: editing, retrying, removing from the queue; and the
//! conversation's earlier part.

use tracing::Instrument as _;

use super::{ProjectError, Projects, html, versions::ELSEWHERE};
use crate::{
    protocol::{
        History, ImageId, Message, MessageId, Mode, NewPrompt, ProjectId, Run, RunId, RunState,
    },
    store::Prompted,
};

/// Why a message can't be sent again while a run works.
const AT_WORK: &str =
    "A run is at work on this project. Stop it or wait for its end, then send the message again.";
/// The number of prompts on a page of the conversation.
const PAGE: u64 = 20;

impl Projects {
    /// Sends the prompt again with another text and image and, if given, another mode and model. A
    /// queued prompt is changed in place.
    /// Any other prompt is withdrawn from the conversation together with everything after it, and
    /// the app's files become those of the version before it; the app's state until then stays as
    /// versions. `Conflict` while a run works, unless `stop` says to stop the project's runs.
    pub async fn edit_message(
        &self,
        message: MessageId,
        prompt: &NewPrompt,
        mode: Option<Mode>,
        image: Option<ImageId>,
        stop: bool,
    ) -> Result<Run, ProjectError> {
        let prompted = self.editable_prompt(message).await?;
        let before = &prompted.message;
        let mode = mode.unwrap_or(before.mode);
        // A prompt in another mode no longer answers them.
        let answers = before.answers.filter(|_| mode == before.mode);
        self.expect_offered(prompt.model()).await?;
        let model = prompt.model().clone().or(before.model.clone());
        let prompt = prompt.clone().in_mode(mode).answering(answers);
        let prompt = &prompt.asking(model.into());
        let store = &self.inner.store;
        if prompted.run.state == RunState::Queued {
            let (run, events) = store
                .change_prompt(self.user()?, message, prompt, image.as_ref())
                .await?;
            self.inner.events.announce(events);
            return Ok(run);
        }
        self.rewind(prompted, prompt.clone(), image, stop).await
    }

    /// Runs the prompt once more. If it is the last prompt, the files of its failed or stopped run
    /// are kept; otherwise this is [`Projects::edit_message`] with the same text and image.
    pub async fn retry_message(&self, message: MessageId, stop: bool) -> Result<Run, ProjectError> {
        let prompted = self.editable_prompt(message).await?;
        let unfinished = matches!(prompted.run.state, RunState::Failed | RunState::Cancelled);
        if prompted.is_last && unfinished {
            return self.replay(prompted.run.id).await;
        }
        let Message { content, image, .. } = &prompted.message;
        let prompt = NewPrompt::new(content).map_err(|error| ProjectError::Invalid {
            field: "message",
            why: error.to_string(),
        })?;
        let prompt = prompt
            .in_mode(prompted.message.mode)
            .answering(prompted.message.answers)
            .asking(prompted.message.model.clone().into());
        let image = image.as_ref().map(|image| image.id.clone());
        self.rewind(prompted, prompt, image, stop).await
    }

    /// Removes a queued prompt from the conversation. `Conflict` once its run has begun.
    pub async fn remove_message(&self, message: MessageId) -> Result<(), ProjectError> {
        self.editable_prompt(message).await?;
        let (run, events) = self.inner.store.remove_prompt(message).await?;
        self.inner.events.announce(events);
        self.inner.runs.ended(&run);
        Ok(())
    }

    /// The prompt, if the user may change its project.
    async fn editable_prompt(&self, message: MessageId) -> Result<Prompted, ProjectError> {
        self.user()?;
        let store = &self.inner.store;
        let project = store.find_message(message).await?.project;
        match self.expect_editor(project).await {
            Err(ProjectError::NotFound(_)) => Err(ProjectError::NotFound("message")),
            Err(error) => Err(error),
            Ok(()) => Ok(store.find_prompt(message).await?),
        }
    }

    async fn rewind(
        &self,
        prompted: Prompted,
        prompt: NewPrompt,
        image: Option<ImageId>,
        stop: bool,
    ) -> Result<Run, ProjectError> {
        let (projects, user) = (self.clone(), self.user()?.clone());
        let project = prompted.message.project;
        // In a task of its own: a browser that goes away must not leave it half done.
        let rewinding = async move {
            if stop {
                projects.stop_all(project).await?;
            }
            let alone = projects.idle(project, AT_WORK).await?;
            let edits = &projects.inner.edits;
            edits.keep(project).await;
            let _no_edits = edits.hold(project).await;
            let apps = projects.inner.apps.under(&alone);
            let rewinding = alone.unless_lost(apps.rewind(user, project, &prompted, prompt, image));
            let run = rewinding.await.ok_or(ProjectError::Conflict(ELSEWHERE))??;
            tracing::info!(project.id = %project, run.id = %run.id, "message sent again");
            projects.inner.runs.work_on(project);
            Ok(run)
        };
        let rewinding = self.inner.tasks.spawn(rewinding.in_current_span());
        rewinding
            .await
            .map_err(|error| ProjectError::Internal(error.into()))?
    }

    /// Stops the running run and the queued ones, last first, so that none begins in between.
    pub(super) async fn stop_all(&self, project: ProjectId) -> Result<(), ProjectError> {
        let runs = self.inner.store.list_runs(project).await?;
        let unfinished = runs.into_iter().rev().filter(|run| !run.state.is_final());
        let ids: Vec<RunId> = unfinished.map(|run| run.id).collect();
        for id in ids {
            self.cancel(id).await?;
        }
        Ok(())
    }

    /// The part of the conversation before this message, newest first.
    pub async fn history(
        &self,
        project: ProjectId,
        before: MessageId,
    ) -> Result<History, ProjectError> {
        self.expect_viewer(project).await?;
        self.conversation(project, Some(before), PAGE).await
    }

    /// The last prompts before the given one, with their runs and replies.
    pub(super) async fn conversation(
        &self,
        project: ProjectId,
        before: Option<MessageId>,
        limit: u64,
    ) -> Result<History, ProjectError> {
        let store = &self.inner.store;
        // First, so that the reply to a run that has ended is among the messages.
        let mut runs = store.list_runs(project).await?;
        let (messages, earlier) = store.list_messages_before(project, before, limit).await?;
        runs.retain(|run| messages.iter().any(|message| message.id == run.message));
        let mut spent = store.spent_by(runs.iter().map(|run| run.id)).await?;
        for run in &mut runs {
            let spent = spent.remove(&run.id).filter(|spent| !spent.is_nothing());
            run.spent = spent.filter(|_| run.state.is_final());
        }
        let messages = html::rendered(|| messages.into_iter().map(html::message).collect()).await?;
        Ok(History {
            messages,
            runs,
            earlier,
        })
    }
}
