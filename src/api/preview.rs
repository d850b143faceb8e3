//! Previews: the errors that the page around one reports.

use leptos::prelude::*;

use super::json::Json;
use crate::protocol::{ApiError, PreviewError, ProjectId};

/// Reports the errors on the app's page, replacing those reported before. They are forgotten when
/// nobody looks any more.
#[server(prefix = "/api", endpoint = "preview/errors", input = Json, output = Json)]
pub async fn report_preview_errors(
    project: ProjectId,
    errors: Vec<PreviewError>,
) -> Result<(), ApiError> {
    use crate::projects::Projects;

    expect_context::<Projects>().report_preview_errors(project, errors);
    Ok(())
}
