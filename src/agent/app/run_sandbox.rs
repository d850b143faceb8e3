//! The sandbox that a run works in. If it vanishes during the run, another one takes its place,
//! with the files of the latest version and those that the run has written since.

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
    sandbox::SandboxError,
};

/// What the model reads after the sandbox was replaced.
const REPLACED: &str = "[The sandbox was lost and has been made anew. The files are as you wrote \
                        them and the packages of package.json are installed; other changes by \
                        commands, and processes they had started, are gone.]";

/// Opens the project's app: in its sandbox, or, if that is gone, in a new one with the files of the
/// latest version.
pub type OpenApp<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<App, RunError>> + Send + Sync + 'a>;

/// A run's sandbox, and the files that the run has written into it.
pub struct RunSandbox<'a> {
    open: OpenApp<'a>,
    state: Mutex<State>,
    /// Whether the app must be opened again before it is used.
    in_doubt: AtomicBool,
}

/// Puts the app in doubt when dropped, unless the work with it ended without a sandbox error.
struct Doubt<'a>(Option<&'a AtomicBool>);

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(in_doubt) = self.0 {
            in_doubt.store(true, Ordering::Relaxed);
        }
    }
}

struct State {
    /// The app as last opened.
    app: Option<App>,
    /// The sandbox that contains everything this run wrote.
    settled: String,
    /// Whether a restoration was interrupted.
    half_restored: bool,
    /// Whether the sandbox was replaced without the model knowing it yet.
    replaced: bool,
    /// What this run wrote: paths and contents.
    written: BTreeMap<String, Vec<u8>>,
}

impl<'a> RunSandbox<'a> {
    /// `begun_in` is the sandbox in which the run began. Without an app, it is opened when first
    /// needed.
    pub fn new(app: Option<App>, begun_in: String, open: OpenApp<'a>) -> Self {
        Self {
            open,
            state: Mutex::new(State {
                app,
                settled: begun_in,
                half_restored: false,
                replaced: false,
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
            tracing::warn!(
                sandbox.id = app.id(),
                "the run continues in another sandbox"
            );
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
            state.replaced = true;
        }
        state.app = Some(app.clone());
        Ok(app)
    }

    /// Works with the app. After an error of the sandbox, or a cancellation, the app is opened
    /// again before its next use.
    pub async fn with_app<T, Fut>(&self, work: impl FnOnce(App) -> Fut) -> Result<T, RunError>
    where
        Fut: Future<Output = Result<T, RunError>>,
    {
        let app = self.app().await?;
        let mut doubt = Doubt(Some(&self.in_doubt));
        let worked = tokio::select! {
            worked = work(app.clone()) => worked,
            // A machine that is cut off doesn't even refuse connections.
            () = app.lost() => Err(SandboxError::NotFound.into()),
        };
        if !worked.as_ref().is_err_and(RunError::is_sandbox_fault) {
            doubt.0 = None;
        }
        worked
    }

    /// Records the sandbox in which a step ended: it contains what this run had written until then.
    pub(in crate::agent) async fn settled_in(&self, sandbox: &str) {
        sandbox.clone_into(&mut self.state.lock().await.settled);
    }

    /// Records files that this run has written: a new sandbox gets them too.
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

    /// The notice about the sandbox for the model; returned once.
    pub(in crate::agent) async fn notice(&self) -> Option<&'static str> {
        std::mem::take(&mut self.state.lock().await.replaced).then_some(REPLACED)
    }
}
