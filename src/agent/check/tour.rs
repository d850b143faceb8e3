//! Loads an app's pages one after the other, in a browser that is started again when a page has
//! ended it.

use super::{
    browser::{Browser, BrowserError},
    page::{self, Seen},
};
use crate::{config, sandbox::PageAddress};

/// How often a browser is started for a page, and how often the page may end it before that is the
/// page's fault.
const ATTEMPTS: usize = 2;

pub struct Tour<'a> {
    settings: &'a config::Browser,
    address: PageAddress,
    browser: Option<Browser>,
}

impl<'a> Tour<'a> {
    pub fn new(settings: &'a config::Browser, address: PageAddress) -> Self {
        Self {
            settings,
            address,
            browser: None,
        }
    }

    /// Loads the page at this path of the app; an error says that there is no browser to do it
    /// with.
    pub async fn look_at(&mut self, path: &str) -> Result<Seen, BrowserError> {
        let mut failure = BrowserError::Silent;
        for _ in 0..ATTEMPTS {
            let browser = match self.browser.take() {
                Some(browser) => Ok(browser),
                None => Browser::start(self.settings, &self.address).await,
            };
            let mut browser = match browser {
                Ok(browser) => browser,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let seen = page::look_at(&mut browser, &self.address, path).await;
            // Its tab, or all of it, was ended: the page would do that again.
            if browser.ran_out_of_memory() && seen.as_ref().map_or(true, |seen| seen.lost) {
                browser.stop().await;
                return Ok(self.out_of_memory());
            }
            match &seen {
                Ok(seen) if !seen.lost => self.browser = Some(browser),
                _ => browser.stop().await,
            }
            match seen {
                Err(BrowserError::Unusable(_)) | Ok(_) => return seen,
                Err(error) => failure = error,
            }
        }
        if matches!(failure, BrowserError::Unusable(_)) {
            return Err(failure);
        }
        Ok(Seen {
            errors: vec![format!(
                "The browser fails at this page, each time it loads it: {failure}"
            )],
            lost: true,
            ..Seen::default()
        })
    }

    fn out_of_memory(&self) -> Seen {
        let mb = self.settings.memory_mb;
        Seen {
            errors: vec![format!(
                "The page used more than {mb} MB of memory, which is all that the check gives a browser: load less at once, or set \
                 CHROMIUM_MEMORY_MB to more."
            )],
            lost: true,
            ..Seen::default()
        }
    }

    /// Has the next page loaded in a fresh browser.
    pub async fn start_again(&mut self) {
        if let Some(browser) = self.browser.take() {
            browser.stop().await;
        }
    }

    /// Ends the browser.
    pub async fn end(mut self) {
        self.start_again().await;
    }
}
