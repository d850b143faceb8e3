//! What goes over the socket of a project's terminals. Beside these, as JSON text, both sides send
//! binary frames: from the client the number of a shell (`u32`, big-endian) and what was typed; to
//! it the number, the place of the first byte in all that the shell has shown (`u64`), and what it
//! shows.

use serde::{Deserialize, Serialize};

/// To the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum TerminalFrame {
    /// The shells as they are, and the sandbox that they run in.
    Shells {
        sandbox: TerminalSandbox,
        shells: Vec<Shell>,
    },
    /// The shell that this client has opened.
    Opened {
        shell: u32,
    },
    /// Something was not done; the sentence is for the user.
    Refused {
        reason: String,
    },
    Pong,
}

/// What the shells' sandbox is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TerminalSandbox {
    /// The project has no app yet.
    None,
    /// It is being woken or made.
    Starting,
    Awake,
    Asleep,
    /// It is gone; the next shell makes another one from the latest version.
    Lost,
    Unreachable {
        reason: String,
    },
}

/// A shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    pub number: u32,
    /// The place of the byte that it shows next.
    pub end: u64,
    pub ended: Option<ShellEnd>,
}

/// How a shell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellEnd {
    /// -1 when a signal ended it; `None` when it went with its sandbox.
    pub code: Option<i32>,
    /// What it started and left running.
    pub left: Vec<LeftRunning>,
}

/// A process that outlived its shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRunning {
    pub pid: u32,
    pub command: String,
}

/// From the client. A size is in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum TerminalRequest {
    /// Comes first: what is shown from here on, and before that what the client doesn't have;
    /// `have` is the number of a shell with the place up to which it has it.
    Follow {
        have: Vec<(u32, u64)>,
    },
    /// Opens a shell; with `first`, only if there is none.
    Open {
        cols: u16,
        rows: u16,
        first: bool,
    },
    Resize {
        shell: u32,
        cols: u16,
        rows: u16,
    },
    /// Ends a shell and forgets it.
    Close {
        shell: u32,
    },
    /// Ends what a shell that has ended left running.
    EndLeft {
        shell: u32,
    },
    /// Wakes the sandbox.
    Wake,
    Ping,
}
