//! Projects, for the pages that show them: the only entrance for `api` and `server`. Reads come
//! from the store and the sandbox; whatever begins or ends a run goes to `runs`. Errors are
//! [`ProjectError`].

mod access;
mod administration;
mod apps;
mod archive;
mod compare;
mod consents;
mod dashboard;
mod deletion;
mod edits;
mod elements;
mod error;
mod export;
mod feed;
mod file_changes;
mod files;
mod html;
mod images;
mod journeys;
mod messages;
mod models;
mod preferences;
mod presence;
mod previews;
mod prompt_help;
mod reports;
mod saved_prompts;
mod shares;
mod showcase;
mod steps;
mod sweep;
mod team;
mod terminals;
mod versions;
mod views;
mod visits;
mod workspace;

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::{render::image_type, store::Backlog};
pub use error::ProjectError;
pub use feed::{Feed, FeedItem, FollowError};
pub use images::ImageContent;
pub use reports::ProjectReport;
pub use terminals::{TerminalItem, TerminalViewer};

use crate::{
    accounts::{Accounts, Identity},
    agent::{Agent, HostStatus},
    config,
    protocol::{
        DevLog, ImageId, NewPrompt, PreviewError, Project, ProjectId, ProjectSummary, ProjectTitle,
        Run, RunId, UserId, UserUsage,
    },
    runs::{AppLocks, Events, OwnKeys, ProjectLocks, RunContext, Supervisor},
    store::Store,
};
use apps::Apps;
use edits::Edits;
use presence::Presence;
use previews::Previews;
use terminals::Terminals;
use views::{Audience, Views};
use visits::Visits;

/// How long current work may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Projects as one identity sees them, as a cheap handle: those of others look absent.
#[derive(Clone)]
pub struct Projects {
    inner: Arc<Inner>,
    /// The identity that this handle reads and writes for.
    identity: Option<Identity>,
}

struct Inner {
    store: Store,
    agent: Agent,
    own_keys: OwnKeys,
    events: Events,
    apps: Apps,
    edits: Edits,
    previews: Previews,
    terminals: Terminals,
    views: Views,
    /// The versions that visitors of shared apps view, and the limits on those visitors.
    shared: Views,
    visits: Visits,
    presence: Presence,
    /// The locks for changes to a project's app.
    locks: AppLocks,
    /// Of those who have a journey played.
    playing: ProjectLocks,
    runs: Supervisor,
    /// Wakes the task that removes deleted projects.
    deleted: Notify,
    /// Apps being opened, watched previews, shells and the sweep.
    tasks: TaskTracker,
}

impl Projects {
    /// With the embedded engine, or with Restate and the listener where it calls this server.
    /// `shutdown` stops all work; the next start resumes what has been saved.
    pub fn new(
        store: Store,
        agent: Agent,
        accounts: Accounts,
        settings: &config::Agent,
        restate: Option<(config::Restate, TcpListener)>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let own_keys = OwnKeys {
            store: store.clone(),
            agent: agent.clone(),
            unseal: Arc::new(move |user, provider, sealed| {
                accounts.unseal_model_key(user, provider, sealed)
            }),
        };
        let events = Events::new(store.clone());
        let tasks = TaskTracker::new();
        let apps = Apps::new(store.clone(), events.clone(), agent.clone(), tasks.clone());
        let edits = Edits::new(
            store.clone(),
            events.clone(),
            apps.clone(),
            tasks.clone(),
            shutdown.clone(),
        );
        let previews = Previews::new(
            store.clone(),
            events.clone(),
            apps.clone(),
            edits.clone(),
            tasks.clone(),
            shutdown.clone(),
            settings.idle,
        );
        let context = RunContext {
            store: store.clone(),
            events: events.clone(),
            agent: agent.clone(),
            own_keys: own_keys.clone(),
            apps: Arc::new(previews.clone()),
            locks: AppLocks::new(store.clone(), shutdown.clone()),
        };
        let terminals = Terminals::new(
            store.clone(),
            agent.clone(),
            apps.clone(),
            tasks.clone(),
            shutdown.clone(),
        );
        let views = |audience| {
            let (store, agent) = (store.clone(), agent.clone());
            Views::new(audience, store, agent, tasks.clone(), shutdown.clone())
        };
        let (views, shared) = (views(Audience::Owner), views(Audience::Visitors));
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                agent,
                own_keys,
                events,
                apps,
                edits,
                previews,
                terminals,
                views,
                shared,
                visits: Visits::default(),
                presence: Presence::default(),
                locks: context.locks.clone(),
                playing: ProjectLocks::default(),
                runs: Supervisor::new(context, settings, restate, shutdown)?,
                deleted: Notify::new(),
                tasks,
            }),
            identity: None,
        })
    }

    /// Projects as the identity sees them; without one, none are visible.
    pub fn seen_by(&self, identity: Option<Identity>) -> Self {
        Self {
            inner: self.inner.clone(),
            identity,
        }
    }

    fn user(&self) -> Result<&UserId, ProjectError> {
        let identity = self.identity.as_ref().ok_or(ProjectError::SignedOut)?;
        Ok(&identity.user)
    }

    /// Whose runs the dashboard shows: the user's own, and for administrators everybody's.
    fn dashboard_of(&self) -> Result<Option<&UserId>, ProjectError> {
        let user = self.user()?;
        let sees_all = self
            .identity
            .as_ref()
            .is_some_and(Identity::is_administrator);
        Ok((!sees_all).then_some(user))
    }

    /// Creates a project from its first prompt and the image that was uploaded for it. Its run
    /// begins at once.
    pub async fn create(
        &self,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Project, ProjectError> {
        self.expect_offered(prompt.model()).await?;
        Ok(self
            .inner
            .runs
            .create_project(self.user()?, prompt, image)
            .await?)
    }

    /// Adds a message to the project, with the image that was uploaded for it. Its run begins after
    /// the project's earlier runs.
    pub async fn add_prompt(
        &self,
        project: ProjectId,
        prompt: &NewPrompt,
        image: Option<ImageId>,
    ) -> Result<Run, ProjectError> {
        self.expect_editor(project).await?;
        self.expect_offered(prompt.model()).await?;
        let user = self.user()?;
        let added = self.inner.runs.add_prompt(user, project, prompt, image);
        Ok(added.await?)
    }

    /// Stops the run, whether running or queued; what it wrote is kept. A finished run is left as
    /// it is.
    pub async fn cancel(&self, run: RunId) -> Result<Run, ProjectError> {
        self.editable_run(run).await?;
        Ok(self.inner.runs.cancel(run).await?)
    }

    /// Executes the message of a failed or stopped run once more; `Conflict` for any other run.
    pub async fn replay(&self, run: RunId) -> Result<Run, ProjectError> {
        self.editable_run(run).await?;
        Ok(self.inner.runs.replay(self.user()?, run).await?)
    }

    /// The user's projects, their own and those of others they are in, most recently active first.
    pub async fn list(&self) -> Result<Vec<ProjectSummary>, ProjectError> {
        let store = &self.inner.store;
        Ok(store.list_visible_projects(self.user()?).await?)
    }

    /// Gives the project a title of the user's choice, which runs leave alone; open pages follow.
    pub async fn rename(
        &self,
        project: ProjectId,
        title: &ProjectTitle,
    ) -> Result<Project, ProjectError> {
        self.expect_editor(project).await?;
        let store = &self.inner.store;
        let event = store.rename_project(project, title.as_str()).await?;
        self.inner.events.announce(event);
        Ok(store.find_project(project).await?)
    }

    /// A new project with the files of this one's latest version. Its sandbox is created when it is
    /// opened. `Conflict` if there is no version yet.
    pub async fn duplicate(&self, project: ProjectId) -> Result<Project, ProjectError> {
        self.expect_viewer(project).await?;
        let store = &self.inner.store;
        Ok(store.duplicate_project(self.user()?, project).await?)
    }

    /// Tokens and money that the user's runs have used; for administrators, that of every user.
    pub async fn usage(&self) -> Result<Vec<UserUsage>, ProjectError> {
        Ok(self.inner.store.list_usage(self.dashboard_of()?).await?)
    }

    /// Notes that somebody looks at the project's preview; a sleeping app wakes.
    pub async fn attend_preview(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_viewer(project).await?;
        self.inner.previews.attend(project);
        Ok(())
    }

    /// Replaces the errors of the project's page with those that an open preview reports. They are
    /// forgotten when nobody watches the preview any more.
    pub async fn report_preview_errors(
        &self,
        project: ProjectId,
        errors: Vec<PreviewError>,
    ) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        self.inner.previews.report(project, errors);
        Ok(())
    }

    /// The app's dev server log from this offset on; empty while there is no app.
    pub async fn dev_log(&self, project: ProjectId, after: u64) -> Result<DevLog, ProjectError> {
        self.expect_viewer(project).await?;
        if !self.inner.apps.exists(project).await? {
            return Ok(DevLog::default());
        }
        Ok(self.inner.apps.open(project).await?.dev_log(after).await?)
    }

    /// Returns once the database answers.
    pub async fn ping(&self) -> Result<(), ProjectError> {
        Ok(self.inner.store.ping().await?)
    }

    /// Returns once the bucket with the contents of files answers, or at once without one.
    pub async fn ping_storage(&self) -> Result<(), ProjectError> {
        Ok(self.inner.store.ping_bucket().await?)
    }

    /// The number of unfinished runs of all users.
    pub async fn backlog(&self) -> Result<Backlog, ProjectError> {
        Ok(self.inner.store.backlog().await?)
    }

    /// The hosts of `SANDBOX_HOSTS`, as last seen.
    pub fn sandbox_hosts(&self) -> Vec<HostStatus> {
        self.inner.agent.sandbox_hosts()
    }

    /// Where to send a request for a preview of the sandbox, as `host:port`; `None` if no host has
    /// it.
    pub async fn preview_server(&self, sandbox: &str) -> Result<Option<String>, ProjectError> {
        Ok(self.inner.agent.server_of(sandbox).await?)
    }

    /// Whether a host has the sandbox.
    pub async fn has_sandbox(&self, sandbox: &str) -> Result<bool, ProjectError> {
        Ok(self.inner.agent.is_awake(sandbox).await?.is_some())
    }

    /// The number of open database connections, and how many of them are idle.
    pub fn database_connections(&self) -> (usize, usize) {
        self.inner.store.connections()
    }

    /// Resumes every unfinished run, and waits for the end of unfinished editing sessions. Returns
    /// the number of projects with runs.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        self.inner.edits.resume().await?;
        self.inner.runs.resume().await
    }

    /// Waits until all work has stopped; call it after cancelling the token. Work that waits for
    /// another machine is abandoned after 15 seconds and resumes at the next start, as after a
    /// crash.
    pub async fn stopped(&self) {
        let stopped = async {
            self.inner.runs.stopped().await;
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        };
        if tokio::time::timeout(STOP_TIMEOUT, stopped).await.is_err() {
            tracing::warn!("some work did not stop in time; the next start resumes it");
        }
    }
}
