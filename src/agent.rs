//! The agent: a model that works on an app in a sandbox by calling tools, turn by turn, until it
//! says that it is done and the app proves it.

mod app;
mod check;
mod input;
mod journal;
mod mcp;
mod nextjs;
mod plan;
mod text;
mod tools;
mod turn;

use std::{collections::HashMap, sync::Arc, time::Duration};

pub use app::{App, AppPath, Edited, Listing, OwnPathError, RunSandbox, Snapshot};
pub use check::{Jail, JourneyOutcome, Report, VerifiedJourney, kept_journeys};
pub use input::{
    AgentInput, CodeFiles, Design, NOTES, PrevMessage, REQUEST_BEGINNING, Titles, earlier_requests,
    provisional_title,
};
pub use journal::{Attempt, Fault, FaultKind, Journal, RunError, Step};
use mcp::McpServers;
pub use mcp::McpTools;
pub use nextjs::{answer::PageState, jsx, routes::FIRST_PAGE};
pub use plan::{ApprovedPlan, Tick, note as plan_note};
use secrecy::SecretString;
use text::secrets::Redactor;
pub use turn::{
    BuildOutcome, Built, CallDetails, ConversationOutcome, FileStates, Job, Work, build_app,
    converse,
};

pub use crate::llm::{TestCall, recorded_apps};
pub use crate::sandbox::{HostStatus, SandboxNotice, ShellEvent, ShellStream, TerminalSize};
use crate::{
    config, http_client,
    llm::Model,
    protocol::{
        FragmentId, ModelId, ModelNotice, ModelProvider, ModelTask, ModelsOverview, ProjectId,
        SandboxUse, Timestamp,
    },
    sandbox::{Client, SandboxError},
};

/// How long a sandbox stays awake after it was last opened.
const AWAKE: Duration = Duration::from_secs(15 * 60);

/// The metadata key for a sandbox's project.
pub const PROJECT: &str = "project";
const VERSION: &str = "version";
const SHARED: &str = "shared";
pub const INSTALLATION: &str = "installation";

/// The purpose of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxPurpose {
    /// The project's own sandbox.
    Project,
    /// Shows a version to the project's owner.
    View(FragmentId),
    /// Shows a version to anyone with the project's link.
    Share(FragmentId),
}

/// A sandbox at the provider, asleep or awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSandbox {
    pub id: String,
    /// The project it was made for, if any.
    pub project: Option<String>,
    /// The version that it shows, unless it is its project's own sandbox.
    pub version: Option<String>,
    /// Whether it shows the version to anyone with the project's link.
    pub shared: bool,
    /// The installation that made it.
    pub installation: Option<String>,
    pub started_at: Timestamp,
    pub awake: bool,
}

/// The model, the sandboxes, and a browser for looking at apps, as a cheap handle.
#[derive(Clone)]
pub struct Agent {
    model: Model,
    sandboxes: Client,
    browsers: check::Browsers,
    redactor: Arc<Redactor>,
    /// For photos.
    http: reqwest::Client,
    mcp: McpServers,
    settings: config::Agent,
}

impl Agent {
    /// Errors when a rule that hides secrets does not compile (without it, nothing may be sent to a
    /// model), or when TLS can't be set up.
    pub fn new(model: Model, sandboxes: Client, settings: config::Agent) -> anyhow::Result<Self> {
        let mcp = McpServers::new(settings.mcp.clone())?;
        Ok(Self {
            model,
            sandboxes,
            browsers: check::Browsers::new(&settings.browser),
            redactor: Arc::new(Redactor::new(mcp.secrets())?),
            mcp,
            http: http_client::builder().build()?,
            settings,
        })
    }

    /// The client and the settings for photos.
    fn photos(&self) -> (&reqwest::Client, &config::Unsplash) {
        (&self.http, &self.settings.unsplash)
    }

    /// The MCP servers whose tools runs may use.
    pub fn mcp(&self) -> &McpServers {
        &self.mcp
    }

    /// The same agent with this model first, if it is configured; the others remain fallbacks in
    /// their order.
    pub fn preferring(&self, model: Option<&ModelId>) -> Self {
        match model.and_then(|model| self.model.preferring(model)) {
            Some(model) => Self {
                model,
                ..self.clone()
            },
            None => self.clone(),
        }
    }

    /// The same agent, limited to the provider's models with this user's own key.
    pub fn with_key(&self, provider: ModelProvider, key: &SecretString) -> Self {
        Self {
            model: self.model.with_key(provider, key),
            ..self.clone()
        }
    }

    /// The number of fallback providers after the first.
    pub fn alternatives(&self) -> usize {
        self.model.alternatives()
    }

    /// The page's notice about the model that builds, for a user with keys of these providers.
    pub fn notice(&self, keys: &[ModelProvider]) -> ModelNotice {
        self.model.notice_for(keys)
    }

    /// The models, for administrators.
    pub fn models(&self) -> ModelsOverview {
        self.model.overview()
    }

    /// Asks a model for a tool call, to find out whether it can build. `alternative` and `task` as
    /// in [`Agent::models`].
    pub async fn test_model(
        &self,
        alternative: usize,
        task: ModelTask,
    ) -> Result<TestCall, String> {
        let tested = self.model.test(alternative, task).await;
        tested.map_err(|error| error.to_string())
    }

    /// A new sandbox for the project, or to show one of its versions, with the template's files.
    /// `installation` distinguishes it from the sandboxes of other installations at the same
    /// provider.
    pub async fn create(
        &self,
        project: ProjectId,
        purpose: SandboxPurpose,
        installation: &str,
    ) -> Result<App, RunError> {
        let mut metadata = HashMap::from([
            (PROJECT, project.to_string()),
            (INSTALLATION, installation.to_owned()),
        ]);
        match purpose {
            SandboxPurpose::Project => {}
            SandboxPurpose::View(version) => _ = metadata.insert(VERSION, version.to_string()),
            SandboxPurpose::Share(version) => {
                metadata.insert(VERSION, version.to_string());
                metadata.insert(SHARED, "yes".to_owned());
            }
        }
        let sandbox = self.sandboxes.create(self.awake(), &metadata).await?;
        tracing::info!(project.id = %project, sandbox.id = sandbox.id(), "created a sandbox");
        Ok(App::new(sandbox))
    }

    /// The app in an existing sandbox, which is woken if it sleeps; `None` if it is gone.
    pub async fn open(&self, sandbox: &str) -> Result<Option<App>, RunError> {
        match self.sandboxes.connect(sandbox, self.awake()).await {
            Ok(sandbox) => Ok(Some(App::new(sandbox))),
            Err(SandboxError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the sandbox is awake; `None` if it is gone. Does not wake it.
    pub async fn is_awake(&self, sandbox: &str) -> Result<Option<bool>, RunError> {
        Ok(self.sandboxes.is_awake(sandbox).await?)
    }

    /// Long enough for a whole run.
    fn awake(&self) -> Duration {
        AWAKE.max(self.settings.run_timeout)
    }

    /// Where to send a request for a preview of the sandbox, as `host:port`; `None` if no host has
    /// it.
    pub async fn server_of(&self, sandbox: &str) -> Result<Option<String>, RunError> {
        Ok(self.sandboxes.server_of(sandbox).await?)
    }

    /// Whether the sandbox's host is being drained.
    pub async fn is_draining(&self, sandbox: &str) -> bool {
        self.sandboxes.is_draining(sandbox).await
    }

    /// Whether the sandbox's host counts as lost.
    pub async fn is_host_lost(&self, sandbox: &str) -> bool {
        self.sandboxes.is_host_lost(sandbox).await
    }

    /// The hosts of `SANDBOX_HOSTS`, as last seen.
    pub fn sandbox_hosts(&self) -> Vec<HostStatus> {
        self.sandboxes.hosts()
    }

    /// Kills a sandbox that is no longer needed.
    pub async fn discard(&self, sandbox: &str) -> Result<(), RunError> {
        Ok(self.sandboxes.kill(sandbox).await?)
    }

    /// All sandboxes at the provider, including those of other installations.
    pub async fn sandboxes(&self) -> Result<Vec<ListedSandbox>, RunError> {
        let listed = self.sandboxes.list().await?.into_iter();
        let listed = listed.map(|mut sandbox| ListedSandbox {
            project: sandbox.metadata.remove(PROJECT),
            version: sandbox.metadata.remove(VERSION),
            shared: sandbox.metadata.remove(SHARED).is_some(),
            installation: sandbox.metadata.remove(INSTALLATION),
            started_at: Timestamp(sandbox.started_at),
            awake: sandbox.awake,
            id: sandbox.id,
        });
        Ok(listed.collect())
    }

    /// The recent usage of these sandboxes, by id, as far as it was measured.
    pub async fn measure(&self, ids: &[&str]) -> Result<HashMap<String, SandboxUse>, RunError> {
        Ok(self.sandboxes.measure(ids).await?)
    }
}
