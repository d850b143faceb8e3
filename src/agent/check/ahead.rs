//! A browser that starts while the model still works, so that the check does not wait for it. It is
//! confined to one app from its start, as every checking browser is, shows an empty page until the
//! check takes it, and is used for one check only: nothing of an app ever reaches another one's.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::{Browsers, browser::Browser, launch::BrowserError};
use crate::{agent::App, sandbox::PageAddress};

/// A browser that has waited this long ends, because it takes memory.
const IDLE: Duration = Duration::from_secs(180);
/// How long a browser that has waited may take to prove that it still runs.
const ALIVE: Duration = Duration::from_secs(2);

/// The browser that waits for a run's next check. It ends when it is dropped.
pub struct Ahead {
    browsers: Browsers,
    waiting: Mutex<Option<Waiting>>,
}

struct Waiting {
    address: PageAddress,
    /// Asks the task for its browser.
    wanted: oneshot::Sender<oneshot::Sender<Started>>,
    task: AbortOnDropHandle<()>,
}

/// A browser, or why it did not start.
type Started = Result<Browser, BrowserError>;

impl Ahead {
    pub(super) fn new(browsers: Browsers) -> Self {
        let waiting = Mutex::default();
        Self { browsers, waiting }
    }

    /// Starts a browser for the app, unless one is waiting for it already, or the maximum number
    /// of browsers wait.
    pub fn start(&self, app: &App) {
        let (Ok(address), true) = (app.page_address(), self.browsers.has_program()) else {
            return;
        };
        let mut waiting = self.waiting.lock();
        let is_there =
            |waiting: &Waiting| waiting.address == address && !waiting.wanted.is_closed();
        if waiting.as_ref().is_some_and(is_there) {
            return;
        }
        // One for another sandbox, or one that has waited for too long.
        *waiting = None;
        let Some(room) = self.browsers.room_ahead() else {
            return;
        };
        let (wanted, asked) = oneshot::channel::<oneshot::Sender<Started>>();
        let (settings, to) = (self.browsers.settings().clone(), address.clone());
        let task = tokio::spawn(async move {
            let _room = room;
            let started = Browser::start(&settings, &to).await;
            let unused = match tokio::time::timeout(IDLE, asked).await {
                Ok(Ok(check)) => check.send(started).err(),
                Ok(Err(_)) | Err(_) => Some(started),
            };
            if let Some(Ok(browser)) = unused {
                browser.stop().await;
            }
        });
        *waiting = Some(Waiting {
            address,
            wanted,
            task: AbortOnDropHandle::new(task),
        });
    }

    /// The browser that waits for the app at this address, once it has started, or why it did not;
    /// `None` when there is none, or it has ended since.
    pub(super) async fn take(&self, address: &PageAddress) -> Option<Started> {
        let Waiting {
            address: own,
            wanted,
            task,
        } = self.waiting.lock().take()?;
        if own != *address {
            return None;
        }
        let (check, started) = oneshot::channel();
        wanted.send(check).ok()?;
        let started = started.await.ok()?;
        drop(task);
        let Ok(mut browser) = started else {
            return Some(started);
        };
        let answer = browser.call("Runtime.evaluate", json!({ "expression": "1" }), ALIVE);
        if answer.await.is_ok() && !browser.ran_out_of_memory() {
            return Some(Ok(browser));
        }
        tracing::debug!("a browser that waited for a check has ended");
        browser.stop().await;
        None
    }
}
