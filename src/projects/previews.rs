//! Previews: while somebody looks at a project, its sandbox stays awake and the state of its page
//! is published, so that the workspace says what is going on instead of showing an empty frame. The
//! errors that the page reports meanwhile are kept.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{apps::Apps, edits::Edits};
use crate::{
    agent::{App, PageState, RunError, SandboxNotice},
    protocol::{EventKind, PreviewError, PreviewState, ProjectId},
    runs::{Events, ProjectApp},
    store::Store,
};

/// How long a page may take before the preview says that it is compiling.
const QUICK: Duration = Duration::from_millis(700);
/// Between two checks of an app that does not answer yet.
const STARTING: Duration = Duration::from_millis(300);
/// Between two checks of an app whose page can't be shown.
const FAILING: Duration = Duration::from_secs(3);
/// Between two checks of an app that keeps crashing: each check makes it retry what it failed at.
const UNSTABLE: Duration = Duration::from_secs(15);
/// Between two checks of an app that answers; each check also extends the sandbox's life.
const READY: Duration = Duration::from_secs(60);
/// Between two checks for trouble in its sandbox, during that time.
const TROUBLE: Duration = Duration::from_secs(4);

/// The watched previews, as a cheap handle.
#[derive(Clone)]
pub struct Previews {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    events: Events,
    apps: Apps,
    edits: Edits,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// How long without a viewer until an app may fall asleep.
    attention: Duration,
    watched: Mutex<HashMap<ProjectId, Watched>>,
}

struct Watched {
    watchers: usize,
    /// When somebody last looked.
    seen: Instant,
    is_asleep: bool,
    wake: Arc<Notify>,
    ended: CancellationToken,
    /// The errors on the page, as its watchers report them, each with the time of its first report.
    errors: Vec<(Instant, PreviewError)>,
}

/// The result of a check of an app: the wait before the next one, and the state of its sandbox.
struct Look {
    pause: Duration,
    app: Option<App>,
    notice: Option<SandboxNotice>,
}

impl Look {
    fn after(pause: Duration) -> Self {
        Self {
            pause,
            app: None,
            notice: None,
        }
    }

    /// Waits for new trouble in the app's sandbox.
    async fn trouble(&self) {
        let Some(app) = &self.app else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(TROUBLE).await;
            let notice = app.notice().await;
            if notice.is_some()
                && notice.map(|notice| notice.at)
                    != self.notice.as_ref().map(|notice| notice.at.clone())
            {
                return;
            }
        }
    }
}

impl Watched {
    /// Notes a viewer; a sleeping app wakes.
    fn attend(&mut self) {
        self.seen = Instant::now();
        if self.is_asleep {
            self.is_asleep = false;
            self.wake.notify_one();
        }
    }
}

/// Keeps a preview watched until it is dropped.
pub struct PreviewWatch {
    inner: Arc<Inner>,
    project: ProjectId,
}

impl Drop for PreviewWatch {
    fn drop(&mut self) {
        let mut watched = self.inner.watched.lock();
        if let Some(entry) = watched.get_mut(&self.project) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                entry.ended.cancel();
                watched.remove(&self.project);
            }
        }
    }
}

impl Previews {
    pub fn new(
        store: Store,
        events: Events,
        apps: Apps,
        edits: Edits,
        tasks: TaskTracker,
        shutdown: CancellationToken,
        attention: Duration,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                events,
                apps,
                edits,
                tasks,
                shutdown,
                attention,
                watched: Mutex::default(),
            }),
        }
    }

    /// Watches the project's preview until the guard is dropped.
    pub fn watch(&self, project: ProjectId) -> PreviewWatch {
        let mut watched = self.inner.watched.lock();
        if let Some(entry) = watched.get_mut(&project) {
            entry.watchers += 1;
            entry.attend();
        } else {
            let entry = Watched {
                watchers: 1,
                seen: Instant::now(),
                is_asleep: false,
                wake: Arc::new(Notify::new()),
                ended: self.inner.shutdown.child_token(),
                errors: Vec::new(),
            };
            let (inner, wake, ended) =
                (self.inner.clone(), entry.wake.clone(), entry.ended.clone());
            self.inner.tasks.spawn(async move {
                tokio::select! {
                    () = inner.keep_looking(project, &wake) => {}
                    () = ended.cancelled() => {}
                }
            });
            watched.insert(project, entry);
        }
        PreviewWatch {
            inner: self.inner.clone(),
            project,
        }
    }

    /// Notes a viewer of the project's preview.
    pub fn attend(&self, project: ProjectId) {
        if let Some(entry) = self.inner.watched.lock().get_mut(&project) {
            entry.attend();
        }
    }

    /// Replaces the errors of the project's page, if somebody watches it.
    pub fn report(&self, project: ProjectId, errors: Vec<PreviewError>) {
        if let Some(entry) = self.inner.watched.lock().get_mut(&project) {
            entry.errors = standing(std::mem::take(&mut entry.errors), errors, Instant::now());
        }
    }
}

impl ProjectApp for Previews {
    fn open(&self, project: ProjectId) -> BoxFuture<'_, Result<App, RunError>> {
        Box::pin(self.inner.apps.open(project))
    }

    fn keep_edits(&self, project: ProjectId) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.edits.keep(project))
    }

    fn changed(&self, project: ProjectId) {
        if let Some(entry) = self.inner.watched.lock().get_mut(&project) {
            entry.attend();
            entry.wake.notify_one();
        }
    }

    fn publish_preview<'a>(
        &'a self,
        project: ProjectId,
        app: &'a App,
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move { self.inner.look(project, app).await.map(drop) })
    }

    /// A change of the page clears earlier errors, so the errors since the last change are those of
    /// the current app.
    fn reported_since(&self, project: ProjectId, since: Instant) -> Option<Vec<PreviewError>> {
        let watched = self.inner.watched.lock();
        let later = watched
            .get(&project)?
            .errors
            .iter()
            .filter(|(at, _)| *at >= since);
        Some(later.map(|(_, error)| error.clone()).collect())
    }
}

impl Inner {
    async fn keep_looking(&self, project: ProjectId, wake: &Notify) {
        let mut logged = None;
        let mut last = None;
        loop {
            if let Some(app) = &last {
                match self.lull(project, app).await {
                    Ok(true) => wake.notified().await,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(project.id = %project, %error, "whether anybody looks can't be known");
                    }
                }
            }
            let look = match self.look_once(project).await {
                Ok(look) => look,
                Err(error @ (RunError::User(_) | RunError::Transient(_))) => {
                    let reason = error.to_string();
                    if logged.as_ref() != Some(&reason) {
                        tracing::warn!(project.id = %project, reason, "the preview can't be shown");
                        logged = Some(reason.clone());
                    }
                    let preview = PreviewState::Failed { url: None, reason };
                    if let Err(error) = self
                        .events
                        .publish(project, None, EventKind::Preview { preview })
                        .await
                    {
                        tracing::error!(
                            project.id = %project,
                            %error,
                            "the preview's state can't be saved"
                        );
                    }
                    Look::after(FAILING)
                }
                Err(RunError::Internal(error)) => {
                    tracing::error!(
                        project.id = %project,
                        error = format!("{error:#}"),
                        "the preview can't be checked"
                    );
                    Look::after(FAILING)
                }
            };
            last = look.app.clone();
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(look.pause) => {}
                () = look.trouble() => {}
            }
        }
    }

    /// Lets the app fall asleep if it has no viewer and no run is working; returns whether it does.
    async fn lull(&self, project: ProjectId, app: &App) -> Result<bool, RunError> {
        if self.store.next_run(project).await?.is_some() {
            return Ok(false);
        }
        match self.watched.lock().get_mut(&project) {
            Some(entry) if entry.seen.elapsed() >= self.attention => entry.is_asleep = true,
            _ => return Ok(false),
        }
        self.publish(project, PreviewState::Asleep { url: app.url() })
            .await?;
        Ok(true)
    }

    async fn look_once(&self, project: ProjectId) -> Result<Look, RunError> {
        if !self.apps.exists(project).await? {
            // The run that creates the sandbox wakes this loop.
            return Ok(Look::after(READY));
        }
        let mut opening = pin!(self.apps.open(project));
        let app = match tokio::time::timeout(QUICK, &mut opening).await {
            Ok(app) => app?,
            Err(_) => {
                let starting = self.publish(project, PreviewState::Starting);
                let (published, app) = tokio::join!(starting, opening);
                published?;
                app?
            }
        };
        let (state, notice) = self.look(project, &app).await?;
        let pause = match state {
            PreviewState::Ready { .. } => READY.min(self.attention),
            PreviewState::Failed { .. } if is_failing(notice.as_ref()) => UNSTABLE,
            PreviewState::Failed { .. } => FAILING,
            PreviewState::None
            | PreviewState::Starting
            | PreviewState::Asleep { .. }
            | PreviewState::Compiling { .. } => STARTING,
        };
        Ok(Look {
            pause,
            app: Some(app),
            notice,
        })
    }

    /// Publishes the state of the app's page. Returns it, with the latest trouble in its sandbox.
    async fn look(
        &self,
        project: ProjectId,
        app: &App,
    ) -> Result<(PreviewState, Option<SandboxNotice>), RunError> {
        let mut notice = app.notice().await;
        let mut looking = pin!(app.page_state());
        let page = match tokio::time::timeout(QUICK, &mut looking).await {
            Ok(page) => page?,
            Err(_) => {
                if !is_failing(notice.as_ref()) {
                    self.publish(project, PreviewState::Compiling { url: app.url() })
                        .await?;
                }
                let page = looking.await?;
                notice = app.notice().await;
                page
            }
        };
        let url = app.url();
        let said = notice.as_ref().map(|notice| notice.message.clone());
        let state = match page {
            PageState::Starting if is_failing(notice.as_ref()) => PreviewState::Failed {
                url: Some(url),
                reason: said.unwrap_or_default(),
            },
            PageState::Starting => PreviewState::Starting,
            PageState::Ready => PreviewState::Ready { url, notice: said },
            // While the agent works, a page that does not compile is unfinished, not broken.
            PageState::Failed(_) if self.store.next_run(project).await?.is_some() => {
                PreviewState::Compiling { url }
            }
            PageState::Failed(reason) => PreviewState::Failed {
                url: Some(url),
                reason,
            },
        };
        self.publish(project, state.clone()).await?;
        Ok((state, notice))
    }

    async fn publish(&self, project: ProjectId, preview: PreviewState) -> Result<(), RunError> {
        Ok(self
            .events
            .publish(project, None, EventKind::Preview { preview })
            .await?)
    }
}

/// Whether the app is known to keep crashing.
fn is_failing(notice: Option<&SandboxNotice>) -> bool {
    notice.is_some_and(|notice| notice.failing)
}

/// The errors after a report. Those that were known before keep their time.
fn standing(
    before: Vec<(Instant, PreviewError)>,
    reported: Vec<PreviewError>,
    now: Instant,
) -> Vec<(Instant, PreviewError)> {
    let first = |error: &PreviewError| {
        before
            .iter()
            .find(|(_, known)| known.message == error.message)
            .map_or(now, |(at, _)| *at)
    };
    PreviewError::fold(reported)
        .into_iter()
        .map(|error| (first(&error), error))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PreviewErrorKind;

    #[test]
    fn an_error_keeps_the_time_of_its_first_report_until_it_is_gone() {
        let error = |message: &str| PreviewError {
            kind: PreviewErrorKind::Error,
            message: message.to_owned(),
            location: None,
            path: "/".to_owned(),
        };
        let times: Vec<Instant> = (0..4)
            .map(|second| Instant::now() + Duration::from_secs(second))
            .collect();
        let first = standing(Vec::new(), vec![error("a")], times[0]);
        let second = standing(first, vec![error("b"), error("a")], times[1]);
        assert_eq!(second, [(times[1], error("b")), (times[0], error("a"))]);
        let gone = standing(second, vec![error("b")], times[2]);
        assert_eq!(
            standing(gone, vec![error("a")], times[3]),
            [(times[3], error("a"))]
        );
    }
}
