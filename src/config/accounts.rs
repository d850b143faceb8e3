//! Settings of accounts: whether there are any, who may sign up, which proxies to trust, and the
//! key that encrypts their secrets.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use secrecy::SecretString;

use super::{
    Billing, ConfigError, Env, Github, Mail, Oidc, is_loopback_url, loopback_only, server,
};
use crate::protocol::SignUp;

/// Why a server without accounts may only listen on this machine.
const OPEN_TO_ALL: &str = "with AUTH=off whoever reaches CodeFlow can read and change everything";

/// Whether users must sign in (`AUTH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// They must, unless only this machine can reach the server.
    Auto,
    On,
    /// Everybody is the local user.
    Off,
}

#[derive(Debug, Clone)]
pub struct Accounts {
    pub auth: Auth,
    /// Who may create an account (`SIGN_UP`).
    pub sign_up: SignUp,
    /// The proxies whose `X-Forwarded-For` is trusted (`TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<Network>,
    /// Stripe, if the larger plan is sold.
    pub billing: Option<Billing>,
    /// `None` where the server sends no e-mail.
    pub mail: Option<Mail>,
    pub secret_key: SecretKey,
    /// The services that people can sign in with.
    pub oidc: Option<Oidc>,
    pub github: Option<Github>,
}

/// The key that encrypts accounts' secrets in the database.
#[derive(Debug, Clone)]
pub struct SecretKey {
    /// 64 hexadecimal digits (`CODEFLOW_SECRET_KEY`).
    pub key: Option<SecretString>,
    /// Holds the key if the settings don't.
    pub file: PathBuf,
}

impl SecretKey {
    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let expected = "64 hexadecimal digits, such as openssl rand -hex 32 prints";
        let is_key = |key: &str| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(Self {
            key: env.checked_secret("CODEFLOW_SECRET_KEY", expected, is_key)?,
            file: env.data_dir()?.join("secret.key"),
        })
    }
}

impl Accounts {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let auth = match env.var("AUTH").as_deref() {
            None | Some("auto") => Auth::Auto,
            Some("on") => Auth::On,
            Some("off") => Auth::Off,
            Some(other) => return Err(ConfigError::new("AUTH", other, "auto, on or off")),
        };
        let proxies = env.var("TRUSTED_PROXIES").unwrap_or_default();
        let trusted_proxies = proxies
            .split([',', ' '])
            .filter(|proxy| !proxy.is_empty())
            .map(|proxy| {
                Network::parse(proxy).ok_or_else(|| {
                    let expected = "IP addresses or networks with commas between them, such as \
                        127.0.0.1,10.0.0.0/8";
                    ConfigError::new("TRUSTED_PROXIES", proxies.clone(), expected)
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            auth,
            sign_up: env.parsed("SIGN_UP", SignUp::Open, "open, invite or closed", |_| true)?,
            trusted_proxies,
            billing: Billing::from_env(env)?,
            mail: Mail::from_env(env, &server::public_url(env.var("PUBLIC_URL"))?)?,
            secret_key: SecretKey::from_env(env)?,
            oidc: Oidc::from_env(env)?,
            github: Github::from_env(env)?,
        })
    }

    /// Whether users must sign in to a server at these addresses. Fails if it would be open to
    /// other machines without signing in.
    pub fn are_on(&self, listener: SocketAddr, public_url: &str) -> Result<bool, ConfigError> {
        match self.auth {
            Auth::On => Ok(true),
            Auth::Auto => {
                let is_own = listener.ip().to_canonical().is_loopback();
                Ok(!is_own || !is_loopback_url(public_url))
            }
            Auth::Off => {
                loopback_only("LEPTOS_SITE_ADDR", listener, OPEN_TO_ALL)?;
                Ok(false)
            }
        }
    }
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// The number of equal bits.
    prefix: u32,
}

impl Network {
    /// Parses an address, or one followed by `/` and a number of bits.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn accounts(variables: &[(&str, &str)]) -> Result<Accounts, ConfigError> {
        Accounts::from_env(&Env::of(variables.iter().copied(), "/usr/bin/codeflow"))
    }

    #[test]
    fn accounts_are_off_only_where_nobody_else_can_come() {
        let (own, open): (SocketAddr, SocketAddr) = (
            "127.0.0.1:3000".parse().unwrap(),
            "0.0.0.0:3000".parse().unwrap(),
        );
        let (local, public) = ("http://localhost:3000", "https://build.example.com");
        let auto = accounts(&[]).unwrap();
        assert!(!auto.are_on(own, local).unwrap());
        assert!(auto.are_on(open, local).unwrap());
        assert!(auto.are_on(own, public).unwrap());
        let on = accounts(&[("AUTH", "on")]).unwrap();
        assert!(on.are_on(own, local).unwrap());
        let off = accounts(&[("AUTH", "off")]).unwrap();
        assert!(!off.are_on(own, public).unwrap());
        let error = off.are_on(open, local).unwrap_err().to_string();
        assert!(
            error.starts_with("LEPTOS_SITE_ADDR=0.0.0.0:3000: with AUTH=off"),
            "{error}"
        );
        let error = accounts(&[("AUTH", "yes")]).unwrap_err().to_string();
        assert_eq!(error, "AUTH=yes: auto, on or off");
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        let networks = accounts(&[("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32")]);
        let networks = networks.unwrap().trusted_proxies;
        let trusted = |address: &str| {
            let address = address.parse().unwrap();
            networks.iter().any(|network| network.contains(address))
        };
        for address in [
            "127.0.0.1",
            "10.200.1.2",
            "2001:db8:1::2",
            "::ffff:10.0.0.1",
        ] {
            assert!(trusted(address), "{address}");
        }
        for address in ["127.0.0.2", "11.0.0.1", "2001:db9::1", "::1"] {
            assert!(!trusted(address), "{address}");
        }
        for wrong in ["proxy", "10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            assert!(accounts(&[("TRUSTED_PROXIES", wrong)]).is_err(), "{wrong}");
        }
        assert!(
            Network::parse("0.0.0.0/0")
                .unwrap()
                .contains("8.8.8.8".parse().unwrap())
        );
    }
}
