//! A follower of a project's feed that checks, with every event, that none is missing or repeated.

use codeflow::protocol::{
    Event, EventKind, FeedFrame, Message, MessageKind, PreviewState, RunState, ToolUse,
};
use futures::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

use super::{PATIENCE, Server};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The next message that is no ping: a server that only pings is silent. `None` at the end.
pub async fn said(socket: &mut Socket) -> Option<tungstenite::Result<tungstenite::Message>> {
    loop {
        match socket.next().await {
            Some(Ok(tungstenite::Message::Ping(_))) => {}
            next => return next,
        }
    }
}

pub struct Feed {
    socket: Socket,
    /// All events so far.
    pub events: Vec<Event>,
}

/// How the server closed a feed.
#[derive(Debug)]
pub struct FeedEnd {
    pub code: u16,
    pub reason: String,
}

impl Feed {
    pub async fn open(server: &Server, path: &str) -> Self {
        Self::open_on(TcpSocket::new_v4().unwrap(), server, path).await
    }

    /// A client whose socket buffers next to nothing.
    pub async fn open_without_buffer(server: &Server, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self::open_on(socket, server, path).await
    }

    async fn open_on(socket: TcpSocket, server: &Server, path: &str) -> Self {
        let url = format!("ws://127.0.0.1:{}{path}", server.port);
        // A frame may be as large as an answer; browsers have no limit.
        let config = tungstenite::protocol::WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let stream = socket.connect(([127, 0, 0, 1], server.port).into()).await;
        let stream = MaybeTlsStream::Plain(stream.unwrap());
        let connecting = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
        let (socket, _) = connecting.await.unwrap();
        Self {
            socket,
            events: Vec::new(),
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.socket
            .send(tungstenite::Message::text(text))
            .await
            .unwrap();
    }

    async fn message(&mut self) -> tungstenite::Message {
        let next = tokio::time::timeout(PATIENCE, said(&mut self.socket)).await;
        let heard =
            next.unwrap_or_else(|_| panic!("the feed is silent; it said {:#?}", self.events));
        heard.expect("the feed ended").unwrap()
    }

    pub async fn frame(&mut self) -> FeedFrame {
        match self.message().await {
            tungstenite::Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a frame: {other:?}"),
        }
    }

    /// Waits until the server closes it.
    pub async fn closed(mut self) -> FeedEnd {
        loop {
            if let tungstenite::Message::Close(frame) = self.message().await {
                let frame = frame.expect("a close with a reason");
                return FeedEnd {
                    code: frame.code.into(),
                    reason: frame.reason.to_string(),
                };
            }
        }
    }

    /// Waits for the next event.
    pub async fn event(&mut self) -> Event {
        loop {
            if let FeedFrame::Event { event } = self.frame().await {
                let last = self.events.last().map_or(0, |event| event.seq);
                // A replay leaves out what a later event replaced.
                assert!(event.seq > last, "{} after {last}", event.seq);
                self.events.push(event.clone());
                return event;
            }
        }
    }

    /// Waits for an event that `pick` finds something in; one that was heard already counts.
    pub async fn find<T>(&mut self, pick: impl Fn(&EventKind) -> Option<T>) -> T {
        if let Some(found) = self.events.iter().find_map(|event| pick(&event.kind)) {
            return found;
        }
        loop {
            if let Some(found) = pick(&self.event().await.kind) {
                return found;
            }
        }
    }

    /// Waits until `count` runs have ended; the state and the message of the last one.
    pub async fn ended(&mut self, count: usize) -> (RunState, Message) {
        while self.replies().count() < count {
            self.event().await;
        }
        let message = self.replies().last().unwrap().clone();
        let state = self
            .find(|kind| match kind {
                EventKind::Run { run } if Some(run.id) == message.run && run.state.is_final() => {
                    Some(run.state)
                }
                _ => None,
            })
            .await;
        (state, message)
    }

    /// Waits until `count` runs have ended, the last of which must have succeeded; its message.
    pub async fn succeeded(&mut self, count: usize) -> Message {
        let (state, message) = self.ended(count).await;
        assert_eq!(state, RunState::Succeeded, "{}", message.content);
        message
    }

    /// Waits until `count` runs have ended, the last of which must have failed; its message.
    pub async fn failed(&mut self, count: usize) -> Message {
        let (state, message) = self.ended(count).await;
        assert_eq!(state, RunState::Failed, "{}", message.content);
        message
    }

    fn replies(&self) -> impl Iterator<Item = &Message> {
        self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Message { message } if message.kind != MessageKind::Prompt => Some(message),
            _ => None,
        })
    }

    /// Waits until the preview is ready; its address.
    pub async fn preview(&mut self) -> String {
        self.find(|kind| match kind {
            EventKind::Preview {
                preview: PreviewState::Ready { url, .. },
            } => Some(url.clone()),
            _ => None,
        })
        .await
    }

    /// The ended tool call of this step; `None` when there was none.
    pub fn find_tool(&self, step: &str) -> Option<ToolUse> {
        self.events
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::Tool { tool } if tool.step == step && tool.output.is_some() => {
                    Some(tool.clone())
                }
                _ => None,
            })
    }

    /// The ended tool call of this step.
    pub fn tool(&self, step: &str) -> ToolUse {
        let found = self.find_tool(step);
        found.unwrap_or_else(|| panic!("no {step} in {:#?}", self.events))
    }

    /// What the model said in the turn with this number, counted from 1; empty when it said
    /// nothing.
    pub fn said(&self, turn: u32) -> String {
        let found = self
            .events
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::Text {
                    turn: said, text, ..
                } if *said == turn => Some(text.clone()),
                _ => None,
            });
        found.unwrap_or_default()
    }
}
