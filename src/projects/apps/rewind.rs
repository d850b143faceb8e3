//! Rewinding the app to the state before a prompt: in the database at once, together with the
//! prompt's new run; in the sandbox when that run opens it, even after a crash.

use super::Apps;
use crate::{
    agent::RunError,
    protocol::{ImageId, NewPrompt, ProjectId, Run, UserId},
    runs::{KeptWork, crash_point},
    store::{Prompted, Rewind},
};

impl Apps {
    /// Replaces the prompt and everything after it, and makes the files of the version before it
    /// the app's files. Unsaved changes are saved before that. Returns the new prompt's run, which
    /// has yet to begin.
    pub async fn rewind(
        &self,
        user: UserId,
        project: ProjectId,
        prompted: &Prompted,
        prompt: NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Run, RunError> {
        let _one_at_a_time = self.opening.lock(project).await;
        // Without a version or a written file there is nothing to rewind.
        let changed = KeptWork::of_project(&self.store, project).await?.is_some();
        let (mut unsaved, mut source) = (None, None);
        if let Some(begun) = prompted.begun.filter(|_| changed) {
            source = self.store.version_at(project, begun).await?;
            let app = self.find(project).await?;
            unsaved = self.unsaved(project, app.as_ref()).await?;
        }
        let rewind = Rewind {
            user,
            message: prompted.message.id,
            prompt,
            image,
            unsaved,
            source,
        };
        let (run, events) = self.store.rewind(project, rewind).await?;
        crash_point("after", "rewind");
        self.events.announce(events);
        Ok(run)
    }
}
