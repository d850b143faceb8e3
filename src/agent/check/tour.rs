//! Loads an app's pages one after the other, in a browser that is started again when a page has ended it.

use std::path::Path;

use super::{
    browser::{Browser, BrowserError},
    page::{self, Seen},
};
use crate::sandbox::PageAddress;

/// How often a page may end the browser before it is the page's fault.
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
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let mut browser = match self.browser.take() {
                Some(browser) => browser,
                None => Browser::start(self.program, &self.address).await?,
            };
            let seen = page::look_at(&mut browser, &url).await;
            match &seen {
                Ok(seen) if !seen.lost => self.browser = Some(browser),
                _ => browser.stop().await,
            }
            match seen {
                Err(BrowserError::Unusable(_)) | Ok(_) => return seen,
                Err(error) => said = error.to_string(),
            }
        }
        Ok(Seen {
            errors: vec![format!("The browser fails at this page, each time it loads it: {said}")],
            lost: true,
            ..Seen::default()
        })
    }

    /// Ends the browser.
    pub async fn end(self) {
        if let Some(browser) = self.browser {
            browser.stop().await;
        }
    }
}
