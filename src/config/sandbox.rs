//! Settings of the client that reaches sandboxes: E2B's protocol, whoever serves it.

use super::{ConfigError, var};

/// Who serves the sandboxes (`SANDBOX_PROVIDER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxProvider {
    /// The sandbox host in this process.
    Local,
    /// E2B's cloud, or another server of its protocol at `E2B_API_URL`.
    E2b,
}

/// Where sandboxes are made and reached; the variables mean what they mean to the official SDKs.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub provider: SandboxProvider,
    /// The control plane's address, without a slash at its end.
    pub api_url: String,
    /// The data plane's address, without a slash at its end.
    pub sandbox_url: String,
    /// What previews' host names end with, a port perhaps included.
    pub domain: String,
    pub api_key: String,
    /// The template that sandboxes start from (`E2B_TEMPLATE`).
    pub template: String,
}

impl Sandbox {
    pub fn from_env() -> Result<Self, ConfigError> {
        let provider = match var("SANDBOX_PROVIDER").as_deref() {
            None | Some("local") => SandboxProvider::Local,
            Some("e2b") => SandboxProvider::E2b,
            Some(other) => return Err(ConfigError::new("SANDBOX_PROVIDER", other, "local or e2b")),
        };
        let key = var("E2B_API_KEY");
        if provider == SandboxProvider::E2b && key.is_none() {
            return Err(ConfigError::new(
                "E2B_API_KEY",
                "",
                "a key of E2B, which SANDBOX_PROVIDER=e2b needs; see https://e2b.dev/docs/api-key",
            ));
        }
        let domain = var("E2B_DOMAIN").unwrap_or_else(|| "e2b.app".to_owned());
        let address = |name, default: String| var(name).unwrap_or(default).trim_end_matches('/').to_owned();
        Ok(Self {
            provider,
            api_url: address("E2B_API_URL", format!("https://api.{domain}")),
            sandbox_url: address("E2B_SANDBOX_URL", format!("https://sandbox.{domain}")),
            domain,
            api_key: key.unwrap_or_default(),
            template: var("E2B_TEMPLATE").unwrap_or_else(|| "nextjs".to_owned()),
        })
    }

    /// Points the client at a sandbox host: one address for both planes.
    pub fn use_host(&mut self, url: &str, key: &str, domain: &str) {
        self.api_url = url.to_owned();
        self.sandbox_url = url.to_owned();
        self.api_key = key.to_owned();
        self.domain = domain.to_owned();
    }
}
