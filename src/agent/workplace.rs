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
    app: App,
    /// The sandbox that has everything this run wrote.
    settled: String,
    /// Whether the sandbox has to be looked for before it is used again.
    in_doubt: bool,
    /// Whether the model has yet to hear that the sandbox is another one.
    untold: bool,
    /// What this run wrote: paths and contents.
    written: BTreeMap<String, String>,
}

/// What the model is told when the sandbox is another one.
const MOVED: &str = "[The sandbox was lost and has been made anew. The files are as you wrote them and the packages of package.json are \
                     installed; whatever else commands had changed, and processes they had started, is gone.]";

impl<'a> Workplace<'a> {
    /// `begun_in` is the sandbox in which the run began; what the run wrote there is told with [`Workplace::wrote`].
    pub fn new(app: App, begun_in: String, open: Opener<'a>) -> Self {
        Self {
            open,
            state: Mutex::new(State {
                app,
                settled: begun_in,
                in_doubt: false,
                untold: false,
                written: BTreeMap::new(),
            }),
        }
    }

    /// The app, with everything that this run has written.
    pub async fn app(&self) -> Result<App, RunError> {
        let mut state = self.state.lock().await;
        if state.in_doubt {
            state.app = (self.open)().await?;
            state.in_doubt = false;
        }
        if state.app.id() != state.settled {
            tracing::warn!(sandbox.id = state.app.id(), "the run goes on in another sandbox");
            let written = state.written.iter();
            let files = written
                .map(|(path, content)| (path.clone(), content.clone().into_bytes()))
                .collect();
            if let Err(error) = state.app.restore(files).await {
                state.in_doubt = true;
                return Err(error);
            }
            state.settled = state.app.id().to_owned();
            state.untold = true;
        }
        Ok(state.app.clone())
    }

    /// Works with the app. A sandbox that does not answer is looked for before it is used again.
    pub async fn with_app<T, Fut>(&self, work: impl FnOnce(App) -> Fut) -> Result<T, RunError>
    where
        Fut: Future<Output = Result<T, RunError>>,
    {
        let worked = work(self.app().await?).await;
        if worked.as_ref().is_err_and(RunError::is_sandboxes) {
            self.state.lock().await.in_doubt = true;
        }
        worked
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
