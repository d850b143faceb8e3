//! Loads an app's pages one after the other, in a browser that starts again when a page has ended
//! it.

use super::{
    browser::Browser,
    launch::BrowserError,
    page::{self, Findings},
};
use crate::{config, sandbox::PageAddress};

/// How many times a browser is started for a page. A page that crashes it each time is at fault.
const ATTEMPTS: usize = 2;

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

    /// Starts the browser ahead of the first page.
    pub async fn begin(&mut self) {
        self.browser = Some(Browser::start(self.settings, &self.address).await);
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
            let findings = page::load(&mut browser, &self.address, path).await;
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

    pub async fn end(mut self) {
        self.restart().await;
    }
}
