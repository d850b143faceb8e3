//! The format of the log (`LOG_FORMAT`).

use super::{ConfigError, Env};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one line of text, in colour on a terminal.
    Text,
    /// For programs: one JSON object.
    Json,
}

impl LogFormat {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.var("LOG_FORMAT").as_deref() {
            None | Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some(other) => Err(ConfigError::new("LOG_FORMAT", other, "text or json")),
        }
    }
}
