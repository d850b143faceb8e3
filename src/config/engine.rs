//! Settings of the engine that makes runs durable.

use std::net::SocketAddr;

use url::Url;

use super::{ConfigError, Env, sandbox::is_service_address};

/// Restate's address for runs, in a message.
const INGRESS: &str = "the address where Restate takes runs, such as http://127.0.0.1:8080";
const ADMIN: &str = "the address of Restate's admin API, such as http://127.0.0.1:9070";
const SERVICE: &str = "the address where Restate reaches this server, or the balancer in front of \
    several: http, a host and a port, such as http://10.0.0.5:9080";

/// The engine (`RUN_ENGINE`).
#[derive(Debug, Clone)]
pub enum RunEngine {
    Embedded,
    Restate(Restate),
}

/// Where Restate is, and where it finds this server. The addresses end without a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restate {
    /// Takes runs (`RESTATE_INGRESS_URL`).
    pub ingress: String,
    /// Registers this server and cancels runs (`RESTATE_ADMIN_URL`).
    pub admin: String,
    /// Where Restate calls this server (`RESTATE_SERVICE_URL`).
    pub service: String,
    /// The host and the port where this server listens for Restate: those of `service`, or of
    /// `RESTATE_LISTEN_ADDR` behind a balancer.
    pub listen: (String, u16),
}

impl RunEngine {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.var("RUN_ENGINE").as_deref() {
            None | Some("embedded") => Ok(Self::Embedded),
            Some("restate") => Ok(Self::Restate(Restate::from_env(env)?)),
            Some(other) => Err(ConfigError::new(
                "RUN_ENGINE",
                other,
                "embedded, or restate with RESTATE_INGRESS_URL, RESTATE_ADMIN_URL and \
                 RESTATE_SERVICE_URL",
            )),
        }
    }
}

impl Restate {
    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let service = address(env, "RESTATE_SERVICE_URL", SERVICE)?;
        let wrong = || ConfigError::new("RESTATE_SERVICE_URL", service.as_str(), SERVICE);
        // An address with IPv6 has its brackets for the URL alone.
        let host = service.host_str().map(|host| host.trim_matches(['[', ']']));
        // `Url` drops a port that is the scheme's own: it is 80.
        let port = service.port_or_known_default();
        let (Some(host), Some(port), "http") = (host, port, service.scheme()) else {
            return Err(wrong());
        };
        if port == 0 {
            return Err(wrong());
        }
        let of_service = (host.to_owned(), port);
        let listen: Option<SocketAddr> = match env.var("RESTATE_LISTEN_ADDR") {
            Some(address) => Some(address.parse().map_err(|_| {
                ConfigError::new(
                    "RESTATE_LISTEN_ADDR",
                    address,
                    "an IP address and a port, such as 10.0.0.5:9080",
                )
            })?),
            None => None,
        };
        Ok(Self {
            ingress: without_slash(&address(env, "RESTATE_INGRESS_URL", INGRESS)?),
            admin: without_slash(&address(env, "RESTATE_ADMIN_URL", ADMIN)?),
            listen: listen.map_or(of_service, |listen| {
                (listen.ip().to_string(), listen.port())
            }),
            service: without_slash(&service),
        })
    }
}

fn address(env: &Env, name: &'static str, expected: &str) -> Result<Url, ConfigError> {
    let value = env.var(name).unwrap_or_default();
    let url = Url::parse(&value).ok().filter(is_service_address);
    url.ok_or_else(|| ConfigError::new(name, value, expected))
}

fn without_slash(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("RUN_ENGINE", "restate"),
        ("RESTATE_INGRESS_URL", "http://127.0.0.1:8080/"),
        ("RESTATE_ADMIN_URL", "https://restate.example.com/admin/"),
        ("RESTATE_SERVICE_URL", "http://[::1]:9080"),
    ];

    fn read(changed: &[(&'static str, &'static str)]) -> Result<RunEngine, String> {
        let variables = GOOD.iter().chain(changed).copied();
        RunEngine::from_env(&Env::of(variables, "codeflow")).map_err(|error| error.to_string())
    }

    #[test]
    fn restate_needs_its_three_addresses() {
        let RunEngine::Restate(restate) = read(&[]).unwrap() else {
            panic!("another engine");
        };
        assert_eq!(restate.ingress, "http://127.0.0.1:8080");
        assert_eq!(restate.admin, "https://restate.example.com/admin");
        assert_eq!(restate.service, "http://[::1]:9080");
        assert_eq!(restate.listen, ("::1".to_owned(), 9080));
        let behind = [("RESTATE_LISTEN_ADDR", "10.0.0.5:9081")];
        let Ok(RunEngine::Restate(restate)) = read(&behind) else {
            panic!("another engine");
        };
        assert_eq!(restate.service, "http://[::1]:9080");
        assert_eq!(restate.listen, ("10.0.0.5".to_owned(), 9081));
        for (name, value) in [
            ("RUN_ENGINE", "temporal"),
            ("RESTATE_INGRESS_URL", ""),
            ("RESTATE_INGRESS_URL", "127.0.0.1:8080"),
            ("RESTATE_ADMIN_URL", "http://127.0.0.1:9070?x=1"),
            ("RESTATE_ADMIN_URL", "postgres://127.0.0.1:9070"),
            ("RESTATE_SERVICE_URL", "https://10.0.0.5:9080"),
            ("RESTATE_SERVICE_URL", "http://10.0.0.5:0"),
            ("RESTATE_SERVICE_URL", "http://me@10.0.0.5:9080"),
            ("RESTATE_LISTEN_ADDR", "9080"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            let subject = match value {
                "" => format!("{name} is not set: "),
                value => format!("{name}={value}"),
            };
            assert!(error.starts_with(&subject), "{error}");
        }
    }

    #[test]
    fn the_embedded_engine_is_the_default_and_ignores_the_addresses() {
        for engine in ["", "embedded"] {
            let changed = [("RUN_ENGINE", engine), ("RESTATE_ADMIN_URL", "nonsense")];
            assert!(matches!(read(&changed), Ok(RunEngine::Embedded)));
        }
    }
}
