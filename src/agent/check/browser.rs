//! Headless Chromium for one check: a process and a profile of its own, driven over a pipe
//! (chromedevtools.github.io/devtools-protocol), which ends with the pipe. The pages it loads are
//! code that nobody has read, so it keeps its own sandbox, runs where it reaches the app and
//! nothing else (`launch`), and what it says counts up to a limit.

use std::{
    io,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::unix::pipe, process::Child};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead, FramedWrite};

use super::{
    events::{Event, Events},
    launch::{BrowserError, Launched, Remains, launch},
    patience::{ANSWER, Patience},
    relay::Relay,
};
use crate::{config, sandbox::PageAddress};

/// How long the browser may take to start, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// The longest message that is read, in bytes: a screenshot is the largest. Longer ones are what
/// pages write on the console.
const MAX_MESSAGE: usize = 16 << 20;
/// How it is started, beyond what `launch` adds.
const ARGUMENTS: [&str; 17] = [
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
];
/// The window, in pixels.
pub const WINDOW: (u32, u32) = (1280, 800);
/// The visitor's location. Whatever works only with the sandbox's own clock and language fails
/// here, as it would for most visitors.
const TIME_ZONE: &str = "Asia/Tokyo";
const LOCALE: &str = "de-DE";
/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(3);
/// A running browser with one page.
pub struct Browser {
    child: Child,
    sent: FramedWrite<pipe::Sender, AnyDelimiterCodec>,
    received: FramedRead<pipe::Receiver, AnyDelimiterCodec>,
    last_id: u64,
    /// The page's session; the browser's own before there is one.
    session: Option<String>,
    /// The browser's id for what its visitor has stored, and for the page.
    visitor: Value,
    /// Events that arrived while a call waited for its result.
    events: Events,
    /// Whether the message before was too long: after one, the reader says once that it has ended.
    skipped: bool,
    relay: Relay,
    remains: Remains,
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
            remains,
        } = launch(settings, address, &ARGUMENTS).await?;
        let ends = AnyDelimiterCodec::new_with_max_length(vec![0], vec![0], MAX_MESSAGE);
        let mut browser = Self {
            child,
            sent: FramedWrite::new(to, ends.clone()),
            received: FramedRead::new(from, ends),
            last_id: 0,
            session: None,
            visitor: Value::Null,
            events: Events::default(),
            skipped: false,
            relay,
            remains,
        };
        browser.open_page().await?;
        Ok(browser)
    }

    /// Replaces the page with an empty one for a new visitor.
    pub async fn renew(&mut self) -> Result<(), BrowserError> {
        self.session = None;
        let gone = json!({ "browserContextId": self.visitor.take() });
        self.call("Target.disposeBrowserContext", gone, START)
            .await?;
        self.open_page().await?;
        // Events of the page before.
        while self.next_event(Instant::now()).await?.is_some() {}
        Ok(())
    }

    async fn open_page(&mut self) -> Result<(), BrowserError> {
        // Such a context keeps what pages store in memory, and limits it.
        let context = self
            .call("Target.createBrowserContext", json!({}), START)
            .await?;
        let context = &context["browserContextId"];
        self.visitor = context.clone();
        let downloads = json!({ "behavior": "deny", "browserContextId": context });
        self.call("Browser.setDownloadBehavior", downloads, START)
            .await?;
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let page = self.call("Target.createTarget", target, START).await?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach, START).await?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
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
        let id = self.send(method, params).await?;
        let deadline = Instant::now() + patience;
        match self.answer(id, method, deadline).await? {
            Some(answer) => Ok(answer),
            None => Err(BrowserError::Silent),
        }
    }

    /// Like [`Browser::call`], for questions that the page itself must answer: it counts as silent
    /// once it has had its turn on the processors.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, BrowserError> {
        let id = self.send(method, params).await?;
        let patience = self.patience(ANSWER);
        loop {
            if let Some(answer) = self.answer(id, method, patience.deadline()).await? {
                return Ok(answer);
            }
            if patience.is_at_an_end() {
                return Err(BrowserError::Silent);
            }
        }
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
        Patience::new(self.remains.group.clone(), answer)
    }

    /// The result of the call with this id; `None` when it did not come in time.
    async fn answer(
        &mut self,
        id: u64,
        method: &str,
        deadline: Instant,
    ) -> Result<Option<Value>, BrowserError> {
        while let Some(message) = self.receive(deadline).await? {
            if message["id"] == id {
                return match message["error"]["message"].as_str() {
                    Some(error) => Err(BrowserError::Failed(format!("{method}: {error}"))),
                    None => Ok(Some(message["result"].clone())),
                };
            }
            self.keep(message).await?;
        }
        Ok(None)
    }

    /// Sends a call, and returns the id that its result will have.
    async fn send(&mut self, method: &str, params: Value) -> Result<u64, BrowserError> {
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.sent.send(request.to_string()).await.map_err(ended)?;
        Ok(self.last_id)
    }

    /// Keeps an event until it is asked for.
    async fn keep(&mut self, message: Value) -> Result<(), BrowserError> {
        if message["method"] == "Page.javascriptDialogOpening" {
            // The page waits for it, and answers nothing in the meantime.
            self.send("Page.handleJavaScriptDialog", json!({ "accept": true }))
                .await?;
        } else {
            self.events.keep(message);
        }
        Ok(())
    }

    /// The next event; `None` when none came in time.
    pub async fn next_event(&mut self, deadline: Instant) -> Result<Option<Event>, BrowserError> {
        loop {
            if let Some(event) = self.events.next() {
                return Ok(Some(event));
            }
            let Some(message) = self.receive(deadline).await? else {
                return Ok(None);
            };
            self.keep(message).await?;
        }
    }

    async fn receive(&mut self, deadline: Instant) -> Result<Option<Value>, BrowserError> {
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline.into(), self.received.next()).await
            else {
                return Ok(None);
            };
            let skipped = std::mem::take(&mut self.skipped);
            match message {
                Some(Ok(message)) => {
                    let message = serde_json::from_slice(&message).map_err(io::Error::from)?;
                    return Ok(Some(message));
                }
                Some(Err(AnyDelimiterCodecError::MaxChunkLengthExceeded)) => self.skipped = true,
                Some(Err(error)) => return Err(ended(error)),
                None if skipped => {}
                None => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            }
        }
    }

    /// Whether the kernel killed one of its processes because memory ran out.
    pub fn ran_out_of_memory(&self) -> bool {
        self.remains.ran_out_of_memory()
    }

    /// Why the last connection to the app's data plane failed, if it did.
    pub fn no_way(&self) -> Option<String> {
        self.relay.failure()
    }

    /// Ends it, and waits until its folder is removed.
    pub async fn stop(self) {
        let Self {
            mut child,
            sent,
            received,
            remains,
            ..
        } = self;
        // It ends with its pipe, and with it the processes it has started.
        drop((sent, received));
        if tokio::time::timeout(END, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        let _ = tokio::task::spawn_blocking(move || remains.remove()).await;
    }
}

fn ended(error: AnyDelimiterCodecError) -> BrowserError {
    BrowserError::Io(io::Error::other(error.to_string()))
}
