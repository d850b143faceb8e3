//! Settings of the app's own server.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;

use super::{ConfigError, Env};

/// The app's listener, its public address, and its storage.
#[derive(Debug, Clone)]
pub struct Server {
    /// `PUBLIC_URL` without a trailing slash.
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database: Database,
    /// The token with which other machines may read `/metrics` (`METRICS_TOKEN`).
    pub metrics_token: Option<SecretString>,
}

/// The database (`DATABASE_URL`).
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file, the default: `codeflow.sqlite` in the data folder.
    File(PathBuf),
    /// A `sqlite:` or `postgres:` URL, which may hold a password.
    Url(SecretString),
}

impl Server {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let data_dir = env.data_dir()?;
        Ok(Self {
            public_url: public_url(env.var("PUBLIC_URL"))?,
            database: database(env.var("DATABASE_URL"), &data_dir)?,
            data_dir,
            metrics_token: metrics_token(env)?,
        })
    }
}

/// The minimum length of a token, in characters: anyone on the network may guess.
const MIN_TOKEN_CHARS: usize = 16;

fn metrics_token(env: &Env) -> Result<Option<SecretString>, ConfigError> {
    let expected = "at least 16 letters, digits and signs, such as openssl rand -hex 32 prints";
    env.checked_secret("METRICS_TOKEN", expected, |token| {
        token.len() >= MIN_TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

/// The limits of a listener's clients.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// How many connections may be open at a time, WebSockets included (`HTTP_MAX_CONNECTIONS`);
    /// further ones wait.
    pub max: usize,
    /// How long a request's head may take, and how long a connection may stay idle
    /// (`HTTP_HEADER_SECONDS`).
    pub header_timeout: Duration,
}

impl Connections {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            max: env.parsed(
                "HTTP_MAX_CONNECTIONS",
                1024,
                "open connections, 1 to 100000",
                |max| (1..=100_000).contains(max),
            )?,
            header_timeout: Duration::from_secs(env.parsed(
                "HTTP_HEADER_SECONDS",
                15,
                "seconds that a request's headers may take, 1 to 600",
                |seconds| (1..=600).contains(seconds),
            )?),
        })
    }
}

/// Rejects an address that other machines can reach.
pub fn loopback_only(
    name: &'static str,
    address: SocketAddr,
    why: &str,
) -> Result<(), ConfigError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let example = SocketAddr::from(([127, 0, 0, 1], address.port()));
    Err(ConfigError::new(
        name,
        address.to_string(),
        format!("{why}; set {name}={example}"),
    ))
}

/// Whether the address, such as `PUBLIC_URL`, names this machine by one of its loopback names.
pub fn is_loopback_url(url: &str) -> bool {
    let host = host_of(
        url.split_once("://")
            .map_or(url, |(_, authority)| authority),
    );
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The host of an authority, in lower case and without a port or brackets.
pub(super) fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_matches(['[', ']']).to_ascii_lowercase()
}

/// `PUBLIC_URL` without a trailing slash, or the default.
pub(super) fn public_url(value: Option<String>) -> Result<String, ConfigError> {
    let Some(value) = value else {
        return Ok("http://localhost:3000".to_owned());
    };
    let url = value.trim_end_matches('/');
    let authority = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    match authority {
        Some(authority) if !authority.is_empty() && !authority.contains(['/', '?', '#', '@']) => {
            Ok(url.to_owned())
        }
        _ => Err(ConfigError::new(
            "PUBLIC_URL",
            value,
            "an http or https address without a path, such as https://build.example.com",
        )),
    }
}

fn database(value: Option<String>, data_dir: &Path) -> Result<Database, ConfigError> {
    match value {
        None => Ok(Database::File(data_dir.join("codeflow.sqlite"))),
        Some(url)
            if ["sqlite:", "postgres:", "postgresql:"]
                .iter()
                .any(|scheme| url.starts_with(scheme)) =>
        {
            Ok(Database::Url(url.into()))
        }
        // The value may contain a password, so it is not repeated.
        Some(_) => Err(ConfigError::new(
            "DATABASE_URL",
            "(not shown)",
            "an address that begins with sqlite: or postgres:",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_names_the_variable_and_a_database_password_is_never_repeated() {
        let error = public_url(Some("localhost:3000".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PUBLIC_URL=localhost:3000: an http or https address without a path, such as \
             https://build.example.com"
        );
        let error =
            database(Some("mysql://me:secret@db".to_owned()), Path::new("/data")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn only_this_machine_s_own_addresses_are_listened_on() {
        for own in [
            "127.0.0.1:3000",
            "127.8.0.1:1",
            "[::1]:3000",
            "[::ffff:127.0.0.1]:3000",
        ] {
            assert!(
                loopback_only("X", own.parse().unwrap(), "").is_ok(),
                "{own}"
            );
        }
        for other in [
            "0.0.0.0:3000",
            "[::]:3000",
            "192.168.1.5:80",
            "10.0.0.1:1",
            "[::ffff:10.0.0.1]:3000",
            "[fe80::1]:80",
        ] {
            let error = loopback_only("X", other.parse().unwrap(), "no accounts")
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("X={other}: no accounts; set X=127.0.0.1:")),
                "{error}"
            );
        }
    }

    #[test]
    fn loopback_names_are_recognized() {
        for own in [
            "http://localhost:3000",
            "http://LOCALHOST",
            "https://app.localhost",
            "http://127.0.0.1:1",
            "http://[::1]:3000",
        ] {
            assert!(is_loopback_url(own), "{own}");
        }
        for other in [
            "https://build.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://mylocalhost",
        ] {
            assert!(!is_loopback_url(other), "{other}");
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(public_url(None).unwrap(), "http://localhost:3000");
        assert_eq!(
            public_url(Some("https://a.example/".to_owned())).unwrap(),
            "https://a.example"
        );
        assert!(matches!(
            database(None, Path::new("/data")).unwrap(),
            Database::File(path) if path == Path::new("/data/codeflow.sqlite")
        ));
    }
}
