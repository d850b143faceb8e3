//! The requests and responses of `process.Process`, as in E2B's API.

use std::collections::HashMap;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox_host::envd::connect::frame;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub cmd: String,
    pub args: Vec<String>,
    pub envs: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Start {
    pub process: Config,
    #[serde(default)]
    pub pty: Option<Pty>,
    #[serde(default)]
    pub tag: Option<String>,
    #[serde(default)]
    pub stdin: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Pty {
    #[serde(default)]
    pub size: Size,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Size {
    pub cols: u16,
    pub rows: u16,
}

#[derive(Deserialize)]
pub(super) struct To {
    pub process: Selector,
    #[serde(default)]
    pub signal: String,
    #[serde(default)]
    pub input: Input,
    #[serde(default)]
    pub pty: Option<Pty>,
}

/// A process by its id, or by the tag it was started with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Selector {
    Pid(u32),
    Tag(String),
}

/// Base64.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Input {
    pub stdin: Option<String>,
    pub pty: Option<String>,
}

/// A frame of a process's stream.
pub(super) fn event(event: &Value) -> Bytes {
    frame(0, &json!({ "event": event })).into()
}
