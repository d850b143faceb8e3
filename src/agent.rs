//! The agent: a model that works on an app in a sandbox by calling tools, turn by turn, until it
//! says that it is done.

mod app;
mod check;
mod input;
mod journal;
mod nextjs;
mod text;
mod tools;
mod turn;

use std::{collections::HashMap, time::Duration};

pub use app::{App, AppPath, Listing, Snapshot, Workplace};
pub use check::{Jail, Report};
pub use input::{AgentInput, CodeFiles, Design, PrevMessage, Titles, provisional_title};
pub use journal::{Attempt, Fault, FaultKind, Journal, RunError, Step};
pub use nextjs::answer::PageState;
pub use turn::{Job, Outcome, Work, build_app};

pub use crate::sandbox::Notice;
use crate::{
    config,
    llm::Model,
    protocol::{ModelNotice, ProjectId, Timestamp},
    sandbox::{Client, SandboxError},
};

/// How long a sandbox stays awake after it was last opened; opening it again puts that off.
const AWAKE: Duration = Duration::from_secs(15 * 60);

/// The metadata that says whose a sandbox is.
const PROJECT: &str = "project";
const INSTALLATION: &str = "installation";

/// A sandbox at the provider, asleep or awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSandbox {
    pub id: String,
    /// The project that it was made for; `None` for one that is no project's.
    pub project: Option<String>,
    /// Which installation made it for its projects.
    pub installation: Option<String>,
    pub started_at: Timestamp,
}

/// Model, sandboxes, and a browser to look at apps with, as a cheap handle.
#[derive(Clone)]
pub struct Agent {
    model: Model,
    sandboxes: Client,
    browsers: check::Browsers,
    /// For photos.
    http: reqwest::Client,
    settings: config::Agent,
}

impl Agent {
    pub fn new(model: Model, sandboxes: Client, settings: config::Agent) -> Self {
        Self {
            model,
            sandboxes,
            browsers: check::Browsers::new(&settings.browser),
            http: reqwest::Client::new(),
            settings,
        }
    }

    /// What photos are fetched with.
    fn photos(&self) -> (&reqwest::Client, &config::Unsplash) {
        (&self.http, &self.settings.unsplash)
    }

    /// How many providers there are to go on with after the first.
    pub fn alternatives(&self) -> usize {
        self.model.alternatives()
    }

    /// Which model builds, for the page to say so.
    pub fn notice(&self) -> ModelNotice {
        self.model.notice()
    }

    /// A new sandbox for the project, with the template's files. `installation` tells it from those
    /// of others at the same provider.
    pub async fn create(&self, project: ProjectId, installation: &str) -> Result<App, RunError> {
        let metadata = HashMap::from([
            (PROJECT, project.to_string()),
            (INSTALLATION, installation.to_owned()),
        ]);
        let sandbox = self.sandboxes.create(self.awake(), &metadata).await?;
        tracing::info!(project.id = %project, sandbox.id = sandbox.id(), "a sandbox was made");
        Ok(App::new(sandbox))
    }

    /// The app in an existing sandbox, which is woken when it sleeps; `None` when it is gone.
    pub async fn open(&self, sandbox: &str) -> Result<Option<App>, RunError> {
        match self.sandboxes.connect(sandbox, self.awake()).await {
            Ok(sandbox) => Ok(Some(App::new(sandbox))),
            Err(SandboxError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Long enough for a whole run.
    fn awake(&self) -> Duration {
        AWAKE.max(self.settings.run_timeout)
    }

    /// Ends a sandbox that nobody needs.
    pub async fn discard(&self, sandbox: &str) -> Result<(), RunError> {
        Ok(self.sandboxes.kill(sandbox).await?)
    }

    /// All sandboxes at the provider, also those of others.
    pub async fn sandboxes(&self) -> Result<Vec<ListedSandbox>, RunError> {
        let listed = self.sandboxes.list().await?.into_iter();
        let listed = listed.map(|mut sandbox| ListedSandbox {
            project: sandbox.metadata.remove(PROJECT),
            installation: sandbox.metadata.remove(INSTALLATION),
            started_at: Timestamp(sandbox.started_at),
            id: sandbox.id,
        });
        Ok(listed.collect())
    }
}
