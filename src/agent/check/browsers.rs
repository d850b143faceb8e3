//! Limits how many browsers load pages at a time, and knows whether this machine has one at all.

use std::{
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::{launch, report::unfinished};
use crate::{agent::RunError, config};

/// How long a check waits for its turn to load pages.
const TURN: Duration = Duration::from_secs(120);
/// At least this many browsers run at a time, else one for each processor. Each takes some 200 MB.
const MIN_BROWSERS: usize = 2;

/// The browsers that load pages, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Browsers {
    settings: config::Browser,
    slots: Arc<Semaphore>,
    /// The permits of browsers that wait for a check.
    ahead: Arc<Semaphore>,
    /// Whether one has loaded a page. A later failure is then a fault of that browser, and not of
    /// the machine.
    proven: Arc<AtomicBool>,
    /// Whether the lack of a browser has been logged.
    warned: Arc<AtomicBool>,
}

impl Browsers {
    /// Removes the leftovers of an earlier server's browsers; starts none.
    pub fn new(settings: &config::Browser) -> Self {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| launch::sweep(&std::env::temp_dir()));
        let processors = std::thread::available_parallelism().map_or(MIN_BROWSERS, usize::from);
        let slots = || Arc::new(Semaphore::new(processors.max(MIN_BROWSERS)));
        Self {
            settings: settings.clone(),
            slots: slots(),
            ahead: slots(),
            proven: Arc::default(),
            warned: Arc::default(),
        }
    }

    /// Whether this machine has a browser.
    pub fn has_program(&self) -> bool {
        self.settings.program.is_some()
    }

    /// A permit for a browser that waits for a check; `None` when as many wait as may run.
    pub fn room_ahead(&self) -> Option<OwnedSemaphorePermit> {
        self.ahead.clone().try_acquire_owned().ok()
    }

    /// Waits for a permit to run a browser; `None` when this machine has none.
    pub async fn permit(&self) -> Result<Option<SemaphorePermit<'_>>, RunError> {
        if !self.has_program() {
            return Ok(None);
        }
        match tokio::time::timeout(TURN, self.slots.acquire()).await {
            Ok(slot) => Ok(Some(slot.map_err(anyhow::Error::from)?)),
            Err(_) => Err(unfinished(
                "The app's pages could not be loaded: the machine is busy with other apps.",
            )),
        }
    }

    pub fn settings(&self) -> &config::Browser {
        &self.settings
    }

    /// Records that a browser has loaded a page.
    pub fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Logs, once, why pages are not loaded.
    pub fn warn_unusable(&self, why: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                reason = why,
                "apps are called done without loading their pages: install Chromium, or set \
                 CHROMIUM_PATH. Until then only the errors of open previews are known"
            );
        }
    }
}
