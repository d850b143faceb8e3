//! The app's journeys, played when somebody asks for it. Their files are read and written like any
//! other.

use leptos::prelude::*;

use super::json::Json;
use crate::protocol::{ApiError, PlayedJourney, ProjectId};

/// Plays the journey in this file of the app; ends when whoever asked goes away. Refused while a
/// run works.
#[server(prefix = "/api", endpoint = "journeys/play", output = Json)]
pub async fn play_journey(project: ProjectId, file: String) -> Result<PlayedJourney, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(
        expect_context::<Projects>()
            .play_journey(project, &file)
            .await,
    )
}
