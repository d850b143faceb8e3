//! Previews: what the page that shows one tells the server of it.

use leptos::prelude::*;

use super::json::Json;
use crate::protocol::{ApiError, PreviewError, ProjectId};

/// Tells which errors stand on the app's page, in place of those told before. They are forgotten
/// when nobody looks any more.
#[server(prefix = "/api", endpoint = "preview/errors", input = Json, output = Json)]
pub async fn report_preview_errors(
    project: ProjectId,
    errors: Vec<PreviewError>,
) -> Result<(), ApiError> {
    use crate::projects::Projects;

    expect_context::<Projects>().report_preview_errors(project, errors);
    Ok(())
}
