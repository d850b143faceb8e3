//! The project's decisions about tools of MCP servers. They are made by answers in the chat.

use super::{ProjectError, Projects};
use crate::protocol::{ProjectId, ToolConsent};

impl Projects {
    /// The project's decisions, by tool.
    pub async fn tool_consents(
        &self,
        project: ProjectId,
    ) -> Result<Vec<ToolConsent>, ProjectError> {
        self.expect_viewer(project).await?;
        Ok(self.inner.store.list_tool_consents(project).await?)
    }

    /// Takes a decision back, from the next run on. `NotFound` if there is none about this tool.
    pub async fn forget_tool_consent(
        &self,
        project: ProjectId,
        tool: &str,
    ) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        self.inner.store.forget_tool_consent(project, tool).await?;
        tracing::info!(project.id = %project, tool.name = tool, "consent taken back");
        Ok(())
    }
}
