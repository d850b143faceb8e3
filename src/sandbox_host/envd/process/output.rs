//! A process's output: its two streams, or its terminal.

use std::{collections::VecDeque, os::fd::AsFd, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, ChildStderr, ChildStdout},
};

use super::terminal::Terminal;

/// The maximum output in one event, in bytes.
const MAX_EVENT: usize = 32 << 10;
/// The pause between two reads of unwanted output, so that an endless writer waits and takes little
/// processor time.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// The outputs of a process, each open until its last writer has closed it.
pub(super) struct Output {
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    terminal: Option<Arc<Terminal>>,
    screen: Vec<u8>,
}

struct Stream<R> {
    name: &'static str,
    reader: Option<R>,
    buffer: Vec<u8>,
    /// How many bytes are forwarded in total: half from the beginning as they come, half from the
    /// end afterwards.
    limit: Option<usize>,
    passed: usize,
    end: VecDeque<u8>,
    skipped: u64,
}

impl Output {
    /// Takes the child's outputs. Of each stream at most `limit` bytes are forwarded, half from its
    /// beginning and half from its end.
    pub(super) fn new(
        child: &mut Child,
        terminal: Option<Arc<Terminal>>,
        limit: Option<usize>,
    ) -> Self {
        Self {
            stdout: Stream::new("stdout", child.stdout.take(), limit),
            stderr: Stream::new("stderr", child.stderr.take(), limit),
            terminal,
            screen: vec![0; MAX_EVENT / 2],
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stdout.reader.is_some() || self.stderr.reader.is_some() || self.terminal.is_some()
    }

    /// The number of bytes read, and the event's data if they are to be forwarded. Never completes
    /// for an output that is not open.
    pub(super) async fn next(&mut self) -> (usize, Option<Value>) {
        let terminal = &mut self.terminal;
        let screen = async {
            match terminal {
                Some(terminal) => terminal.read(&mut self.screen).await.unwrap_or(0),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.stdout.next() => read,
            read = self.stderr.next() => read,
            read = screen => {
                if read == 0 {
                    *terminal = None;
                    return (0, None);
                }
                (read, Some(json!({ "pty": STANDARD.encode(&self.screen[..read]) })))
            }
        }
    }

    /// The number of bytes that were written but not read yet.
    pub(super) fn waiting(&self) -> usize {
        self.stdout.waiting() + self.stderr.waiting()
    }

    /// The kept ends of streams that were too long, as event data.
    pub(super) fn ends(&mut self) -> Vec<Value> {
        [self.stdout.take_end(), self.stderr.take_end()].concat()
    }

    /// Reads and discards the rest: without a reader the process would block, and a closed pipe
    /// would kill it.
    pub(super) async fn drain(mut self) {
        while self.is_open() {
            self.next().await;
            self.ends();
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
    }
}

impl<R: AsyncRead + AsFd + Unpin> Stream<R> {
    fn new(name: &'static str, reader: Option<R>, limit: Option<usize>) -> Self {
        Self {
            name,
            reader,
            buffer: vec![0; MAX_EVENT],
            limit,
            passed: 0,
            end: VecDeque::new(),
            skipped: 0,
        }
    }

    async fn next(&mut self) -> (usize, Option<Value>) {
        let Some(reader) = &mut self.reader else {
            return std::future::pending().await;
        };
        let read = reader.read(&mut self.buffer).await.unwrap_or(0);
        if read == 0 {
            self.reader = None;
            return (0, None);
        }
        let bytes = &self.buffer[..read];
        let Some(half) = self
            .limit
            .map(|limit| limit / 2)
            .filter(|half| self.passed + read > *half)
        else {
            self.passed += read;
            return (read, Some(self.data(bytes, 0)));
        };
        // Once a piece is held back, all later ones are, to keep their order.
        self.passed = half;
        self.end.extend(bytes);
        let excess = self.end.len().saturating_sub(half);
        self.end.drain(..excess);
        self.skipped += excess as u64;
        (read, None)
    }

    /// `skipped`: the number of bytes left out before these.
    fn data(&self, bytes: &[u8], skipped: u64) -> Value {
        let mut data = json!({ self.name: STANDARD.encode(bytes) });
        if skipped > 0 {
            data["skipped"] = json!(skipped);
        }
        data
    }

    fn waiting(&self) -> usize {
        let bytes = self
            .reader
            .as_ref()
            .and_then(|reader| rustix::io::ioctl_fionread(reader).ok());
        bytes.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn take_end(&mut self) -> Vec<Value> {
        let end = Vec::from(std::mem::take(&mut self.end));
        let mut skipped = std::mem::take(&mut self.skipped);
        end.chunks(MAX_EVENT)
            .map(|bytes| self.data(bytes, std::mem::take(&mut skipped)))
            .collect()
    }
}
