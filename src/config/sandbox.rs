//! Settings of the sandbox client, which speaks E2B's protocol, whoever hosts the sandboxes.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::{ConfigError, Env};

/// The template that apps start from, unless `E2B_TEMPLATE` names another.
pub const DEFAULT_TEMPLATE: &str = "nextjs";

/// The provider of sandboxes (`SANDBOX_PROVIDER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxProvider {
    /// The sandbox host in this process, or those of `SANDBOX_HOSTS`.
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
    /// The sandbox hosts on other machines (`SANDBOX_HOSTS`), instead of the addresses above.
    pub hosts: Vec<RemoteHost>,
    /// How long one of them may be silent until its sandboxes count as lost
    /// (`SANDBOX_HOST_LOST_SECONDS`).
    pub lost_after: Duration,
    /// Whether the domain follows the app's port.
    follows_port: bool,
}

/// A `codeflow sandbox-host` on another machine.
#[derive(Debug, Clone)]
pub struct RemoteHost {
    /// Its address without a trailing slash, by which sandboxes are stored.
    pub url: String,
    pub key: SecretString,
}

impl Sandbox {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let provider = match env.var("SANDBOX_PROVIDER").as_deref() {
            None | Some("local") => SandboxProvider::Local,
            Some("e2b") => SandboxProvider::E2b,
            Some(other) => return Err(ConfigError::new("SANDBOX_PROVIDER", other, "local or e2b")),
        };
        let hosts = remote_hosts(env)?;
        if provider == SandboxProvider::E2b && !hosts.is_empty() {
            return Err(ConfigError::new(
                "SANDBOX_HOSTS",
                hosts[0].url.as_str(),
                "only without SANDBOX_PROVIDER=e2b: it names machines with codeflow sandbox-host",
            ));
        }
        let key = env.secret("E2B_API_KEY");
        if provider == SandboxProvider::E2b && key.is_none() {
            return Err(ConfigError::new(
                "E2B_API_KEY",
                "",
                "SANDBOX_PROVIDER=e2b needs a key of E2B; see https://e2b.dev/docs/api-key",
            ));
        }
        let own_domain = match hosts.is_empty() {
            true => None,
            false => preview_domain(env)?,
        };
        let domain = own_domain.clone().or_else(|| env.var("E2B_DOMAIN"));
        let domain = domain.unwrap_or_else(|| "e2b.app".to_owned());
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
            follows_port: !hosts.is_empty() && own_domain.is_none(),
            hosts,
            lost_after: Duration::from_secs(env.parsed(
                "SANDBOX_HOST_LOST_SECONDS",
                20,
                "seconds without an answer, at least 1",
                |seconds| *seconds >= 1,
            )?),
        })
    }

    /// The settings of a client of one host: one address for both planes.
    pub fn of_host(url: &str, key: &str, domain: &str) -> Self {
        Self {
            provider: SandboxProvider::Local,
            api_url: url.to_owned(),
            sandbox_url: url.to_owned(),
            domain: domain.to_owned(),
            api_key: key.into(),
            template: DEFAULT_TEMPLATE.to_owned(),
            hosts: Vec::new(),
            lost_after: Duration::ZERO,
            follows_port: false,
        }
    }

    /// Previews of other machines' sandboxes share the app's listener, as those of its own do.
    pub fn follow_port(&mut self, port: u16) {
        if self.follows_port {
            self.domain = format!("localhost:{port}");
        }
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

/// The domain of previews (`SANDBOX_DOMAIN`), if it is set.
pub(super) fn preview_domain(env: &Env) -> Result<Option<String>, ConfigError> {
    let domain = env.var("SANDBOX_DOMAIN");
    if let Some(domain) = &domain
        && !is_domain(domain)
    {
        return Err(ConfigError::new(
            "SANDBOX_DOMAIN",
            domain,
            "a host name, with a port if need be, such as localhost:3000",
        ));
    }
    Ok(domain)
}

/// The hosts of `SANDBOX_HOSTS`. An error shows no key.
fn remote_hosts(env: &Env) -> Result<Vec<RemoteHost>, ConfigError> {
    let listed = env.var("SANDBOX_HOSTS").unwrap_or_default();
    let entries = listed.split(',').map(str::trim);
    let mut hosts: Vec<RemoteHost> = Vec::new();
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let (address, key) = match entry.split_once('=') {
            Some((address, key)) => (address, Some(SecretString::from(key))),
            None => (entry, env.secret("SANDBOX_HOST_KEY")),
        };
        let wrong = |expected| ConfigError::new("SANDBOX_HOSTS", address, expected);
        let url = Url::parse(address)
            .ok()
            .filter(|url| is_service_address(url) && url.scheme() == "http" && url.path() == "/");
        let url = url.ok_or_else(|| {
            wrong(
                "addresses with keys, comma-separated, such as \
                 http://10.0.0.5:3002=e2b_1,http://10.0.0.6:3002=e2b_2: http, a host and a port",
            )
        })?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        if hosts.iter().any(|host| host.url == url) {
            return Err(wrong("each address once"));
        }
        let key = key.ok_or_else(|| {
            wrong(
                "with its key, as in http://10.0.0.5:3002=e2b_1, or one for all in \
                 SANDBOX_HOST_KEY",
            )
        })?;
        hosts.push(RemoteHost { url, key });
    }
    Ok(hosts)
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Sandbox, ConfigError> {
        let variables = variables.iter().copied();
        Sandbox::from_env(&Env::of(variables, "/usr/bin/codeflow"))
    }

    #[test]
    fn hosts_are_addresses_with_keys_of_their_own_or_a_common_one() {
        let listed = "http://10.0.0.5:3002=e2b_1, http://b.internal:3002/";
        let sandbox = settings(&[("SANDBOX_HOSTS", listed), ("SANDBOX_HOST_KEY", "e2b_2")]);
        let mut sandbox = sandbox.unwrap();
        let hosts = sandbox.hosts.iter();
        let hosts: Vec<_> = hosts
            .map(|host| (&*host.url, host.key.expose_secret()))
            .collect();
        let expected = [
            ("http://10.0.0.5:3002", "e2b_1"),
            ("http://b.internal:3002", "e2b_2"),
        ];
        assert_eq!(hosts, expected);
        sandbox.follow_port(4000);
        assert_eq!(sandbox.domain, "localhost:4000");
        let own = ("SANDBOX_DOMAIN", "preview.dev");
        let mut sandbox = settings(&[("SANDBOX_HOSTS", "http://a:1=e2b_1"), own]).unwrap();
        sandbox.follow_port(4000);
        assert_eq!(sandbox.domain, "preview.dev");
    }

    #[test]
    fn a_wrong_host_is_named_without_its_key() {
        for (listed, named) in [
            ("https://a:1=e2b_hidden", "https://a:1"),
            ("http://a:1/path=e2b_hidden", "http://a:1/path"),
            ("a:1=e2b_hidden", "a:1"),
            ("http://a:1", "with its key"),
            (
                "http://a:1=e2b_hidden,http://a:1/=e2b_hidden",
                "each address once",
            ),
        ] {
            let error = settings(&[("SANDBOX_HOSTS", listed)])
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(named) && !error.contains("hidden"),
                "{error}"
            );
        }
        let e2b = [("SANDBOX_PROVIDER", "e2b"), ("E2B_API_KEY", "e2b_1")];
        let both = [&e2b[..], &[("SANDBOX_HOSTS", "http://a:1=e2b_1")]].concat();
        let error = settings(&both).unwrap_err().to_string();
        assert!(error.contains("without SANDBOX_PROVIDER=e2b"), "{error}");
    }
}
