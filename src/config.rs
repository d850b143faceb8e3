//! Configuration from environment variables: one struct per concern, read once at the start. A
//! wrong value stops the start with one line that names the variable, the value and what it may be.

mod agent;
mod checks;
mod data_folder;
mod env;
mod llm;
mod sandbox;
pub mod sandbox_host;
mod server;
mod settings;
mod sweeps;

pub use agent::{Agent, Limits};
pub use checks::{Browser, Unsplash};
pub use data_folder::prepare_data_folder;
pub use env::Env;
pub use llm::{Llm, Provider};
pub use sandbox::{Sandbox, SandboxProvider, is_domain, is_service_address};
pub use sandbox_host::SandboxHost;
pub use server::{Connections, Database, Server, is_loopback_url, loopback_only};
pub use settings::Settings;
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
