//! The frames on the socket of a project's terminals. Besides these, sent as JSON text, both sides
//! send binary frames. From the client: a shell's number (`u32`, big-endian) and the typed bytes.
//! To the client: the shell's number, the offset of the first byte in all of the shell's output
//! (`u64`), and the output.

use serde::{Deserialize, Serialize};

/// To the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum TerminalFrame {
    /// The current shells, and the state of their sandbox.
    Shells {
        sandbox: TerminalSandbox,
        shells: Vec<Shell>,
    },
    /// The shell that this client opened.
    Opened {
        shell: u32,
    },
    /// A request was refused; the sentence is for the user.
    Refused {
        reason: String,
    },
    Pong,
}

/// The state of the shells' sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TerminalSandbox {
    /// The project has no app yet.
    None,
    /// It is waking or being created.
    Starting,
    Awake,
    Asleep,
    /// It is gone; the next shell creates another one from the latest version.
    Lost,
    Unreachable {
        reason: String,
    },
}

/// A shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    pub number: u32,
    /// The offset of its next byte of output.
    pub end: u64,
    pub ended: Option<ShellEnd>,
}

/// How a shell ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellEnd {
    /// -1 if a signal ended it; `None` if its sandbox went away.
    pub code: Option<i32>,
    /// The processes that it left running.
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
    /// The first request: asks for all output from now on, and for earlier output that the client
    /// lacks. `have` maps a shell's number to the offset up to which the client has its output.
    Follow {
        have: Vec<(u32, u64)>,
    },
    /// Opens a shell; with `first`, only if there is none yet.
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
    /// Ends the processes that a finished shell left running.
    EndLeft {
        shell: u32,
    },
    /// Wakes the sandbox.
    Wake,
    Ping,
}
