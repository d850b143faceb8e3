//! Apps leave a sandbox host that is being drained: when they are next needed, or when the
//! sweep finds them unused.

use super::Apps;
use crate::{
    agent::{App, RunError},
    protocol::ProjectId,
    runs::SANDBOX_STEP,
};

const DRAINED: &str = "The machine with the sandbox is being taken out of service.";

impl Apps {
    /// The app in a new sandbox on another host, if its own host is being drained and no run is at
    /// work in it; else the app as it is. Unsaved files are saved before that.
    pub(super) async fn off_draining_host(
        &self,
        project: ProjectId,
        app: App,
    ) -> Result<App, RunError> {
        if !self.agent.is_draining(app.id()).await
            || self.run_needs(project).await?
            || !self.keep(project, &app, DRAINED).await?
        {
            return Ok(app);
        }
        match self.create(project, Some(app.id()), None).await {
            Ok(Some(moved)) => {
                tracing::info!(
                    project.id = %project,
                    sandbox.id = moved.id(),
                    "the project's app has left a host that is being drained"
                );
                self.discard(app.id()).await;
                Ok(moved)
            }
            // It works where it is.
            unmoved => {
                if let Err(error) = unmoved {
                    tracing::warn!(
                        project.id = %project,
                        %error,
                        "no other host takes the app from a host that is being drained"
                    );
                }
                Ok(app)
            }
        }
    }

    /// Whether a run works in the project's sandbox: one that has not begun gets the next one.
    async fn run_needs(&self, project: ProjectId) -> Result<bool, RunError> {
        let Some(run) = self.store.next_run(project).await? else {
            return Ok(false);
        };
        let steps = self.store.list_steps(run.id).await?;
        Ok(steps
            .iter()
            .any(|step| step.name == SANDBOX_STEP && step.output.is_some()))
    }
}
