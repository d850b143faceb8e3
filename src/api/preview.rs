//! Previews: the errors that the page around one reports, what its dev server prints, and the
//! elements that are picked in it.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{
    ApiError, DevLog, ElementPart, ElementPlace, ElementSources, PickedElement, PreviewError,
    ProjectId,
};

/// Reports the errors on the app's page, replacing those reported before. They are forgotten when
/// nobody looks any more.
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

/// Says that somebody looks at the preview; an app that is asleep wakes.
#[server(prefix = "/api", endpoint = "preview/attend", output = Json)]
pub async fn attend_preview(project: ProjectId) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().attend_preview(project).await)
}

/// What the app's dev server printed after so many bytes of its log.
#[server(prefix = "/api", endpoint = "preview/log", input = GetUrl, output = Json)]
pub async fn read_dev_log(project: ProjectId, after: u64) -> Result<DevLog, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().dev_log(project, after).await)
}

/// What of a picked element stands in a source of the app as it is.
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

/// Changes a part of the element at this place in the source, if it still is `from` there.
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
