//! Settings of the local sandbox host: where it stores sandboxes, and their limits.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

use super::{
    ConfigError, Connections, Env,
    sandbox::preview_domain,
    server::{host_of, is_loopback_url, public_url},
};

/// The limits and surroundings of this machine's sandboxes.
#[derive(Debug, Clone)]
pub struct SandboxHost {
    /// Contains templates and sandboxes.
    pub data_dir: PathBuf,
    /// The domain of previews, optionally with a port (`SANDBOX_DOMAIN`).
    pub domain: String,
    /// The builder's address (`PUBLIC_URL`): an app reports only to this page, when framed by it.
    pub public_url: String,
    /// Additional request headers to pass on to apps if previews have a domain
    /// (`SANDBOX_PREVIEW_HEADERS`), in lower case; a trailing `*` matches any rest.
    pub preview_headers: Vec<String>,
    /// The only OCI runtime to use (`SANDBOX_RUNTIME`, a name or a path); by default the first of
    /// runc and crun that works.
    pub runtime: Option<String>,
    /// Memory per sandbox in MiB, without additional swap.
    pub memory_mb: u64,
    /// Processors per sandbox, possibly a fraction of one.
    pub cpus: f64,
    /// Processes and threads per sandbox.
    pub pids: u32,
    /// Disk space per sandbox beyond its template, in MiB.
    pub disk_mb: u64,
    /// Memory of all sandboxes together, in MiB (`SANDBOX_TOTAL_MEMORY_MB`); by default the
    /// machine's, minus a reserve.
    pub total_memory_mb: Option<u64>,
    /// Processes and threads of all sandboxes together (`SANDBOX_TOTAL_PIDS`); by default half of
    /// the machine's limit.
    pub total_pids: Option<u64>,
    /// The number of sandboxes kept ready, with their page compiled (`SANDBOX_POOL_SIZE`).
    pub pool_size: usize,
    /// Whether to refuse sandboxes if a limit can't be enforced (`SANDBOX_STRICT`).
    pub strict: bool,
    /// How long a sandbox stays awake without requests, if it may sleep (`SANDBOX_IDLE_SECONDS`).
    pub idle: Duration,
    /// How long a paused sandbox stays in memory (`SANDBOX_FROZEN_SECONDS`); zero: not at all.
    pub frozen: Duration,
    /// The destinations that sandboxes may connect to.
    pub egress_allow: Vec<EgressRule>,
    /// The control plane's key (`SANDBOX_HOST_KEY`, random by default).
    pub host_key: SecretString,
    /// The limits of its listener's clients.
    pub connections: Connections,
    /// The `codeflow` binary, which runs as a sandbox's init.
    pub envd: PathBuf,
    follows_port: bool,
}

/// A host name and port that sandboxes may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressRule {
    /// In lower case; a leading `*.` matches any subdomain.
    pub host: String,
    pub port: u16,
}

/// How long a sandbox may go unused before it pauses.
pub(super) fn idle(env: &Env) -> Result<Duration, ConfigError> {
    Ok(Duration::from_secs(env.parsed(
        "SANDBOX_IDLE_SECONDS",
        900,
        "seconds without a request, at least 1",
        |idle| *idle >= 1,
    )?))
}

impl SandboxHost {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let domain = preview_domain(env)?;
        let egress = env
            .var("SANDBOX_EGRESS_ALLOW")
            .unwrap_or_else(|| "registry.npmjs.org".to_owned());
        Ok(Self {
            data_dir: env.data_dir()?,
            follows_port: domain.is_none(),
            domain: domain.unwrap_or_else(|| "localhost:3000".to_owned()),
            public_url: public_url(env.var("PUBLIC_URL"))?,
            preview_headers: header_names(&env.var("SANDBOX_PREVIEW_HEADERS").unwrap_or_default())?,
            runtime: env.var("SANDBOX_RUNTIME"),
            memory_mb: env.parsed(
                "SANDBOX_MEMORY_MB",
                2048,
                "MiB of memory per sandbox, at least 64",
                |mb| *mb >= 64,
            )?,
            cpus: env.parsed(
                "SANDBOX_CPUS",
                2.0,
                "processors per sandbox, such as 2 or 0.5",
                |cpus: &f64| cpus.is_finite() && *cpus >= 0.01,
            )?,
            pids: env.parsed(
                "SANDBOX_PIDS",
                512,
                "processes per sandbox, at least 16",
                |pids| *pids >= 16,
            )?,
            disk_mb: env.parsed(
                "SANDBOX_DISK_MB",
                4096,
                "MiB of disk per sandbox, at least 64",
                |mb| *mb >= 64,
            )?,
            total_memory_mb: total(
                env,
                "SANDBOX_TOTAL_MEMORY_MB",
                "MiB of memory for all sandboxes together, at least 256; unset: the machine's, less \
                 a reserve",
                256,
            )?,
            total_pids: total(
                env,
                "SANDBOX_TOTAL_PIDS",
                "processes and threads of all sandboxes together, at least 64; unset: half of the \
                 machine's",
                64,
            )?,
            pool_size: env.parsed(
                "SANDBOX_POOL_SIZE",
                1,
                "sandboxes that wait ready, 0 to 64",
                |size| *size <= 64,
            )?,
            strict: env.parsed(
                "SANDBOX_STRICT",
                0_u8,
                "1 to refuse sandboxes where a limit can't be enforced, or 0",
                |strict| *strict <= 1,
            )? == 1,
            idle: idle(env)?,
            frozen: Duration::from_secs(env.parsed(
                "SANDBOX_FROZEN_SECONDS",
                600,
                "seconds, 0 for not at all",
                |_| true,
            )?),
            egress_allow: egress_rules(&egress)?,
            host_key: env.secret("SANDBOX_HOST_KEY").unwrap_or_else(random_key),
            connections: Connections::from_env(env)?,
            envd: env.program()?,
        })
    }

    /// The number of processors, rounded up to a whole one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates"
    )]
    pub fn cpu_count(&self) -> u32 {
        self.cpus.ceil() as u32
    }

    /// Whether previews are served through a proxy: a domain can point to this machine in no other
    /// way.
    pub fn has_proxy(&self) -> bool {
        !is_loopback_url(&self.domain)
    }

    /// The registrable domain shared by previews and builder: cookies set for it would reach
    /// generated code. `None` if each has its own (publicsuffix.org), and below `localhost`.
    pub fn shared_site(&self) -> Option<String> {
        let site = |authority: &str| {
            let host = host_of(authority);
            let is_address = host.parse::<std::net::IpAddr>().is_ok();
            psl::domain_str(&host)
                .filter(|_| !is_address)
                .map(str::to_owned)
        };
        let (_, builder) = self.public_url.split_once("://")?;
        site(&self.domain).filter(|previews| site(builder).as_ref() == Some(previews))
    }

    /// Previews share the app's listener: without `SANDBOX_DOMAIN`, their host names include its
    /// port.
    pub fn follow_port(&mut self, port: u16) {
        if self.follows_port {
            self.domain = format!("localhost:{port}");
        }
    }
}

/// A limit for all sandboxes together; `None` if it is unset.
fn total(
    env: &Env,
    name: &'static str,
    expected: &str,
    least: u64,
) -> Result<Option<u64>, ConfigError> {
    let value = env.parsed(name, 0, expected, |value| *value >= least)?;
    Ok((value > 0).then_some(value))
}

fn egress_rules(value: &str) -> Result<Vec<EgressRule>, ConfigError> {
    let wrong = || {
        ConfigError::new(
            "SANDBOX_EGRESS_ALLOW",
            value,
            "host names, comma-separated, with a port unless it is 443, such as \
             registry.npmjs.org,*.example.com:8443; or none, for no network",
        )
    };
    if value == "none" {
        return Ok(Vec::new());
    }
    value
        .split(',')
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
        .map(|rule| {
            let (host, port) = match rule.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
                None => (rule, 443),
            };
            let name = host.strip_prefix("*.").unwrap_or(host);
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
            if name.is_empty() || port == 0 || !name.bytes().all(allowed) {
                return Err(wrong());
            }
            Ok(EgressRule {
                host: host.to_ascii_lowercase(),
                port,
            })
        })
        .collect()
}

fn header_names(value: &str) -> Result<Vec<String>, ConfigError> {
    let names = value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let is_name = |name: &str| {
        let start = name.strip_suffix('*').unwrap_or(name);
        !start.is_empty()
            && start
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    names
        .map(|name| {
            is_name(name).then(|| name.to_ascii_lowercase()).ok_or_else(|| {
                ConfigError::new(
                    "SANDBOX_PREVIEW_HEADERS",
                    value,
                    "names of request headers, comma-separated, with * at the end for any rest, \
                     such as x-tenant,x-shop-*",
                )
            })
        })
        .collect()
}

fn random_key() -> SecretString {
    format!("e2b_{}", hex::encode(rand::random::<[u8; 20]>())).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_a_site_that_builder_and_previews_share_is_found() {
        let mut settings = SandboxHost::from_env(&Env::of_process()).unwrap();
        let mut shared = |domain: &str, url: &str| {
            (settings.domain, settings.public_url) = (domain.to_owned(), url.to_owned());
            settings.shared_site()
        };
        let example = Some("example.com".to_owned());
        assert_eq!(
            shared("preview.example.com", "https://build.example.com"),
            example
        );
        assert_eq!(
            shared("Example.com:8443", "https://example.com:8443"),
            example
        );
        assert_eq!(
            shared("p.example.co.uk", "https://b.example.co.uk"),
            Some("example.co.uk".to_owned())
        );
        for (domain, url) in [
            ("localhost:3000", "http://localhost:3000"),
            ("preview.dev", "https://build.example.com"),
            ("a.co.uk", "https://b.co.uk"),
            ("a.github.io", "https://b.github.io"),
            ("127.0.0.1", "http://127.0.0.1:3000"),
            ("localhost", "https://build.example.com"),
        ] {
            assert_eq!(shared(domain, url), None, "{domain} {url}");
        }
    }

    #[test]
    fn header_names_may_end_with_a_star_and_never_are_one() {
        assert_eq!(
            header_names("X-Tenant, x-shop-*").unwrap(),
            ["x-tenant", "x-shop-*"]
        );
        for wrong in ["*", "x a", "x:1", "x*y"] {
            assert!(
                header_names(wrong).unwrap_err().to_string().contains(wrong),
                "{wrong}"
            );
        }
    }

    #[test]
    fn egress_rules_are_hosts_with_ports() {
        let rule = |host: &str, port| EgressRule {
            host: host.to_owned(),
            port,
        };
        assert_eq!(
            egress_rules("registry.npmjs.org, *.Example.com:8443").unwrap(),
            [rule("registry.npmjs.org", 443), rule("*.example.com", 8443)]
        );
        assert!(egress_rules("none").unwrap().is_empty());
        for wrong in ["http://x", "a:b", "*.", "a b", "x:0", "*"] {
            assert!(
                egress_rules(wrong).unwrap_err().to_string().contains(wrong),
                "{wrong}"
            );
        }
    }
}
