//! Configuration from environment variables: one struct per concern, read once at the start. A
//! wrong value stops the start with one line that names the variable, the value and what it may be.

mod agent;
mod checks;
mod data_folder;
mod llm;
mod sandbox;
pub mod sandbox_host;
mod server;
mod sweeps;

use std::{fmt::Display, str::FromStr};

pub use agent::{Agent, Limits};
pub use checks::{Browser, Unsplash};
pub use data_folder::prepare_data_folder;
pub use llm::{Llm, Provider};
pub use sandbox::{Sandbox, SandboxProvider, is_domain, is_service_address};
pub use sandbox_host::SandboxHost;
pub use server::{Connections, Database, Server, is_loopback_url, loopback_only};
pub use sweeps::{Disk, Sweeps};

/// A variable whose value can't be used. Its text is the one line that the user sees.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value}: {expected}")]
pub struct ConfigError {
    pub name: &'static str,
    pub value: String,
    pub expected: String,
}

impl ConfigError {
    pub fn new(name: &'static str, value: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            expected: expected.into(),
        }
    }
}

/// The variable's trimmed value; `None` when it is unset or empty.
pub fn var(name: &'static str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The variable's value parsed and checked, or `default` when it is unset.
pub fn parsed<T>(
    name: &'static str,
    default: T,
    expected: &str,
    allowed: impl Fn(&T) -> bool,
) -> Result<T, ConfigError>
where
    T: FromStr,
    T::Err: Display,
{
    let Some(value) = var(name) else {
        return Ok(default);
    };
    match value.parse::<T>() {
        Ok(parsed) if allowed(&parsed) => Ok(parsed),
        _ => Err(ConfigError::new(name, value, expected)),
    }
}

/// The folder of everything CodeFlow stores (`CODEFLOW_DATA_DIR`, default `./data`), absolute.
pub fn data_dir() -> std::io::Result<std::path::PathBuf> {
    std::path::absolute(var("CODEFLOW_DATA_DIR").unwrap_or_else(|| "./data".to_owned()))
}
