//! Headless Chromium for one check: a process and a profile of its own, driven over a pipe
//! (chromedevtools.github.io/devtools-protocol), which ends with the pipe. The pages it loads are
//! code that nobody has read, so it keeps its own sandbox, runs where it reaches the app and
//! nothing else (`launch`), and what it says counts up to a limit.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::process::Child;

use super::{
    events::PageEvent,
    launch::{BrowserError, Launched, Leftovers, launch},
    patience::{ANSWER, Patience},
    relay::Relay,
    wire::{Call, Tab, Wire},
};
use crate::{config, sandbox::PageAddress};

/// How long the browser may take to start, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How it is started, beyond what `launch` adds. Each window would get a process of its own for what
/// the address bar suggests, and each page one for the next page: they would compute longer than
/// most pages do.
const ARGUMENTS: [&str; 19] = [
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--mute-audio",
    "--hide-scrollbars",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--noerrdialogs",
    "--no-startup-window",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess",
];
/// The window, in pixels.
pub const WINDOW: (u32, u32) = (1280, 800);
/// The visitor's location. Whatever works only with the sandbox's own clock and language fails
/// here, as it would for most visitors.
const TIME_ZONE: &str = "Asia/Tokyo";
const LOCALE: &str = "de-DE";
/// How long a tab may take to close.
const CLOSE: Duration = Duration::from_secs(2);
/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(3);

/// A tab of a running browser, with one page.
pub struct Browser {
    process: Arc<Process>,
    /// The page's session; the browser's own before there is one.
    session: Option<String>,
    /// The browser's id for what its visitor has stored.
    visitor: Value,
    /// The browser's id for the page.
    target: Value,
    /// Events of the page.
    tab: Arc<Tab>,
}

/// The browser's process, which its tabs share, and which ends with the last of them.
struct Process {
    child: Mutex<Option<Child>>,
    wire: Wire,
    relay: Relay,
    leftovers: Leftovers,
}

impl Browser {
    /// Starts the program with an empty page; the error is always `Unusable`.
    pub async fn start(
        settings: &config::Browser,
        address: &PageAddress,
    ) -> Result<Self, BrowserError> {
        let started = tokio::time::timeout(START, Self::launch(settings, address)).await;
        started
            .unwrap_or_else(|_| {
                let seconds = START.as_secs();
                Err(BrowserError::Unusable(format!(
                    "it did not start within {seconds} seconds"
                )))
            })
            .map_err(|error| match error {
                BrowserError::Unusable(_) => error,
                error => BrowserError::Unusable(format!("it does not start ({error})")),
            })
    }

    async fn launch(
        settings: &config::Browser,
        address: &PageAddress,
    ) -> Result<Self, BrowserError> {
        let Launched {
            child,
            to,
            from,
            relay,
            leftovers,
        } = launch(settings, address, &ARGUMENTS).await?;
        let mut browser = Self {
            process: Arc::new(Process {
                child: Mutex::new(Some(child)),
                wire: Wire::new(to, from),
                relay,
                leftovers,
            }),
            session: None,
            visitor: Value::Null,
            target: Value::Null,
            tab: Arc::default(),
        };
        // Such a context keeps what pages store in memory, and limits it.
        browser.visitor = browser.new_visitor().await?;
        browser.open_page().await?;
        Ok(browser)
    }

    /// Replaces the page with an empty one for a new visitor.
    pub async fn renew(&mut self) -> Result<(), BrowserError> {
        self.leave_page();
        let gone = json!({ "browserContextId": self.visitor.take() });
        self.call("Target.disposeBrowserContext", gone, START)
            .await?;
        self.visitor = self.new_visitor().await?;
        self.open_page().await
    }

    /// Opens another tab for the same visitor, with an empty page.
    pub async fn open_tab(&self) -> Result<Self, BrowserError> {
        let mut tab = Self {
            process: self.process.clone(),
            session: None,
            visitor: self.visitor.clone(),
            target: Value::Null,
            tab: Arc::default(),
        };
        tab.open_page().await?;
        Ok(tab)
    }

    /// Closes the tab; the others stay.
    pub async fn close(mut self) {
        self.leave_page();
        let target = json!({ "targetId": self.target });
        // One that does not answer ends with its browser.
        let _ = self.call("Target.closeTarget", target, CLOSE).await;
    }

    async fn new_visitor(&mut self) -> Result<Value, BrowserError> {
        let mut context = self
            .call("Target.createBrowserContext", json!({}), START)
            .await?;
        let context = context["browserContextId"].take();
        let downloads = json!({ "behavior": "deny", "browserContextId": context });
        self.call("Browser.setDownloadBehavior", downloads, START)
            .await?;
        Ok(context)
    }

    fn leave_page(&mut self) {
        if let Some(session) = self.session.take() {
            self.process.wire.forget(&session);
        }
    }

    async fn open_page(&mut self) -> Result<(), BrowserError> {
        // In a window of its own, because tabs in the background are not drawn.
        let target = json!({
            "url": "about:blank", "browserContextId": self.visitor, "newWindow": true,
        });
        let mut page = self.call("Target.createTarget", target, START).await?;
        self.target = page["targetId"].take();
        let attach = json!({ "targetId": self.target, "flatten": true });
        let attached = self.call("Target.attachToTarget", attach, START).await?;
        let session = attached["sessionId"].as_str().unwrap_or_default();
        self.tab = self.process.wire.tab(session);
        self.session = Some(session.to_owned());
        for domain in ["Page", "Runtime", "Network", "Inspector"] {
            self.call(&format!("{domain}.enable"), json!({}), START)
                .await?;
        }
        self.resize(WINDOW).await?;
        for (what, how) in [
            ("Timezone", json!({ "timezoneId": TIME_ZONE })),
            ("Locale", json!({ "locale": LOCALE })),
        ] {
            self.call(&format!("Emulation.set{what}Override"), how, START)
                .await?;
        }
        Ok(())
    }

    /// Gives the page a window of this size, in pixels.
    pub async fn resize(&mut self, (width, height): (u32, u32)) -> Result<(), BrowserError> {
        let how =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", how, START)
            .await?;
        Ok(())
    }

    /// Calls a method of the protocol on the page, and returns its result.
    pub async fn call(
        &mut self,
        method: &str,
        params: Value,
        patience: Duration,
    ) -> Result<Value, BrowserError> {
        let mut call = self.send(method, params).await?;
        let result = call.result(Instant::now() + patience).await?;
        result.ok_or(BrowserError::Silent)
    }

    /// Like [`Browser::call`], for questions that the page itself must answer: it counts as silent
    /// once it has had its turn on the processors.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, BrowserError> {
        self.ask_within(method, params, ANSWER).await
    }

    /// The same for an answer within this time, as measured on an idle machine.
    pub async fn ask_within(
        &mut self,
        method: &str,
        params: Value,
        answer: Duration,
    ) -> Result<Value, BrowserError> {
        let mut call = self.send(method, params).await?;
        let patience = self.patience(answer);
        loop {
            if let Some(answer) = call.result(patience.deadline()).await? {
                return Ok(answer);
            }
            if patience.is_at_an_end() {
                return Err(BrowserError::Silent);
            }
        }
    }

    async fn send(&self, method: &str, params: Value) -> Result<Call, BrowserError> {
        let wire = &self.process.wire;
        wire.call(self.session.as_deref(), method, params).await
    }

    /// What the page looks like: a PNG.
    pub async fn screenshot(&mut self) -> Result<Vec<u8>, BrowserError> {
        self.capture(json!({})).await
    }

    /// A picture of this part of the page, as PNG. `part` contains the command's other parameters.
    pub async fn capture(&mut self, part: Value) -> Result<Vec<u8>, BrowserError> {
        let mut how = json!({ "format": "png", "optimizeForSpeed": true });
        if let (Some(how), Value::Object(part)) = (how.as_object_mut(), part) {
            how.extend(part);
        }
        let shot = self.ask("Page.captureScreenshot", how).await?;
        let png = STANDARD.decode(shot["data"].as_str().unwrap_or_default());
        Ok(png.unwrap_or_default())
    }

    /// Begins waiting for the page to respond within this time, as measured on an idle machine.
    pub fn patience(&self, answer: Duration) -> Patience {
        Patience::new(self.process.leftovers.group.clone(), answer)
    }

    /// The next event; `None` when none came in time.
    pub async fn next_event(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<PageEvent>, BrowserError> {
        self.process.wire.next_event(&self.tab, deadline).await
    }

    /// Whether the kernel killed one of its processes because memory ran out.
    pub fn ran_out_of_memory(&self) -> bool {
        self.process.leftovers.ran_out_of_memory()
    }

    /// Why the last connection to the app's data plane failed, if it did.
    pub fn no_way(&self) -> Option<String> {
        self.process.relay.failure()
    }

    /// Ends it with all of its tabs, and waits until its folder is removed.
    pub async fn stop(self) {
        let process = self.process.clone();
        // It ends with its pipe, and with it the processes it has started.
        process.wire.close().await;
        let child = process.child.lock().take();
        if let Some(mut child) = child
            && tokio::time::timeout(END, child.wait()).await.is_err()
        {
            let _ = child.kill().await;
        }
        let _ = tokio::task::spawn_blocking(move || process.leftovers.remove()).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.leave_page();
    }
}
