//! Versions that somebody looks at without restoring them, its owner or whoever has the project's
//! link: each in a sandbox of its own, made from that version, found again by whoever looks next,
//! and ended when nobody does. They are never their project's sandbox, and nothing that is done in
//! them is kept. Owners and visitors never share one: a share can end while its owner looks on.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    agent::{Agent, App, PageState, Purpose, RunError},
    protocol::{FragmentId, PreviewState, ProjectId},
    store::Store,
};

/// How many versions of a project, and of all projects, have a sandbox at a time: another one takes
/// the place of that which was looked at longest ago.
const MAX_OF_PROJECT: usize = 2;
const MAX: usize = 6;
/// How long a version keeps its sandbox when nobody looks at it: who does, asks again each half
/// minute.
pub const UNUSED: Duration = Duration::from_secs(180);
/// How long a visitor's sandbox keeps its place when others want it.
const HELD: Duration = Duration::from_secs(60);
/// What a visitor reads who finds no place.
const NO_ROOM: &str = "Many shared apps are open right now, and there is no room for one more. Try again in a minute.";
/// Between two looks for such.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// How long a page may take to answer before the view says that it compiles.
const QUICK: Duration = Duration::from_millis(700);

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Owner,
    /// Whoever has the project's link: strangers, who take no place from each other.
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
    /// Its sandbox is being made.
    Starting,
    Made(App),
    /// It can't be made, for this reason.
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

    /// What the version's page shows; its sandbox is made when it has none.
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
                // Whoever asks again tries again.
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

    /// Whether somebody looks at a version in this sandbox.
    pub fn has(&self, sandbox: &str) -> bool {
        self.project_with(sandbox).is_some()
    }

    /// Whether the version has a sandbox, or is about to have one.
    pub fn is_open(&self, version: FragmentId) -> bool {
        self.inner.open.lock().contains_key(&version)
    }

    /// The project whose version is looked at in this sandbox.
    pub fn project_with(&self, sandbox: &str) -> Option<ProjectId> {
        let open = self.inner.open.lock();
        let view = open
            .values()
            .find(|view| matches!(&view.state, State::Made(app) if app.id() == sandbox));
        view.map(|view| view.project)
    }

    /// Ends the sandboxes of the project's versions but `kept`, and with them whatever is connected
    /// to them.
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

    /// Makes the version's sandbox, in a task of its own.
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

    /// Ends what nobody looks at, from time to time, until nothing is left.
    fn end_unused(&self) {
        let inner = self.inner.clone();
        self.inner.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(CHECK_INTERVAL) => {}
                    // Their sandboxes are asleep soon, and the sweep after the next start ends
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
    /// Sets the view's state; returns whether there is no such view any more.
    fn set(&self, version: FragmentId, state: State) -> bool {
        match self.open.lock().get_mut(&version) {
            Some(view) => {
                view.state = state;
                false
            }
            None => true,
        }
    }

    /// The sandbox that was made for the version before the server started again, or a new one.
    async fn find_or_make(&self, project: ProjectId, version: FragmentId) -> Result<App, RunError> {
        let installation = self.store.installation().await?;
        for listed in self.agent.sandboxes().await? {
            let is_it = listed.installation.as_deref() == Some(&*installation)
                && listed.shared == (self.audience == Audience::Visitors)
                && listed.version.as_deref() == Some(&*version.to_string());
            if is_it && let Some(app) = self.agent.open(&listed.id).await? {
                return Ok(app);
            }
        }
        let saved = self.store.find_version(project, version).await?;
        let purpose = match self.audience {
            Audience::Owner => Purpose::View(version),
            Audience::Visitors => Purpose::Share(version),
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

/// Takes out the view that another one of the project needs the place of: the one used longest ago.
/// Returns the app whose sandbox is to be ended; `None` when all were used within the time `held`.
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
        // The project's own older version is nobody else's.
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

/// What the app's first page shows at this moment.
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
