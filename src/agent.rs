//! The agent: a model that works on an app in a sandbox by calling tools, turn by turn, until it says that it is done.

mod app;
mod calls;
mod check;
mod compaction;
mod design;
mod growth;
mod guards;
mod input;
mod journal;
mod naming;
mod path;
mod plain;
mod probe;
mod prose;
mod secrets;
mod summary;
mod tools;
mod turn;
mod words;
mod workplace;

use std::{collections::HashMap, time::Duration};

pub use app::App;
pub use check::{Jail, Report};
pub use design::Design;
pub use input::{AgentInput, CodeFiles, PrevMessage};
pub use journal::{Attempt, Fault, FaultKind, Journal, RunError, Step};
pub use naming::{Titles, provisional_title};
pub use path::AppPath;
pub use probe::Probe;
pub use turn::{Job, Outcome, build_app};
pub use workplace::Workplace;

pub use crate::sandbox::Notice;
use crate::{
    config,
    llm::Model,
    protocol::{ModelNotice, ProjectId},
    sandbox::{Client, SandboxError},
};

/// How long a sandbox stays awake after it was last opened; opening it again puts that off.
const AWAKE: Duration = Duration::from_secs(15 * 60);

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

    /// A new sandbox for the project, with the template's files.
    pub async fn create(&self, project: ProjectId) -> Result<App, RunError> {
        let metadata = HashMap::from([("project", project.to_string())]);
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
    pub async fn discard(&self, app: &App) -> Result<(), RunError> {
        Ok(self.sandboxes.kill(app.id()).await?)
    }
}
