//! Settings of the sandbox client, which speaks E2B's protocol, whoever hosts the sandboxes.

use reqwest::Url;
use secrecy::SecretString;

use super::{ConfigError, Env};

/// The template that apps start from, unless `E2B_TEMPLATE` names another.
pub const DEFAULT_TEMPLATE: &str = "nextjs";

/// The provider of sandboxes (`SANDBOX_PROVIDER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxProvider {
    /// The sandbox host in this process.
    Local,
    /// E2B's cloud, or another server with its protocol at `E2B_API_URL`.
    E2b,
}

/// The addresses and key of the sandbox provider; the variables mean the same as in the official
/// SDKs.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub provider: SandboxProvider,
    /// The control plane's address.
    pub api_url: String,
    /// The data plane's address.
    pub sandbox_url: String,
    /// The domain of previews, optionally with a port.
    pub domain: String,
    pub api_key: SecretString,
    /// The template that sandboxes start from (`E2B_TEMPLATE`).
    pub template: String,
}

impl Sandbox {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let provider = match env.var("SANDBOX_PROVIDER").as_deref() {
            None | Some("local") => SandboxProvider::Local,
            Some("e2b") => SandboxProvider::E2b,
            Some(other) => return Err(ConfigError::new("SANDBOX_PROVIDER", other, "local or e2b")),
        };
        let key = env.secret("E2B_API_KEY");
        if provider == SandboxProvider::E2b && key.is_none() {
            return Err(ConfigError::new(
                "E2B_API_KEY",
                "",
                "SANDBOX_PROVIDER=e2b needs a key of E2B; see https://e2b.dev/docs/api-key",
            ));
        }
        let domain = env
            .var("E2B_DOMAIN")
            .unwrap_or_else(|| "e2b.app".to_owned());
        if provider == SandboxProvider::E2b && !is_domain(&domain) {
            return Err(ConfigError::new(
                "E2B_DOMAIN",
                domain,
                "a host name, such as e2b.app",
            ));
        }
        let address = |name, default: String| match env.var(name) {
            Some(address)
                if provider == SandboxProvider::E2b
                    && !Url::parse(&address).is_ok_and(|url| is_service_address(&url)) =>
            {
                Err(ConfigError::new(
                    name,
                    address,
                    "an http or https address, such as https://api.e2b.app",
                ))
            }
            address => Ok(address.unwrap_or(default)),
        };
        Ok(Self {
            provider,
            api_url: address("E2B_API_URL", format!("https://api.{domain}"))?,
            sandbox_url: address("E2B_SANDBOX_URL", format!("https://sandbox.{domain}"))?,
            domain,
            api_key: key.unwrap_or_default(),
            template: env
                .var("E2B_TEMPLATE")
                .unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned()),
        })
    }

    /// The scheme of previews: names below `localhost` have no TLS.
    pub fn preview_scheme(&self) -> &'static str {
        scheme_of(&self.domain)
    }

    /// Points the client at a sandbox host: one address for both planes.
    pub fn use_host(&mut self, url: &str, key: &str, domain: &str) {
        self.api_url = url.to_owned();
        self.sandbox_url = url.to_owned();
        self.api_key = key.into();
        self.domain = domain.to_owned();
    }
}

/// The scheme of the addresses below a domain.
pub fn scheme_of(domain: &str) -> &'static str {
    let host = domain.split(':').next().unwrap_or_default();
    if host == "localhost" || host.ends_with(".localhost") {
        "http"
    } else {
        "https"
    }
}

/// Whether it is a plain address of a service: http or https, a host, and optionally a port and a
/// path.
pub fn is_service_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// Whether it is a host name that can have subdomains, with an optional port.
pub fn is_domain(text: &str) -> bool {
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(is_part)
    };
    host.len() <= 253
        && host.split('.').all(is_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
