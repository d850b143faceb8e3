//! The feed's client: keeps a WebSocket to the server open as long as the workspace exists, and
//! passes on each event and the members' presence. It reconnects until it succeeds, and asks for
//! the events after the last one it has; replayed and live events look the same to its caller.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::{Rc, Weak},
    time::Duration,
};

use codee::{Decoder, Encoder, string::JsonSerdeCodec};
use futures::{
    FutureExt, SinkExt, StreamExt,
    future::{AbortHandle, Abortable},
    stream::SplitSink,
};
use gloo_net::websocket::{Message, State, futures::WebSocket};
use leptos::{ev, prelude::*, task::spawn_local};

use super::browser;
use crate::protocol::{Event, FeedFrame, FeedRequest, ProjectId, Team};

const FIRST_RETRY_DELAY_MS: f64 = 250.0;
const MAX_RETRY_DELAY_MS: f64 = 10_000.0;
/// A shorter interruption is not shown.
const GRACE: Duration = Duration::from_secs(1);
const WATCH: Duration = Duration::from_secs(5);
const PING_INTERVAL_MS: i64 = 20_000;
const SILENCE_MS: i64 = 45_000;

/// The state of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Whether it has been down for over a second.
    pub interrupted: Signal<bool>,
    /// The number of the last connection on which the server sent something: it changes after every
    /// interruption, however short.
    pub line: Signal<u32>,
}

/// Follows the project's feed after the event `after` until the current owner is cleaned up; does
/// nothing on the server.
pub fn follow(
    project: ProjectId,
    after: i64,
    on_event: impl Fn(Event) + 'static,
    on_team: impl Fn(Team) + 'static,
) -> Connection {
    let (interrupted, spoken_on) = (RwSignal::new(false), RwSignal::new(0));
    let on_event: Rc<dyn Fn(Event)> = Rc::new(on_event);
    let on_team: Rc<dyn Fn(Team)> = Rc::new(on_team);
    Effect::new(move || {
        let feed = Rc::new(Feed {
            project,
            on_event: on_event.clone(),
            on_team: on_team.clone(),
            interrupted,
            spoken_on,
            after: Cell::new(after),
            line: RefCell::new(None),
            lines: Cell::new(0),
            open: Cell::new(false),
            failures: Cell::new(0),
            retry: Cell::new(None),
            last_frame: Cell::new(browser::now()),
            last_ping: Cell::new(browser::now()),
        });
        feed.connect();
        feed.keep_watch();
    });
    Connection {
        interrupted: interrupted.into(),
        line: spoken_on.into(),
    }
}

struct Feed {
    project: ProjectId,
    on_event: Rc<dyn Fn(Event)>,
    on_team: Rc<dyn Fn(Team)>,
    interrupted: RwSignal<bool>,
    spoken_on: RwSignal<u32>,
    /// The last event received.
    after: Cell<i64>,
    line: RefCell<Option<Line>>,
    /// The number of connections so far, which tells late frames of an old one from current ones.
    lines: Cell<u32>,
    open: Cell<bool>,
    /// Failed attempts since the last frame.
    failures: Cell<u32>,
    retry: Cell<Option<TimeoutHandle>>,
    /// Milliseconds since the epoch, as is `last_ping`.
    last_frame: Cell<i64>,
    last_ping: Cell<i64>,
}

/// One WebSocket. Dropping it closes the socket and ends the task that reads it.
struct Line {
    reading: AbortHandle,
    /// What is sent goes here, once the socket is open.
    sink: Option<SplitSink<WebSocket, Message>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Feed {
    /// Opens a new connection in place of the current one.
    fn connect(self: &Rc<Self>) {
        if let Some(retry) = self.retry.take() {
            retry.clear();
        }
        self.open.set(false);
        self.last_frame.set(browser::now());
        let number = self.lines.get() + 1;
        self.lines.set(number);
        let line = self.dial(number);
        if line.is_none() {
            self.lost(number);
        }
        self.line.replace(line);

        let feed = Rc::downgrade(self);
        set_timeout(
            move || {
                if let Some(feed) = feed.upgrade()
                    && !feed.open.get()
                {
                    feed.interrupted.try_set(true);
                }
            },
            GRACE,
        );
    }

    fn dial(self: &Rc<Self>, number: u32) -> Option<Line> {
        let location = location();
        let scheme = if location.protocol().ok()? == "https:" {
            "wss"
        } else {
            "ws"
        };
        let host = location.host().ok()?;
        let url = format!(
            "{scheme}://{host}/ws/projects/{}?after={}",
            self.project,
            self.after.get()
        );
        let socket = WebSocket::open(&url).ok()?;
        let (reading, registration) = AbortHandle::new_pair();
        // Weak, because the feed owns the connection, which must not keep the feed alive.
        let task = read(Rc::downgrade(self), number, socket);
        spawn_local(Abortable::new(task, registration).map(drop));
        Some(Line {
            reading,
            sink: None,
        })
    }

    fn opened(&self, sink: SplitSink<WebSocket, Message>) {
        self.open.set(true);
        self.interrupted.try_set(false);
        if let Some(line) = &mut *self.line.borrow_mut() {
            line.sink = Some(sink);
        }
    }

    fn receive(&self, message: Message) {
        self.last_frame.set(browser::now());
        self.failures.set(0);
        let line = self.lines.get();
        if self
            .spoken_on
            .try_get_untracked()
            .is_some_and(|known| known != line)
        {
            self.spoken_on.set(line);
        }
        // A frame that this page does not know, from a newer server, is skipped: its event comes
        // with the next reload.
        let frame = match message {
            Message::Text(text) => JsonSerdeCodec::decode(&text).ok(),
            Message::Bytes(_) => None,
        };
        match frame {
            Some(FeedFrame::Event { event }) => {
                self.after.set(self.after.get().max(event.seq));
                (self.on_event)(event);
            }
            Some(FeedFrame::Team { team }) => (self.on_team)(team),
            // After a reload, the page no longer exists.
            Some(FeedFrame::Gone) => _ = location().reload(),
            Some(FeedFrame::CaughtUp | FeedFrame::Pong) | None => {}
        }
    }

    /// This connection is lost: another one is opened after a while.
    fn lost(self: &Rc<Self>, number: u32) {
        if self.lines.get() != number {
            return;
        }
        self.open.set(false);
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let feed = Rc::downgrade(self);
        let retry = set_timeout_with_handle(
            move || {
                if let Some(feed) = feed.upgrade() {
                    feed.connect();
                }
            },
            retry_delay(failures, browser::random()),
        );
        self.retry.set(retry.ok());
    }

    /// Reconnects at once, unless the connection works.
    fn wake(self: &Rc<Self>) {
        let silent = browser::now() - self.last_frame.get() > SILENCE_MS;
        if silent || !self.open.get() {
            self.connect();
        }
    }

    /// Sends a ping when it is due, and drops a connection that has been silent for too long.
    fn check(self: &Rc<Self>) {
        let now = browser::now();
        if now - self.last_frame.get() > SILENCE_MS {
            self.connect();
        } else if self.open.get() && now - self.last_ping.get() >= PING_INTERVAL_MS {
            self.last_ping.set(now);
            if let Some(line) = &mut *self.line.borrow_mut()
                && let Some(sink) = &mut line.sink
                && let Ok(ping) = JsonSerdeCodec::encode(&FeedRequest::Ping)
            {
                // An open socket accepts it immediately.
                let _ = sink.send(Message::Text(ping)).now_or_never();
            }
        }
    }

    /// Watches the connection, and the browser's network and visibility events, until the current
    /// owner is cleaned up; then the feed ends.
    fn keep_watch(self: Rc<Self>) {
        let feed = StoredValue::new_local(Some(self));
        let with_feed = move |act: fn(&Rc<Feed>)| {
            if let Some(feed) = feed.try_get_value().flatten() {
                act(&feed);
            }
        };
        let interval = set_interval_with_handle(move || with_feed(Feed::check), WATCH);
        let online = window_event_listener(ev::online, move |_| with_feed(Feed::wake));
        let visible = window_event_listener(ev::visibilitychange, move |_| {
            if !document().hidden() {
                with_feed(Feed::wake);
            }
        });
        on_cleanup(move || {
            if let Ok(interval) = interval {
                interval.clear();
            }
            online.remove();
            visible.remove();
            if let Some(feed) = feed.try_update_value(Option::take).flatten()
                && let Some(retry) = feed.retry.take()
            {
                retry.clear();
            }
        });
    }
}

/// Reads from a connection until it ends: passes each frame to the feed, then reports the
/// connection as lost.
async fn read(feed: Weak<Feed>, number: u32, mut socket: WebSocket) {
    let feed = || feed.upgrade().filter(|feed| feed.lines.get() == number);
    // Ready when the socket is open, or can't be opened.
    let _ = poll_fn(|context| socket.poll_ready_unpin(context)).await;
    let is_open = matches!(socket.state(), State::Open);
    let (sink, mut frames) = socket.split();
    if let Some(feed) = feed().filter(|_| is_open) {
        feed.opened(sink);
    }
    while let Some(Ok(message)) = frames.next().await {
        if let Some(feed) = feed() {
            feed.receive(message);
        }
    }
    if let Some(feed) = feed() {
        feed.lost(number);
    }
}

/// Exponential back-off with jitter: between half and the whole of 0.25 s, 0.5 s, 1 s … 10 s.
fn retry_delay(failures: u32, random: f64) -> Duration {
    let whole = (FIRST_RETRY_DELAY_MS * f64::from(2_u32.saturating_pow(failures.min(16))))
        .min(MAX_RETRY_DELAY_MS);
    Duration::from_millis((whole * (0.5 + random / 2.0)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_each_time_but_never_over_ten_seconds() {
        assert_eq!(retry_delay(0, 0.0), Duration::from_millis(125));
        assert_eq!(retry_delay(0, 1.0), Duration::from_millis(250));
        assert_eq!(retry_delay(3, 1.0), Duration::from_millis(2_000));
        assert_eq!(retry_delay(40, 1.0), Duration::from_secs(10));
    }
}
