//! The app that a run works on, wherever its sandbox is: when that vanishes in mid-run another one takes its place, with the files of
//! the latest version and those that this run has written since.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::{App, RunError};

/// Opens the project's app: in its sandbox, or in a new one with the files of the latest version when that is gone.
pub type Opener<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<App, RunError>> + Send + Sync + 'a>;

/// A run's app.
pub struct Workplace<'a> {
    open: Opener<'a>,
    state: Mutex<State>,
}

struct State {
    /// As it was opened last; `None` when it has to be looked for before it is used again.
    app: Option<App>,
    /// The sandbox that has everything this run wrote.
    settled: String,
    /// Whether a restoration was begun and has not come to its end.
    half_restored: bool,
    /// Whether the model has yet to hear that the sandbox is another one.
    untold: bool,
    /// What this run wrote: paths and contents.
    written: BTreeMap<String, String>,
}

/// What the model is told when the sandbox is another one.
const MOVED: &str = "[The sandbox was lost and has been made anew. The files are as you wrote them and the packages of package.json are \
                     installed; whatever else commands had changed, and processes they had started, is gone.]";

impl<'a> Workplace<'a> {
    /// `begun_in` is the sandbox in which the run began; what the run wrote there is told with [`Workplace::wrote`]. Without an app it is
    /// opened when it is needed first.
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
        }
    }

    /// The app, with everything that this run has written.
    pub async fn app(&self) -> Result<App, RunError> {
        let mut state = self.state.lock().await;
        let app = match state.app.take() {
            Some(app) => app,
            None => (self.open)().await?,
        };
        if app.id() != state.settled {
            tracing::warn!(sandbox.id = app.id(), "the run goes on in another sandbox");
            let written = state.written.iter();
            let files = written
                .map(|(path, content)| (path.clone(), content.clone().into_bytes()))
                .collect();
            let again = std::mem::replace(&mut state.half_restored, true);
            app.restore(files, again).await?;
            state.half_restored = false;
            state.settled = app.id().to_owned();
            state.untold = true;
        }
        state.app = Some(app.clone());
        Ok(app)
    }

    /// Works with the app. A sandbox that does not answer, or not in time, is looked for before it is used again.
    pub async fn with_app<T, Fut>(&self, work: impl FnOnce(App) -> Fut) -> Result<T, RunError>
    where
        Fut: Future<Output = Result<T, RunError>>,
    {
        let app = self.app().await?;
        self.state.lock().await.app = None;
        let worked = work(app.clone()).await;
        if !worked.as_ref().is_err_and(RunError::is_sandboxes) {
            self.state.lock().await.app = Some(app);
        }
        worked
    }

    /// Takes note of the sandbox in which a step was taken: it has what this run had written until then.
    pub(super) async fn settled_in(&self, sandbox: &str) {
        sandbox.clone_into(&mut self.state.lock().await.settled);
    }

    /// Notes what this run has written, which a new sandbox has to have.
    pub(super) async fn wrote(&self, files: impl IntoIterator<Item = (String, String)>) {
        self.state.lock().await.written.extend(files);
    }

    /// What the model has to be told of the sandbox; said once.
    pub(super) async fn notice(&self) -> Option<&'static str> {
        std::mem::take(&mut self.state.lock().await.untold).then_some(MOVED)
    }
}
