//! The project's decisions about tools of MCP servers. They are made by messages that answer the
//! questions about the tools.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::json::Json;
use crate::protocol::{ApiError, ProjectId, ToolConsent};

/// The tools that the project's runs always or never may use.
#[server(prefix = "/api", endpoint = "consents/list", input = GetUrl, output = Json)]
pub async fn list_tool_consents(project: ProjectId) -> Result<Vec<ToolConsent>, ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    answer(expect_context::<Projects>().tool_consents(project).await)
}

/// Takes the decision about a tool back, from the next run on: its next call asks again.
#[server(prefix = "/api", endpoint = "consents/forget", output = Json)]
pub async fn forget_tool_consent(project: ProjectId, tool: String) -> Result<(), ApiError> {
    use super::answer::answer;
    use crate::projects::Projects;

    let projects = expect_context::<Projects>();
    answer(projects.forget_tool_consent(project, &tool).await)
}
