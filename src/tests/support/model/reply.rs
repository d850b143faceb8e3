//! What the scripted model answers, faults included.

use serde_json::{Value, json};

/// One answer of the model.
#[derive(Debug, Clone)]
pub enum Reply {
    Text(&'static str),
    /// Calls of tools: name and arguments, as text that may be anything but JSON.
    Calls(Vec<(&'static str, String)>),
    /// What is streamed, as it is.
    Raw(Vec<String>),
    /// A body of this content type, in these packets, as it is.
    Body(&'static str, Vec<Vec<u8>>),
    /// Refused with this status.
    Status(u16, &'static str),
    /// Refused with this status and a time to wait.
    Later(u16, &'static str),
    /// The connection ends before anything was answered.
    Dropped,
    /// This percentage of the answer's chunks, then the connection breaks.
    Cut(usize, Box<Reply>),
    /// This percentage of the answer's chunks, then nothing more.
    Silent(usize, Box<Reply>),
    /// A pause before each chunk, in milliseconds.
    Slow(u64, Box<Reply>),
    /// A chunk repeated after each pause, in milliseconds, until [`super::Model::release`]; then
    /// the others.
    Repeated(u64, String, Vec<String>),
    /// The first for the first request, the next for the next one; the last for all others.
    InTurn(Vec<Reply>),
    /// An answer before which the model shows what it thinks.
    Thinking(&'static str, Box<Reply>),
    /// An answer with its usage: the tokens read and written.
    Costly(u64, u64, Box<Reply>),
    /// No answer until [`super::Model::release`].
    Held(Box<Reply>),
}

impl Reply {
    pub fn call(name: &'static str, arguments: Value) -> Self {
        Self::Calls(vec![(name, arguments.to_string())])
    }

    /// Writes one file.
    pub fn write(path: &str, content: &str) -> Self {
        Self::call(
            "createOrUpdateFiles",
            json!({ "files": [{ "path": path, "content": content }] }),
        )
    }

    /// Appends a line to `log.txt` by a command, each time that it is executed.
    pub fn append(line: &str) -> Self {
        Self::call(
            "terminal",
            json!({ "command": format!("echo {line} >> log.txt") }),
        )
    }

    pub fn done() -> Self {
        Self::Text(
            "It is finished.\n<task_summary>\nBuilt **what you asked for**.\n</task_summary>",
        )
    }

    pub fn cut(self, percent: usize) -> Self {
        Self::Cut(percent, Box::new(self))
    }

    pub fn held(self) -> Self {
        Self::Held(Box::new(self))
    }

    pub fn costly(self, input: u64, output: u64) -> Self {
        Self::Costly(input, output, Box::new(self))
    }
}
