//! Versions that somebody views without restoring them, be it the owner or a visitor with the
//! project's link. Each runs in a sandbox of its own, created from that version. Later viewers
//! share it, and it ends when nobody looks any more. It never is the project's sandbox, and changes
//! made in it are not kept. Owners and visitors never share one, because a share can end while its
//! owner looks on.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    agent::{Agent, App, PageState, RunError, SandboxPurpose},
    protocol::{FragmentId, PreviewState, ProjectId},
    store::Store,
};

/// How many versions may have a sandbox at a time, per project and over all projects. Another one
/// replaces the one that was viewed longest ago.
const MAX_OF_PROJECT: usize = 2;
const MAX: usize = 6;
/// How long a version keeps its sandbox without a viewer. Viewers ask again every half minute.
pub const UNUSED: Duration = Duration::from_secs(180);
/// How long a visitor's sandbox is kept when others need its place.
const HELD: Duration = Duration::from_secs(60);
/// The reply to a visitor for whom there is no place.
const NO_ROOM: &str = "Many shared apps are open right now, and there is no room for one more. Try again in a minute.";
/// The time between two checks for unused sandboxes.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// How long a page may take to answer before the view says that it is compiling.
const QUICK: Duration = Duration::from_millis(700);

/// The kind of viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Owner,
    /// Anyone with the project's link. They are strangers, and never displace each other.
    Visitors,
}

/// The sandboxes of versions, as a cheap handle.
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    audience: Audience,
    store: Store,
    agent: Agent,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    open: Mutex<HashMap<FragmentId, View>>,
}

struct View {
    project: ProjectId,
    used: Instant,
    state: State,
}

#[derive(Clone)]
enum State {
    /// Its sandbox is being created.
    Starting,
    Made(App),
    /// It can't be created, for this reason.
    Failed(String),
}

impl Views {
    pub fn new(
        audience: Audience,
        store: Store,
        agent: Agent,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                audience,
                store,
                agent,
                tasks,
                shutdown,
                open: Mutex::default(),
            }),
        }
    }

    /// The state of the version's page; its sandbox is created if it has none.
    pub async fn look(
        &self,
        project: ProjectId,
        version: FragmentId,
    ) -> Result<PreviewState, RunError> {
        let (state, ended, is_first) = {
            let mut open = self.inner.open.lock();
            let is_first = open.is_empty();
            match open.get_mut(&version) {
                Some(view) => {
                    view.used = Instant::now();
                    (view.state.clone(), Vec::new(), false)
                }
                None => {
                    let held = match self.inner.audience {
                        Audience::Owner => Duration::ZERO,
                        Audience::Visitors => HELD,
                    };
                    let Some(ended) = make_room(&mut open, project, held) else {
                        return Ok(PreviewState::Failed {
                            url: None,
                            reason: NO_ROOM.to_owned(),
                        });
                    };
                    let view = View {
                        project,
                        used: Instant::now(),
                        state: State::Starting,
                    };
                    open.insert(version, view);
                    self.make(project, version);
                    (State::Starting, ended, is_first)
                }
            }
        };
        if is_first {
            self.end_unused();
        }
        for app in ended {
            self.inner.discard(&app).await;
        }
        match state {
            State::Starting => Ok(PreviewState::Starting),
            State::Failed(reason) => {
                // The next request tries again.
                self.inner.open.lock().remove(&version);
                Ok(PreviewState::Failed { url: None, reason })
            }
            State::Made(app) => match page(&app).await {
                Err(error) if error.is_sandbox_fault() => {
                    self.inner.open.lock().remove(&version);
                    Ok(PreviewState::Starting)
                }
                page => page,
            },
        }
    }

    /// Whether this sandbox shows a version to somebody.
    pub fn has(&self, sandbox: &str) -> bool {
        self.project_with(sandbox).is_some()
    }

    /// Whether the version has a sandbox, or is getting one.
    pub fn is_open(&self, version: FragmentId) -> bool {
        self.inner.open.lock().contains_key(&version)
    }

    /// The project whose version this sandbox shows.
    pub fn project_with(&self, sandbox: &str) -> Option<ProjectId> {
        let open = self.inner.open.lock();
        let view = open
            .values()
            .find(|view| matches!(&view.state, State::Made(app) if app.id() == sandbox));
        view.map(|view| view.project)
    }

    /// Ends the sandboxes of the project's versions except `kept`, and all connections to them.
    pub async fn end(&self, project: ProjectId, kept: Option<FragmentId>) {
        let ended: Vec<View> = {
            let mut open = self.inner.open.lock();
            open.extract_if(|version, view| view.project == project && Some(*version) != kept)
                .map(|(_, view)| view)
                .collect()
        };
        for app in ended.into_iter().filter_map(made) {
            self.inner.discard(&app).await;
        }
    }

    /// Creates the version's sandbox, in a task of its own.
    fn make(&self, project: ProjectId, version: FragmentId) {
        let inner = self.inner.clone();
        let making = async move {
            let made = tokio::select! {
                made = inner.find_or_make(project, version) => made,
                () = inner.shutdown.cancelled() => return,
            };
            let superfluous = match made {
                Ok(app) => inner.set(version, State::Made(app.clone())).then_some(app),
                Err(error) => {
                    tracing::warn!(project.id = %project, %error, "a version can't be shown");
                    inner.set(version, State::Failed(error.to_string()));
                    None
                }
            };
            if let Some(app) = superfluous {
                inner.discard(&app).await;
            }
        };
        self.inner.tasks.spawn(making.in_current_span());
    }

    /// Ends unused sandboxes from time to time, until none is left.
    fn end_unused(&self) {
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(CHECK_INTERVAL) => {}
                    // Their sandboxes soon fall asleep, and the sweep after the next start ends
                    // them.
                    () = inner.shutdown.cancelled() => return,
                }
                let (unused, is_empty) = {
                    let mut open = inner.open.lock();
                    let unused = open
                        .extract_if(|_, view| view.used.elapsed() >= UNUSED)
                        .filter_map(|(_, view)| made(view))
                        .collect::<Vec<_>>();
                    (unused, open.is_empty())
                };
                for app in unused {
                    inner.discard(&app).await;
                }
                if is_empty {
                    return;
                }
            }
        });
    }
}

impl Inner {
    /// Sets the view's state; returns whether the view is gone.
    fn set(&self, version: FragmentId, state: State) -> bool {
        match self.open.lock().get_mut(&version) {
            Some(view) => {
                view.state = state;
                false
            }
            None => true,
        }
    }

    /// The sandbox that was created for the version before the server restarted, or a new one.
    async fn find_or_make(&self, project: ProjectId, version: FragmentId) -> Result<App, RunError> {
        let installation = self.store.installation().await?;
        for listed in self.agent.sandboxes().await? {
            let is_it = listed.installation.as_deref() == Some(&*installation)
                && listed.shared == (self.audience == Audience::Visitors)
                && listed.version.as_deref() == Some(&*version.to_string())
                && !self.agent.is_draining(&listed.id).await;
            if is_it && let Some(app) = self.agent.open(&listed.id).await? {
                return Ok(app);
            }
        }
        let saved = self.store.find_version(project, version).await?;
        let purpose = match self.audience {
            Audience::Owner => SandboxPurpose::View(version),
            Audience::Visitors => SandboxPurpose::Share(version),
        };
        let app = self.agent.create(project, purpose, &installation).await?;
        let filled = if saved.partial {
            app.restore(saved.entries, false).await
        } else {
            app.rebuild(saved.entries).await
        };
        if let Err(error) = filled {
            self.discard(&app).await;
            return Err(error);
        }
        Ok(app)
    }

    async fn discard(&self, app: &App) {
        if let Err(error) = self.agent.discard(app.id()).await {
            tracing::warn!(
                sandbox.id = app.id(),
                error = format!("{error:#}"),
                "the sandbox of a version could not be ended"
            );
        }
    }
}

/// Removes the view that was used longest ago, to make room for another one of the project. Returns
/// the app whose sandbox must be ended; `None` if all were used within `held`.
fn make_room(
    open: &mut HashMap<FragmentId, View>,
    project: ProjectId,
    held: Duration,
) -> Option<Vec<App>> {
    let of_project = open.values().filter(|view| view.project == project).count();
    let only_own = of_project >= MAX_OF_PROJECT;
    if !only_own && open.len() < MAX {
        return Some(Vec::new());
    }
    let (oldest, _) = open
        .iter()
        .filter(|(_, view)| !only_own || view.project == project)
        // A project's older version of its own displaces nobody else.
        .filter(|(_, view)| only_own || view.used.elapsed() >= held)
        .min_by_key(|(_, view)| view.used)?;
    let oldest = *oldest;
    Some(open.remove(&oldest).and_then(made).into_iter().collect())
}

fn made(view: View) -> Option<App> {
    match view.state {
        State::Made(app) => Some(app),
        State::Starting | State::Failed(_) => None,
    }
}

/// The current state of the app's first page.
async fn page(app: &App) -> Result<PreviewState, RunError> {
    let url = app.url();
    let state = match tokio::time::timeout(QUICK, app.page_state()).await {
        Err(_) => PreviewState::Compiling { url },
        Ok(page) => match page? {
            PageState::Starting => PreviewState::Starting,
            PageState::Ready => PreviewState::Ready { url, notice: None },
            PageState::Failed(reason) => PreviewState::Failed {
                url: Some(url),
                reason,
            },
        },
    };
    Ok(state)
}
