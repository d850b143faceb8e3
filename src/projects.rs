//! Projects, for the pages that show them: the one door of `api` and `server`. Reads come from the
//! store and the sandbox; what begins or ends a run goes to `runs`. Errors are [`ProjectError`].

mod access;
mod administration;
mod apps;
mod archive;
mod compare;
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

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::{render::image_type, store::Backlog};
pub use error::ProjectError;
pub use feed::{Feed, FeedItem, FollowError};
pub use images::ImageContent;
pub use reports::ProjectReport;
pub use terminals::{TerminalItem, TerminalViewer};

use crate::{
    accounts::{Accounts, Identity},
    agent::Agent,
    config,
    protocol::{
        DevLog, ImageId, NewPrompt, PreviewError, Project, ProjectId, ProjectSummary, ProjectTitle,
        Run, RunId, UserId, UserUsage,
    },
    runs::{Events, ProjectLocks, RunContext, Supervisor, UnsealKey},
    store::Store,
};
use apps::Apps;
use edits::Edits;
use presence::Presence;
use previews::Previews;
use terminals::Terminals;
use views::{Audience, Views};
use visits::Visits;

/// How long the work under way may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Projects as somebody sees them, as a cheap handle: what is not theirs looks absent.
#[derive(Clone)]
pub struct Projects {
    inner: Arc<Inner>,
    /// In whose name this handle reads and writes.
    identity: Option<Identity>,
}

struct Inner {
    store: Store,
    agent: Agent,
    unseal_key: UnsealKey,
    events: Events,
    apps: Apps,
    edits: Edits,
    previews: Previews,
    terminals: Terminals,
    views: Views,
    /// The versions that visitors of shared apps look at, and what the visitors may cost.
    shared: Views,
    visits: Visits,
    presence: Presence,
    /// Of those that change a project's app.
    locks: ProjectLocks,
    /// Of those who have a journey played.
    playing: ProjectLocks,
    runs: Supervisor,
    /// Wakes what removes deleted projects.
    deleted: Notify,
    /// Apps being opened, watched previews, shells and the sweep.
    tasks: TaskTracker,
}

impl Projects {
    /// `shutdown` stops all work; the next start resumes what has been saved.
    pub fn new(
        store: Store,
        agent: Agent,
        accounts: Accounts,
        settings: &config::Agent,
        shutdown: CancellationToken,
    ) -> Self {
        let unseal_key: UnsealKey = Arc::new(move |user, provider, sealed| {
            accounts.unseal_model_key(user, provider, sealed)
        });
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
            unseal_key: unseal_key.clone(),
            apps: Arc::new(previews.clone()),
            locks: ProjectLocks::default(),
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
        Self {
            inner: Arc::new(Inner {
                store,
                agent,
                unseal_key,
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
                runs: Supervisor::new(context, settings, shutdown),
                deleted: Notify::new(),
                tasks,
            }),
            identity: None,
        }
    }

    /// Projects as the identity sees them; nobody sees any.
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

    /// Whose runs the dashboard shows: one's own, and everybody's to an administrator.
    fn dashboard_of(&self) -> Result<Option<&UserId>, ProjectError> {
        let user = self.user()?;
        let sees_all = self
            .identity
            .as_ref()
            .is_some_and(Identity::is_administrator);
        Ok((!sees_all).then_some(user))
    }

    /// Creates a project from its first prompt and the image that was uploaded for it; its run
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

    /// Adds a message, with the image that was uploaded for it, to the project; its run begins when
    /// those before it have ended.
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

    /// Stops the run, at work or waiting: what was written is kept. One that has ended already is
    /// left as it is.
    pub async fn cancel(&self, run: RunId) -> Result<Run, ProjectError> {
        self.editable_run(run).await?;
        Ok(self.inner.runs.cancel(run).await?)
    }

    /// Runs the message of a run that failed or was stopped once more; `Conflict` for any other.
    pub async fn replay(&self, run: RunId) -> Result<Run, ProjectError> {
        self.editable_run(run).await?;
        Ok(self.inner.runs.replay(self.user()?, run).await?)
    }

    /// Their projects and those of others that they are in, the one worked on last first.
    pub async fn list(&self) -> Result<Vec<ProjectSummary>, ProjectError> {
        let store = &self.inner.store;
        Ok(store.list_visible_projects(self.user()?).await?)
    }

    /// Gives the project a title of people's, which runs leave alone; open pages follow.
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

    /// A new project of theirs with the files of this one's latest version; its sandbox is made
    /// when it is opened. `Conflict` when there is no version yet.
    pub async fn duplicate(&self, project: ProjectId) -> Result<Project, ProjectError> {
        self.expect_viewer(project).await?;
        let store = &self.inner.store;
        Ok(store.duplicate_project(self.user()?, project).await?)
    }

    /// Tokens and money of their runs so far, of each user's to an administrator.
    pub async fn usage(&self) -> Result<Vec<UserUsage>, ProjectError> {
        Ok(self.inner.store.list_usage(self.dashboard_of()?).await?)
    }

    /// Notes that somebody looks at the project's preview; an app that is asleep wakes.
    pub async fn attend_preview(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_viewer(project).await?;
        self.inner.previews.attend(project);
        Ok(())
    }

    /// Replaces the errors on the project's page, as reported by somebody's open preview. They are
    /// forgotten when nobody watches it any more.
    pub async fn report_preview_errors(
        &self,
        project: ProjectId,
        errors: Vec<PreviewError>,
    ) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        self.inner.previews.report(project, errors);
        Ok(())
    }

    /// What the app's dev server printed after so many bytes; nothing while there is no app.
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

    /// How many runs have not ended, everybody's.
    pub async fn backlog(&self) -> Result<Backlog, ProjectError> {
        Ok(self.inner.store.backlog().await?)
    }

    /// How many connections to the database are open, and how many of them are idle.
    pub fn database_connections(&self) -> (usize, usize) {
        self.inner.store.connections()
    }

    /// Resumes every run that has not ended, and waits for the end of the sittings in which files
    /// were edited. Returns how many projects have runs.
    pub async fn resume(&self) -> Result<usize, ProjectError> {
        self.inner.edits.resume().await?;
        Ok(self.inner.runs.resume().await?)
    }

    /// Waits until all work has stopped; call it after cancelling the token. Work that waits for
    /// another machine is abandoned after 15 seconds, and resumes at the next start as after a
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
