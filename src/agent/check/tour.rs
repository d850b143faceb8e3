//! Loads an app's pages, in a browser that starts again when a page has ended it.

use std::{collections::HashMap, time::Instant};

use futures::future::join_all;
use parking_lot::Mutex;

use super::{
    ahead::Ahead,
    browser::Browser,
    launch::BrowserError,
    page::{self, Findings},
};
use crate::{config, sandbox::PageAddress};

/// How many times a browser is started for a page. A page that crashes it each time is at fault.
const ATTEMPTS: usize = 2;
/// How many pages are loaded side by side: most of the time each one waits.
const TABS: usize = 5;

pub struct Tour<'a> {
    settings: &'a config::Browser,
    address: PageAddress,
    /// The running browser, or why the last one did not start.
    browser: Option<Result<Browser, BrowserError>>,
}

impl<'a> Tour<'a> {
    pub fn new(settings: &'a config::Browser, address: PageAddress) -> Self {
        Self {
            settings,
            address,
            browser: None,
        }
    }

    /// Starts the browser, unless one waits.
    pub async fn begin(&mut self, ahead: &Ahead) {
        self.browser = Some(match ahead.take(&self.address).await {
            Some(started) => started,
            None => Browser::start(self.settings, &self.address).await,
        });
    }

    /// Loads these pages side by side, in tabs of one visitor, and returns the findings of those
    /// that work. A failure may be another page's fault, so the browser ends after one, and the
    /// failing page can be loaded again on its own. No page is started after the deadline.
    pub async fn load_together(
        &mut self,
        paths: &[String],
        deadline: Instant,
    ) -> HashMap<String, Findings> {
        let Some(Ok(mut browser)) = self.browser.take() else {
            return HashMap::new();
        };
        let others = (1..TABS.min(paths.len())).map(|_| browser.open_tab());
        let mut others: Vec<Browser> = join_all(others).await.into_iter().flatten().collect();
        let (address, waiting) = (&self.address, &Mutex::new(paths.iter()));
        let tabs = std::iter::once(&mut browser).chain(&mut others);
        let loading = tabs.map(|tab| async move {
            let next = || waiting.lock().next().filter(|_| Instant::now() < deadline);
            let mut sound = Vec::new();
            while let Some(path) = next() {
                match page::examine(tab, address, path).await {
                    Ok(findings) if findings.is_sound() => sound.push((path.clone(), findings)),
                    Ok(_) | Err(_) => break,
                }
            }
            sound
        });
        let sound: HashMap<String, Findings> =
            join_all(loading).await.into_iter().flatten().collect();
        if sound.len() < paths.len() {
            browser.stop().await;
            return sound;
        }
        for tab in others {
            tab.close().await;
        }
        self.browser = Some(Ok(browser));
        sound
    }

    /// Loads a page while the app does something else; `None` unless it is sound, because that may be
    /// the fault of what the app does.
    pub async fn load_sound(&mut self, path: &str) -> Option<Findings> {
        self.load(path).await.ok().filter(Findings::is_sound)
    }

    /// Loads the page at this path of the app; errors when there is no browser.
    pub async fn load(&mut self, path: &str) -> Result<Findings, BrowserError> {
        let mut failure = BrowserError::Silent;
        for _ in 0..ATTEMPTS {
            let browser = match self.browser.take() {
                Some(browser) => browser,
                None => Browser::start(self.settings, &self.address).await,
            };
            let mut browser = match browser {
                Ok(browser) => browser,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let findings = page::examine(&mut browser, &self.address, path).await;
            // The kernel killed its tab, or all of it; the page would cause that again.
            if browser.ran_out_of_memory()
                && findings.as_ref().map_or(true, |findings| findings.lost)
            {
                browser.stop().await;
                return Ok(self.out_of_memory());
            }
            match &findings {
                Ok(findings) if !findings.lost => self.browser = Some(Ok(browser)),
                _ => browser.stop().await,
            }
            match findings {
                Err(BrowserError::Unusable(_)) | Ok(_) => return findings,
                Err(error) => failure = error,
            }
        }
        if matches!(failure, BrowserError::Unusable(_)) {
            return Err(failure);
        }
        Ok(Findings {
            errors: vec![format!(
                "The browser fails at this page, each time it loads it: {failure}"
            )],
            lost: true,
            ..Findings::default()
        })
    }

    fn out_of_memory(&self) -> Findings {
        let mb = self.settings.memory_mb;
        Findings {
            errors: vec![format!(
                "The page used more than {mb} MB of memory, which is all that the check gives a browser: load less at once, or set \
                 CHROMIUM_MEMORY_MB to more."
            )],
            lost: true,
            ..Findings::default()
        }
    }

    /// Loads the next page in a fresh browser.
    pub async fn restart(&mut self) {
        if let Some(Ok(browser)) = self.browser.take() {
            browser.stop().await;
        }
    }

    /// Ends the browser; nobody waits for that.
    pub fn end(mut self) {
        if let Some(Ok(browser)) = self.browser.take() {
            tokio::spawn(browser.stop());
        }
    }
}
