//! The context of a run's agent, and publishing what the model says.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::summary;
use crate::{
    agent::{
        Agent, ApprovedPlan, Journal, McpTools, RunError, RunSandbox,
        check::{Ahead, Reports, Scope},
        tools::{self, Prepared, Toolset},
    },
    llm::{ModelReply, ToolCall, ToolSpec},
    protocol::{EventKind, Mode, ProjectId},
};

/// Returns the contents of those of the files that the version before the run has.
pub type Before = dyn Fn(Vec<String>) -> BoxFuture<'static, Result<Files, RunError>> + Send + Sync;
/// Paths and contents.
type Files = BTreeMap<String, Vec<u8>>;

/// The context of a run's agent.
pub struct Job<'a, 's, J> {
    pub journal: &'a J,
    pub agent: &'a Agent,
    pub sandbox: &'a RunSandbox<'s>,
    /// What the version before the run has at paths.
    pub before: &'a Before,
    /// The errors that users' open previews show.
    pub reports: &'a Reports,
    /// The app's project.
    pub project: ProjectId,
    pub mode: Mode,
    /// Whether the user's message answers questions or approves a plan.
    pub is_answer: bool,
    /// The plan that a build follows.
    pub plan: Option<ApprovedPlan<'a>>,
    /// The tools of MCP servers.
    pub mcp: McpTools,
    /// The app's journeys that the run must keep.
    pub journeys: Vec<String>,
    /// The browser that waits for its next check.
    pub browser: Ahead,
}

impl<J> Job<'_, '_, J> {
    pub(super) fn toolset(&self) -> Toolset {
        Toolset::of(self.mode, self.plan.is_some())
    }

    /// The tools as the model gets them; those of MCP servers last.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = tools::specs(self.toolset());
        specs.extend(self.mcp.specs());
        specs
    }

    /// Parses a call of the model.
    pub(super) fn prepare(&self, call: &ToolCall) -> Prepared {
        tools::mcp_tool::prepare(call, &self.mcp)
            .unwrap_or_else(|| tools::prepare(call, self.toolset(), self.mcp.names()))
    }

    /// The scope of a check of the app.
    pub(in crate::agent) async fn scope(&self) -> Scope<'_> {
        Scope {
            changed: self.sandbox.changed().await,
            journeys: Vec::new(),
            reports: self.reports,
            browser: &self.browser,
        }
    }

    /// The common cache key for requests of all runs of the project.
    pub(super) fn cache_key(&self) -> String {
        format!("codeflow-{}", self.project)
    }
}

/// Publishes the model's text of a turn, if it is of interest to people.
pub async fn publish_text<J: Journal>(journal: &J, turn: u32, text: &str) -> Result<(), RunError> {
    let text = summary::Visible::default().of(text).trim().to_owned();
    if text.is_empty() {
        return Ok(());
    }
    let html = String::new();
    journal.publish(EventKind::Text { turn, text, html }).await
}

/// Publishes the reasoning that the model showed in a turn, if any.
pub async fn publish_thinking<J: Journal>(
    journal: &J,
    turn: u32,
    reply: &ModelReply,
) -> Result<(), RunError> {
    if reply.thinking.is_empty() {
        return Ok(());
    }
    journal
        .publish(EventKind::Thinking {
            turn,
            text: reply.thinking.clone(),
            html: String::new(),
            took: reply.thought_for,
        })
        .await
}
