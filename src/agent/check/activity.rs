//! The activity of a loading page: when it comes to rest, what it throws and logs, and which other
//! servers it asks.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use reqwest::Url;
use serde_json::{Value, json};

use super::{browser::Browser, events::PageEvent, launch::BrowserError};
use crate::agent::nextjs::console::{
    console_text, exception, found_no_server, is_fatal, is_noise, lacks_webgl,
};

/// How long a page may take until it has loaded.
const LOAD: Duration = Duration::from_secs(30);
/// A page that has not loaded by then must prove that it does not hang.
pub const STALLED: Duration = Duration::from_secs(8);
/// A page rests when it has loaded and nothing has happened for this long: effects and their
/// requests have had their turn.
pub const QUIET: Duration = Duration::from_millis(900);
/// A page that never comes to rest is read this long after it has loaded.
const RESTLESS: Duration = Duration::from_secs(8);
/// A page that loads more often than this reloads itself forever. Sign-ins and the dev server
/// reload a few times.
const MAX_LOADS: usize = 5;
/// The same for a page that has loaded this often, and has not come to rest, when its time is over.
const MANY_LOADS: usize = 3;
/// How many errors, warnings and hosts are kept, each.
const MAX_KEPT: usize = 64;
/// How many requests under way are tracked.
const MAX_REQUESTS: usize = 1000;
/// The longest host name (RFC 1035, 2.3.4), in characters.
const MAX_HOST: usize = 253;

const HANGS: &str = "The page hangs: it computes without an end (an endless loop, or a render that \
                     renders itself again).";
const RELOADS: &str =
    "The page loads itself again and again (a reload or a redirect without an end).";

/// The activity of one page.
#[derive(Default)]
pub struct PageActivity {
    /// The app's host, with its port.
    host: String,
    /// The page's own frame, as opposed to those within it.
    frame: Option<String>,
    /// Exceptions with their ids in the browser, and other errors as serious.
    errors: Vec<(Option<i64>, String)>,
    warnings: Vec<String>,
    /// When the page that is there now had loaded.
    loaded: Option<Instant>,
    loads: usize,
    crashed: bool,
    hangs: bool,
    unfinished: bool,
    /// The status of the page itself.
    status: u64,
    /// Requests under way, each with its host when that is not the app's.
    requests: HashMap<String, Option<String>>,
    /// Hosts of other servers, which the check does not reach.
    foreign: BTreeSet<String>,
    /// The other server that the page's own address redirects to.
    redirects_to: Option<String>,
    /// Whether a request to the app itself failed.
    failed: bool,
    last: Option<Instant>,
}

impl PageActivity {
    /// For the page at this address.
    pub fn of(url: &str) -> Self {
        Self {
            host: host(url).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Names the page's own frame.
    pub fn follow(&mut self, frame: &Value) {
        self.frame = frame.as_str().map(str::to_owned);
    }

    /// Waits until the page has loaded and nothing has happened in it for this long.
    pub async fn until_it_rests(
        &mut self,
        browser: &mut Browser,
        quiet: Duration,
    ) -> Result<(), BrowserError> {
        let (begun, mut asked) = (Instant::now(), false);
        loop {
            let now = Instant::now();
            let deadline = match self.loaded {
                None if asked => begun + LOAD,
                None => begun + STALLED,
                Some(at) if self.requests.is_empty() => {
                    (self.last.unwrap_or(at).max(at) + quiet).min(at + RESTLESS)
                }
                Some(at) => at + RESTLESS,
            };
            if self.loaded.is_none() && !asked && now >= deadline {
                asked = true;
                let ask = json!({ "expression": "1" });
                if let Err(BrowserError::Silent) = browser.ask("Runtime.evaluate", ask).await {
                    self.hangs();
                }
                continue;
            }
            if now >= deadline || self.is_lost() {
                break;
            }
            if let Some(event) = browser.next_event(deadline).await? {
                self.take(event);
            }
        }
        if self.loaded.is_some() || self.is_lost() {
            return Ok(());
        }
        if self.loads >= MANY_LOADS {
            self.error(None, RELOADS.to_owned());
        } else if self.errors.is_empty() {
            self.unfinished = true;
            self.error(
                None,
                format!(
                    "The page did not finish loading within {} seconds.",
                    LOAD.as_secs()
                ),
            );
        }
        Ok(())
    }

    pub async fn listen(
        &mut self,
        browser: &mut Browser,
        until: Instant,
    ) -> Result<(), BrowserError> {
        while let Some(event) = browser.next_event(until).await? {
            self.take(event);
        }
        Ok(())
    }

    /// Whether the page can't answer any more questions.
    pub fn is_lost(&self) -> bool {
        self.crashed || self.hangs || self.loads > MAX_LOADS
    }

    pub fn has_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    /// Whether nothing speaks against the page yet.
    pub fn is_sound(&self) -> bool {
        self.errors.is_empty() && !self.is_lost() && !self.is_busy()
    }

    /// Whether the page, or something it requested, is still loading.
    pub fn is_busy(&self) -> bool {
        self.loaded.is_none() || !self.requests.is_empty()
    }

    /// Expects the page to navigate, for example after a click on a link.
    pub fn may_load(&mut self) {
        self.loads = 0;
    }

    pub fn hangs(&mut self) {
        self.hangs = true;
        self.error(None, HANGS.to_owned());
    }

    /// Whether the dev server, or the machine, may be at fault: the page deserves a second load.
    pub fn is_doubtful(&self) -> bool {
        self.crashed || self.unfinished || matches!(self.status, 502 | 503)
    }

    /// The other server that the page's address redirects to.
    pub fn redirects_to(&self) -> Option<&str> {
        self.redirects_to.as_deref()
    }

    /// Adds, at the end, how the page is blank, if it is, and the text of the dev server's overlay.
    pub fn end(&mut self, blank: Option<String>, overlay: String) {
        let thrown = !self.errors.is_empty();
        if self.status >= 500 && !thrown {
            self.error(
                None,
                format!("The page answered HTTP {} when it was loaded.", self.status),
            );
        }
        // It repeats what was thrown.
        if !thrown && !overlay.is_empty() {
            self.error(None, overlay);
        }
        // WebGL drawings are invisible here.
        if let Some(blank) = blank.filter(|_| !self.lacks_webgl()) {
            self.error(None, blank);
        }
    }

    fn lacks_webgl(&self) -> bool {
        let errors = self.errors.iter().map(|(_, text)| text);
        errors.chain(&self.warnings).any(|text| lacks_webgl(text))
    }

    /// The errors and the warnings. It is not the app's fault that the check reaches no other
    /// servers and lacks WebGL.
    pub fn into_findings(self) -> (Vec<String>, Vec<String>) {
        let offline = !self.foreign.is_empty() && !self.failed;
        let is_excused = |text: &String| lacks_webgl(text) || (offline && found_no_server(text));
        let mut warnings = Vec::new();
        if !self.foreign.is_empty() {
            let hosts = self.foreign.iter().cloned().collect::<Vec<_>>().join(", ");
            warnings.push(format!(
                "It asks other servers ({hosts}), which the check does not reach: what they answer is not checked, and the page has to show \
                 something sensible when they don't"
            ));
        }
        if self.lacks_webgl() {
            warnings.push(
                "The check's browser has no WebGL: what is drawn with it was not seen, and the \
                 page has to say so where there is none"
                    .to_owned(),
            );
        }
        let errors = self.errors.into_iter().map(|(_, text)| text);
        let (excused, errors): (Vec<String>, Vec<String>) = errors.partition(is_excused);
        warnings.extend(excused);
        warnings.extend(self.warnings);
        (errors, warnings)
    }

    /// Adds something worth knowing that is not a fault.
    pub fn warn(&mut self, text: String) {
        if self.warnings.len() < MAX_KEPT {
            self.warnings.push(text);
        }
    }

    pub fn error(&mut self, id: Option<i64>, text: String) {
        if self.errors.len() < MAX_KEPT {
            self.errors.push((id, text));
        }
    }

    /// Adds another server that the page asked.
    fn note_foreign(&mut self, host: String) {
        if self.foreign.len() < MAX_KEPT {
            self.foreign.insert(host);
        }
    }

    fn take(&mut self, event: PageEvent) {
        let params = &event.params;
        let request = || params["requestId"].as_str().unwrap_or_default().to_owned();
        match event.method {
            "Page.loadEventFired" => self.loaded = Some(Instant::now()),
            "Page.frameNavigated" if params["frame"]["parentId"].is_null() => {
                self.loads += 1;
                self.loaded = None;
                if self.loads > MAX_LOADS {
                    self.error(None, RELOADS.to_owned());
                }
            }
            "Inspector.targetCrashed" => {
                self.crashed = true;
                self.error(
                    None,
                    "The page crashed: it used more memory than a browser gives it.".to_owned(),
                );
            }
            "Network.requestWillBeSent" => {
                let elsewhere = self.elsewhere(&params["request"]["url"]);
                if params["type"] == "Document" && !params["redirectResponse"].is_null() {
                    self.redirects_to.clone_from(&elsewhere);
                }
                if self.requests.len() < MAX_REQUESTS {
                    self.requests.insert(request(), elsewhere);
                }
            }
            "Network.webSocketCreated" => {
                if let Some(host) = self.elsewhere(&params["url"]) {
                    self.note_foreign(host);
                }
            }
            "Network.responseReceived" => {
                if params["type"] == "Document"
                    && self.frame.as_deref() == params["frameId"].as_str()
                {
                    self.status = params["response"]["status"].as_u64().unwrap_or_default();
                }
                return;
            }
            "Network.loadingFinished" => {
                self.requests.remove(&request());
            }
            "Network.loadingFailed" => {
                let elsewhere = self.requests.remove(&request()).flatten();
                match elsewhere {
                    Some(host) => self.note_foreign(host),
                    None => self.failed |= params["canceled"] != true,
                }
            }
            // Streams that stay open do not count as work under way.
            "Network.eventSourceMessageReceived" => {
                self.requests.remove(&request());
                return;
            }
            "Runtime.exceptionThrown" if is_noise(&params["exceptionDetails"]) => return,
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                self.error(details["exceptionId"].as_i64(), exception(details));
            }
            // A rejection that was handled a moment later.
            "Runtime.exceptionRevoked" => {
                let revoked = params["exceptionId"].as_i64();
                self.errors.retain(|(id, _)| id.is_none() || *id != revoked);
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                let text = console_text(&params["args"]);
                if is_fatal(&text) {
                    self.error(None, text);
                } else if !text.is_empty() {
                    self.warn(text);
                }
            }
            _ => return,
        }
        self.last = Some(Instant::now());
    }

    /// The host of a network address, if it is another server's.
    fn elsewhere(&self, url: &Value) -> Option<String> {
        host(url.as_str()?).filter(|host| *host != self.host)
    }
}

/// The host of an address on the network, with its port.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url
        .host_str()
        .filter(|_| matches!(url.scheme(), "http" | "https" | "ws" | "wss"))?;
    let host: String = host.chars().take(MAX_HOST).collect();
    Some(
        url.port()
            .map_or(host.clone(), |port| format!("{host}:{port}")),
    )
}
