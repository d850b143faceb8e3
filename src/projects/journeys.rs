//! Journeys that somebody has played now, outside of any run, in the app as its preview shows it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{ProjectError, Projects};
use crate::protocol::{PlayedJourney, ProjectId};

const AT_WORK: &str =
    "A run is at work on the app. Wait for it to end, or stop it; then run the journey.";

impl Projects {
    /// Plays the journey in this file of the app, in the browser of the check. Whoever goes away
    /// meanwhile ends it. `Conflict` while a run works or waits.
    pub async fn play_journey(
        &self,
        project: ProjectId,
        file: &str,
    ) -> Result<PlayedJourney, ProjectError> {
        self.expect_editor(project).await?;
        let inner = &self.inner;
        let _one_at_a_time = inner.playing.lock(project).await;
        self.expect_no_run(project).await?;
        if !inner.apps.exists(project).await? {
            return Err(ProjectError::Conflict(
                "The app has no files yet. Its journeys can be run when the first run has ended.",
            ));
        }
        let app = inner.apps.open(project).await?;
        let played = inner.agent.play_journey(&app, file).await?;
        if played.failure.is_some() {
            // A run that began meanwhile has changed the app under it.
            self.expect_no_run(project).await?;
        }
        Ok(PlayedJourney {
            title: played.title,
            failure: played.failure,
            picture: played
                .picture
                .map(|jpeg| format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))),
        })
    }

    async fn expect_no_run(&self, project: ProjectId) -> Result<(), ProjectError> {
        match self.inner.store.next_run(project).await? {
            Some(_) => Err(ProjectError::Conflict(AT_WORK)),
            None => Ok(()),
        }
    }
}
