//! The pipe to a browser, which its tabs share: calls go in, and what comes out goes to whoever
//! made the call or looks at the tab, up to a limit (`events`).

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    net::unix::pipe,
    sync::{Notify, oneshot},
};
use tokio_util::{
    codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead, FramedWrite},
    task::AbortOnDropHandle,
};

use super::{
    events::{Events, PageEvent},
    launch::BrowserError,
};

/// The longest message that is read, in bytes: a screenshot is the largest. Longer ones are what
/// pages write on the console.
const MAX_MESSAGE: usize = 16 << 20;

type Writer = FramedWrite<pipe::Sender, AnyDelimiterCodec>;
type Reader = FramedRead<pipe::Receiver, AnyDelimiterCodec>;

/// A browser's pipe. Dropped or closed, it ends the browser.
pub struct Wire {
    line: Arc<Line>,
    reading: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// What the reader of the pipe shares with those who call.
#[derive(Default)]
struct Line {
    /// `None` once it is closed.
    writer: tokio::sync::Mutex<Option<Writer>>,
    last_id: AtomicU64,
    /// `None` once the browser has stopped sending.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    /// Who made the calls that have no result yet.
    calls: HashMap<u64, oneshot::Sender<Value>>,
    /// By the tab's session.
    tabs: HashMap<String, Arc<Tab>>,
}

/// The events of a tab that nobody has read yet.
#[derive(Default)]
pub struct Tab {
    events: Mutex<Events>,
    arrived: Notify,
}

/// A call that was made.
pub struct Call {
    method: String,
    result: oneshot::Receiver<Value>,
}

impl Wire {
    pub fn new(to: pipe::Sender, from: pipe::Receiver) -> Self {
        let ends = AnyDelimiterCodec::new_with_max_length(vec![0], vec![0], MAX_MESSAGE);
        let line = Arc::new(Line {
            writer: tokio::sync::Mutex::new(Some(FramedWrite::new(to, ends.clone()))),
            waiting: Mutex::new(Some(Waiting::default())),
            ..Line::default()
        });
        let reading = tokio::spawn(line.clone().read(FramedRead::new(from, ends)));
        Self {
            line,
            reading: Mutex::new(Some(AbortOnDropHandle::new(reading))),
        }
    }

    /// Calls a method of the protocol: of the tab with this session, or of the browser.
    pub async fn call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Call, BrowserError> {
        let id = self.line.next_id();
        let (sender, result) = oneshot::channel();
        {
            let mut waiting = self.line.waiting.lock();
            let calls = &mut waiting.as_mut().ok_or_else(ended)?.calls;
            // Those whose callers have given up.
            calls.retain(|_, call| !call.is_closed());
            calls.insert(id, sender);
        }
        let request = request(id, session, method, params);
        self.line.send(request).await?;
        let method = method.to_owned();
        Ok(Call { method, result })
    }

    /// Begins to keep the events of the tab with this session.
    pub fn tab(&self, session: &str) -> Arc<Tab> {
        let tab = Arc::<Tab>::default();
        if let Some(waiting) = self.line.waiting.lock().as_mut() {
            waiting.tabs.insert(session.to_owned(), tab.clone());
        }
        tab
    }

    /// Keeps no more events of this tab.
    pub fn forget(&self, session: &str) {
        if let Some(waiting) = self.line.waiting.lock().as_mut() {
            waiting.tabs.remove(session);
        }
    }

    /// The tab's next event; `None` when none came in time.
    pub async fn next_event(
        &self,
        tab: &Tab,
        deadline: Instant,
    ) -> Result<Option<PageEvent>, BrowserError> {
        loop {
            let arrived = tab.arrived.notified();
            if let Some(event) = tab.events.lock().next() {
                return Ok(Some(event));
            }
            if self.line.waiting.lock().is_none() {
                return Err(ended());
            }
            if tokio::time::timeout_at(deadline.into(), arrived)
                .await
                .is_err()
            {
                return Ok(None);
            }
        }
    }

    /// Closes the pipe, with which the browser ends.
    pub async fn close(&self) {
        self.line.end();
        self.line.writer.lock().await.take();
        let reading = self.reading.lock().take();
        if let Some(reading) = reading {
            reading.abort();
            let _ = reading.await;
        }
    }
}

impl Call {
    /// Its result; `None` when that did not come in time.
    pub async fn result(&mut self, deadline: Instant) -> Result<Option<Value>, BrowserError> {
        let Ok(result) = tokio::time::timeout_at(deadline.into(), &mut self.result).await else {
            return Ok(None);
        };
        let mut message = result.map_err(|_| ended())?;
        match message["error"]["message"].as_str() {
            Some(error) => Err(BrowserError::Failed(format!("{}: {error}", self.method))),
            None => Ok(Some(message["result"].take())),
        }
    }
}

impl Line {
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    async fn send(&self, request: String) -> Result<(), BrowserError> {
        let mut writer = self.writer.lock().await;
        let writer = writer.as_mut().ok_or_else(ended)?;
        writer
            .send(request)
            .await
            .map_err(|error| BrowserError::Io(io::Error::other(error.to_string())))
    }

    /// Reads until the browser ends.
    async fn read(self: Arc<Self>, mut reader: Reader) {
        // Whether the message before was too long: after one, the reader says once that it has
        // ended.
        let mut skipped = false;
        loop {
            let message = reader.next().await;
            let ends = !std::mem::take(&mut skipped);
            match message {
                Some(Ok(message)) => match serde_json::from_slice(&message) {
                    Ok(message) => self.hand_out(message).await,
                    Err(error) => {
                        tracing::warn!(%error, "a browser does not speak its protocol");
                        break;
                    }
                },
                Some(Err(AnyDelimiterCodecError::MaxChunkLengthExceeded)) => skipped = true,
                Some(Err(AnyDelimiterCodecError::Io(_))) => break,
                None if ends => break,
                None => {}
            }
        }
        self.end();
    }

    async fn hand_out(&self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let mut waiting = self.waiting.lock();
            let call = waiting
                .as_mut()
                .and_then(|waiting| waiting.calls.remove(&id));
            if let Some(call) = call {
                // The caller has given up.
                let _ = call.send(message);
            }
            return;
        }
        let Some(session) = message["sessionId"].as_str().map(str::to_owned) else {
            return;
        };
        if message["method"] == "Page.javascriptDialogOpening" {
            // The page waits for it, and answers nothing in the meantime.
            let accept = json!({ "accept": true });
            let method = "Page.handleJavaScriptDialog";
            let request = request(self.next_id(), Some(&session), method, accept);
            // A pipe that is broken ends this reader too.
            let _ = self.send(request).await;
            return;
        }
        let waiting = self.waiting.lock();
        let tab = waiting
            .as_ref()
            .and_then(|waiting| waiting.tabs.get(&session));
        if let Some(tab) = tab {
            tab.events.lock().keep(message);
            tab.arrived.notify_one();
        }
    }

    /// The browser has stopped sending.
    fn end(&self) {
        let ended = self.waiting.lock().take();
        for tab in ended.iter().flat_map(|waiting| waiting.tabs.values()) {
            tab.arrived.notify_one();
        }
    }
}

fn request(id: u64, session: Option<&str>, method: &str, params: Value) -> String {
    let mut request = json!({ "id": id, "method": method, "params": params });
    if let Some(session) = session {
        request["sessionId"] = json!(session);
    }
    request.to_string()
}

fn ended() -> BrowserError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::OwnedFd, time::Duration};

    use super::*;

    /// A wire, and the browser's ends of it.
    fn wire() -> io::Result<(Wire, io::PipeReader, io::PipeWriter)> {
        let (from_us, to_browser) = io::pipe()?;
        let (from_browser, to_us) = io::pipe()?;
        let to = pipe::Sender::from_owned_fd(OwnedFd::from(to_browser))?;
        let from = pipe::Receiver::from_owned_fd(OwnedFd::from(from_browser))?;
        Ok((Wire::new(to, from), from_us, to_us))
    }

    #[tokio::test]
    async fn tabs_get_their_own_events_and_callers_their_own_results() -> Result<(), BrowserError> {
        let (wire, _heard, mut browser) = wire()?;
        let (one, two) = (wire.tab("1"), wire.tab("2"));
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(20));
        let _slow = wire.call(Some("1"), "Page.enable", json!({})).await?;
        let mut refused = wire.call(Some("1"), "Page.navigate", json!({})).await?;
        let mut call = wire.call(Some("2"), "Page.enable", json!({})).await?;
        assert_eq!(call.result(now).await?, None);
        let loaded = |tab: &str| json!({ "method": "Page.loadEventFired", "sessionId": tab, "params": { "timestamp": 1 } });
        for message in [
            loaded("2"),
            loaded("3"),
            json!({ "id": 99, "result": {} }),
            json!({ "id": 2, "error": { "message": "no" } }),
            json!({ "id": 3, "result": { "answer": 7 } }),
        ] {
            browser.write_all(format!("{message}\0").as_bytes())?;
        }
        assert_eq!(call.result(later).await?, Some(json!({ "answer": 7 })));
        assert!(
            matches!(refused.result(later).await, Err(BrowserError::Failed(why)) if why == "Page.navigate: no")
        );
        assert!(wire.next_event(&two, now).await?.is_some());
        assert!(wire.next_event(&two, now).await?.is_none());
        assert!(wire.next_event(&one, now).await?.is_none());
        // It ends.
        drop(browser);
        assert!(wire.next_event(&one, later).await.is_err());
        assert!(
            wire.call(None, "Browser.getVersion", json!({}))
                .await
                .is_err()
        );
        Ok(())
    }
}
