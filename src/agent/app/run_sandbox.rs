//! The app that a run works on, wherever its sandbox is: when that vanishes in mid-run another one
//! takes its place, with the files of the latest version and those that this run has written since.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::App;
use crate::{
    agent::{RunError, tools::Written},
    protocol::AppEntry,
};

/// Opens the project's app: in its sandbox, or in a new one with the files of the latest version
/// when that is gone.
pub type Opener<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<App, RunError>> + Send + Sync + 'a>;

/// A run's app.
pub struct Workplace<'a> {
    open: Opener<'a>,
    state: Mutex<State>,
    /// Whether the app has to be looked for before it is used again.
    in_doubt: AtomicBool,
}

/// Leaves the app in doubt, unless the work with it has come to an end that says nothing against
/// it.
struct Doubt<'a>(Option<&'a AtomicBool>);

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(in_doubt) = self.0 {
            in_doubt.store(true, Ordering::Relaxed);
        }
    }
}

struct State {
    /// As it was opened last.
    app: Option<App>,
    /// The sandbox that has everything this run wrote.
    settled: String,
    /// Whether a restoration was begun and has not come to its end.
    half_restored: bool,
    /// Whether the model has yet to hear that the sandbox is another one.
    untold: bool,
    /// What this run wrote: paths and contents.
    written: BTreeMap<String, Vec<u8>>,
}

/// What the model is told when the sandbox is another one.
const MOVED: &str = "[The sandbox was lost and has been made anew. The files are as you wrote them and the packages of package.json are \
                     installed; whatever else commands had changed, and processes they had started, is gone.]";

impl<'a> Workplace<'a> {
    /// `begun_in` is the sandbox in which the run began; what the run wrote there is told with
    /// `Workplace::wrote`. Without an app it is opened when it is needed first.
    pub fn new(app: Option<App>, begun_in: String, open: Opener<'a>) -> Self {
        Self {
            open,
            state: Mutex::new(State {
                app,
                settled: begun_in,
                half_restored: false,
                untold: false,
                written: BTreeMap::new(),
            }),
            in_doubt: AtomicBool::new(false),
        }
    }

    /// The app, with everything that this run has written.
    pub async fn app(&self) -> Result<App, RunError> {
        let mut state = self.state.lock().await;
        let known = state
            .app
            .take()
            .filter(|_| !self.in_doubt.swap(false, Ordering::Relaxed));
        let app = match known {
            Some(app) => app,
            None => (self.open)().await?,
        };
        if app.id() != state.settled {
            tracing::warn!(sandbox.id = app.id(), "the run goes on in another sandbox");
            let files = state.written.clone().into_iter();
            let again = std::mem::replace(&mut state.half_restored, true);
            app.restore(
                files
                    .map(|(path, content)| AppEntry::file(path, content))
                    .collect(),
                again,
            )
            .await?;
            state.half_restored = false;
            state.settled = app.id().to_owned();
            state.untold = true;
        }
        state.app = Some(app.clone());
        Ok(app)
    }

    /// Works with the app. A sandbox that does not answer, or not in time, is looked for before it
    /// is used again.
    pub async fn with_app<T, Fut>(&self, work: impl FnOnce(App) -> Fut) -> Result<T, RunError>
    where
        Fut: Future<Output = Result<T, RunError>>,
    {
        let app = self.app().await?;
        let mut doubt = Doubt(Some(&self.in_doubt));
        let worked = work(app).await;
        if !worked.as_ref().is_err_and(RunError::is_sandboxes) {
            doubt.0 = None;
        }
        worked
    }

    /// Takes note of the sandbox in which a step was taken: it has what this run had written until
    /// then.
    pub(in crate::agent) async fn settled_in(&self, sandbox: &str) {
        sandbox.clone_into(&mut self.state.lock().await.settled);
    }

    /// Notes what this run has written, which a new sandbox has to have.
    pub(in crate::agent) async fn wrote(&self, files: impl IntoIterator<Item = Written>) {
        self.state
            .lock()
            .await
            .written
            .extend(files.into_iter().map(Written::into_bytes));
    }

    /// What this run has written: paths and contents.
    pub async fn written(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().await.written.clone()
    }

    /// The paths of what this run has written.
    pub(in crate::agent) async fn changed(&self) -> BTreeSet<String> {
        self.state.lock().await.written.keys().cloned().collect()
    }

    /// What the model has to be told of the sandbox; said once.
    pub(in crate::agent) async fn notice(&self) -> Option<&'static str> {
        std::mem::take(&mut self.state.lock().await.untold).then_some(MOVED)
    }
}
