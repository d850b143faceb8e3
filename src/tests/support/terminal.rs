//! A page that shows a project's terminals: a client of the socket.

use std::collections::BTreeMap;

use codeflow::protocol::{ProjectId, Shell, TerminalFrame, TerminalRequest, TerminalSandbox};
use futures::SinkExt;
use tokio_tungstenite::tungstenite;

use super::{
    FeedEnd, PATIENCE, Server,
    feed::{Socket, said},
};

pub struct Terminal {
    socket: Socket,
    pub sandbox: TerminalSandbox,
    pub shells: Vec<Shell>,
    /// What each shell has shown here, and the place after it.
    pub shown: BTreeMap<u32, (Vec<u8>, u64)>,
    /// How many bytes were left out.
    pub skipped: u64,
    /// What was refused, in words.
    pub refused: Vec<String>,
    opened: Vec<u32>,
}

impl Terminal {
    /// Connects with nothing shown yet.
    pub async fn open(server: &Server, project: ProjectId) -> Self {
        let mut terminal = Self::connect(server, project).await;
        terminal
            .ask(&TerminalRequest::Follow { have: Vec::new() })
            .await;
        terminal
    }

    pub async fn connect(server: &Server, project: impl ToString) -> Self {
        let url = format!(
            "ws://127.0.0.1:{}/ws/projects/{}/terminal",
            server.port,
            project.to_string()
        );
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self {
            socket,
            sandbox: TerminalSandbox::Starting,
            shells: Vec::new(),
            shown: BTreeMap::new(),
            skipped: 0,
            refused: Vec::new(),
            opened: Vec::new(),
        }
    }

    pub async fn ask(&mut self, request: &TerminalRequest) {
        self.send(tungstenite::Message::text(
            serde_json::to_string(request).unwrap(),
        ))
        .await;
    }

    pub async fn send(&mut self, message: tungstenite::Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Opens a shell and waits for it; its number.
    pub async fn shell(&mut self) -> u32 {
        let before = self.opened.len();
        let request = TerminalRequest::Open {
            cols: 80,
            rows: 24,
            first: false,
        };
        self.ask(&request).await;
        self.until("a shell is open", |terminal| {
            assert_eq!(terminal.refused, [] as [&str; 0]);
            terminal.opened.get(before).copied()
        })
        .await
    }

    pub async fn type_in(&mut self, shell: u32, keys: &str) {
        let bytes = [&shell.to_be_bytes()[..], keys.as_bytes()].concat();
        self.send(tungstenite::Message::binary(bytes)).await;
    }

    /// Runs a command, and waits until its shell has shown the words.
    pub async fn run(&mut self, shell: u32, command: &str, words: &str) {
        self.type_in(shell, &format!("{command}\n")).await;
        self.shows(shell, words).await;
    }

    pub async fn shows(&mut self, shell: u32, words: &str) {
        self.until(&format!("shell {shell} shows {words}"), |terminal| {
            terminal.text(shell).contains(words).then_some(())
        })
        .await;
    }

    pub fn text(&self, shell: u32) -> String {
        let shown = self.shown.get(&shell);
        shown.map_or_else(String::new, |(bytes, _)| {
            String::from_utf8_lossy(bytes).into_owned()
        })
    }

    /// The shell, as it was last described.
    pub fn described(&self, number: u32) -> Option<&Shell> {
        self.shells.iter().find(|shell| shell.number == number)
    }

    /// Reads until `check` finds something.
    pub async fn until<T>(&mut self, what: &str, check: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = check(self) {
                return found;
            }
            if let Some(end) = self.read(what).await {
                panic!("closed, waiting until {what}: {end:?}");
            }
        }
    }

    /// Waits until the server closes the socket.
    pub async fn closed(mut self) -> FeedEnd {
        loop {
            if let Some(end) = self.read("it is closed").await {
                return end;
            }
        }
    }

    async fn read(&mut self, what: &str) -> Option<FeedEnd> {
        let next = tokio::time::timeout(PATIENCE, said(&mut self.socket)).await;
        let message = next.unwrap_or_else(|_| {
            panic!(
                "nothing came, waiting until {what}; {:?} {:?} {:?} {:?}",
                self.sandbox,
                self.shells,
                self.refused,
                self.shells
                    .iter()
                    .map(|shell| self.text(shell.number))
                    .collect::<Vec<_>>()
            )
        });
        match message.expect("the socket ended").unwrap() {
            tungstenite::Message::Text(text) => match serde_json::from_str(&text).unwrap() {
                TerminalFrame::Shells { sandbox, shells } => {
                    (self.sandbox, self.shells) = (sandbox, shells);
                }
                TerminalFrame::Opened { shell } => self.opened.push(shell),
                TerminalFrame::Refused { reason } => self.refused.push(reason),
                TerminalFrame::Pong => {}
            },
            tungstenite::Message::Binary(bytes) => {
                let (number, rest) = bytes.split_first_chunk::<4>().unwrap();
                let (place, bytes) = rest.split_first_chunk::<8>().unwrap();
                let place = u64::from_be_bytes(*place);
                let shown = self.shown.entry(u32::from_be_bytes(*number)).or_default();
                if shown.1 != 0 {
                    self.skipped += place - shown.1;
                }
                shown.0.extend(bytes);
                shown.1 = place + bytes.len() as u64;
            }
            tungstenite::Message::Close(frame) => {
                let frame = frame.expect("a close with a reason");
                return Some(FeedEnd {
                    code: frame.code.into(),
                    reason: frame.reason.to_string(),
                });
            }
            other => panic!("not a frame: {other:?}"),
        }
        None
    }
}
