//! Previews: errors that the surrounding page reports, the dev server's output, and elements picked
//! in the preview.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, DevLog, ElementPart, ElementPlace, ElementSources, PickedElement, PreviewError,
    ProjectId,
};

/// Reports the errors on the app's page, replacing earlier ones. They are forgotten when nobody
/// watches the preview any more.
#[server(prefix = "/api", endpoint = "preview/errors", input = Json, output = Json)]
pub async fn report_preview_errors(
    project: ProjectId,
    errors: Vec<PreviewError>,
) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.report_preview_errors(project, errors).await)
}

/// Reports that somebody looks at the preview; a sleeping app wakes.
#[server(prefix = "/api", endpoint = "preview/attend", output = Json)]
pub async fn attend_preview(project: ProjectId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().attend_preview(project).await)
}

/// The app's dev server log from this offset on.
#[server(prefix = "/api", endpoint = "preview/log", input = GetUrl, output = Json)]
pub async fn read_dev_log(project: ProjectId, after: u64) -> Result<DevLog, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().dev_log(project, after).await)
}

/// The parts of a picked element that a source of the app contains literally.
#[server(prefix = "/api", endpoint = "preview/element", input = Json, output = Json)]
pub async fn find_element_sources(
    project: ProjectId,
    element: PickedElement,
) -> Result<ElementSources, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.element_sources(project, element).await)
}

/// Changes a part of the element at this place in the source, if its value there is still `from`.
#[server(prefix = "/api", endpoint = "preview/element/change", input = Json, output = Json)]
pub async fn change_element(
    project: ProjectId,
    place: ElementPlace,
    part: ElementPart,
    from: String,
    to: String,
) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(
        projects
            .change_element(project, place, part, &from, &to)
            .await,
    )
}
