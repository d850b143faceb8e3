//! Settings from environment variables: one struct per concern, read once at the start. A wrong
//! value stops the start with one line that names the variable, the value and the accepted values.
//! Keys, tokens and passwords are secrets, which `Debug` does not print.

mod accounts;
mod agent;
mod alerts;
mod billing;
mod checks;
mod credits;
mod data_folder;
mod engine;
mod env;
mod environment;
mod llm;
mod log;
mod mail;
mod mcp;
mod object_storage;
mod providers;
mod sandbox;
pub mod sandbox_host;
mod server;
mod settings;
mod sweeps;
mod traces;

pub use accounts::{Accounts, Network, SecretKey};
pub use agent::{Agent, RunLimits};
pub use alerts::{AlertThresholds, Alerts};
pub use billing::Billing;
pub use checks::{Browser, Unsplash};
pub use credits::Credits;
pub use data_folder::prepare_data_folder;
pub use engine::{Restate, RunEngine};
pub use env::Env;
pub use environment::Environment;
pub use llm::{Ability, Api, Llm, Provider, Reasoning};
pub use log::LogFormat;
pub use mail::Mail;
pub use mcp::{McpServer, McpTransport, McpUrl, Secrets as McpSecrets};
pub use object_storage::ObjectStorage;
pub use providers::{Github, Oidc, ProviderClient};
pub use sandbox::{
    DEFAULT_TEMPLATE, RemoteHost, Sandbox, SandboxProvider, is_domain, is_service_address,
    scheme_of,
};
pub use sandbox_host::SandboxHost;
pub use server::{Connections, Database, Server, is_loopback_url, loopback_only};
pub use settings::Settings;
pub use sweeps::{Disk, Sweeps};
pub use traces::Traces;

/// A variable with an unusable value. The error's text is the one line that the user sees.
#[derive(Debug, thiserror::Error)]
#[error("{}: {expected}", subject(.name, .value))]
pub struct ConfigError {
    pub name: &'static str,
    /// Empty when the variable is not set.
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

fn subject(name: &str, value: &str) -> String {
    if value.is_empty() {
        format!("{name} is not set")
    } else {
        format!("{name}={value}")
    }
}
