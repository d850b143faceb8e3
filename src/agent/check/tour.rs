//! Loads an app's pages one after the other, in a browser that is started again when a page has ended it.

use std::path::Path;

use super::{
    browser::{Browser, BrowserError},
    page::{self, Seen},
};
use crate::sandbox::PageAddress;

/// How often a browser is started for a page, and how often the page may end it before that is the page's fault.
const ATTEMPTS: usize = 2;

pub struct Tour<'a> {
    program: &'a Path,
    address: PageAddress,
    browser: Option<Browser>,
}

impl<'a> Tour<'a> {
    pub fn new(program: &'a Path, address: PageAddress) -> Self {
        Self {
            program,
            address,
            browser: None,
        }
    }

    /// Loads the page at this path of the app; an error says that there is no browser to do it with.
    pub async fn look_at(&mut self, path: &str) -> Result<Seen, BrowserError> {
        let url = format!("{}{path}", self.address.url);
        let mut failure = BrowserError::Silent;
        for _ in 0..ATTEMPTS {
            let browser = match self.browser.take() {
                Some(browser) => Ok(browser),
                None => Browser::start(self.program, &self.address).await,
            };
            let mut browser = match browser {
                Ok(browser) => browser,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let seen = page::look_at(&mut browser, &url).await;
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
            errors: vec![format!("The browser fails at this page, each time it loads it: {failure}")],
            lost: true,
            ..Seen::default()
        })
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
