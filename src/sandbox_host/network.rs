//! E2B's `network` settings: what one sandbox may reach, within what the host allows to all, and
//! who may reach it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// All addresses, as E2B's SDK writes it.
const EVERYWHERE: &str = "0.0.0.0/0";

/// A sandbox's network settings, as sent and stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Network {
    /// Exceptions to `deny_out`.
    pub allow_out: Vec<String>,
    pub deny_out: Vec<String>,
    /// `false`: the ports of apps require the sandbox's traffic token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_public_traffic: Option<bool>,
    /// The Host header that an app sees; `${PORT}` is replaced by its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_request_host: Option<String>,
}

impl Network {
    /// These settings with the short form `allow_internet_access: false` expanded. The error names
    /// the invalid value.
    pub(super) fn checked(mut self, internet: Option<bool>) -> Result<Self, String> {
        if internet == Some(false) && !self.deny_out.iter().any(|rule| rule == EVERYWHERE) {
            self.deny_out.push(EVERYWHERE.to_owned());
        }
        if let Some(wrong) = self
            .deny_out
            .iter()
            .find(|rule| Block::parse(rule).is_none())
        {
            return Err(format!(
                "denyOut takes IP addresses and CIDR blocks, and '{wrong}' is neither"
            ));
        }
        let names_domain = self
            .allow_out
            .iter()
            .any(|rule| Block::parse(rule).is_none());
        if names_domain && !self.deny_out.iter().any(|rule| rule == EVERYWHERE) {
            return Err(format!(
                "allowOut names a domain, which needs '{EVERYWHERE}' in denyOut"
            ));
        }
        Ok(self)
    }

    /// Whether the sandbox has no restrictions beyond those of all sandboxes.
    pub(super) fn allows_internet(&self) -> bool {
        !self.deny_out.iter().any(|rule| rule == EVERYWHERE)
    }

    /// Whether the sandbox may connect to this name at this address; `allow_out` overrides
    /// `deny_out`.
    pub(super) fn permits(&self, host: &str, address: IpAddr) -> bool {
        let named = |rule: &String| match Block::parse(rule) {
            Some(block) => block.contains(address),
            None => match rule.strip_prefix('*') {
                Some(end) => host.len() > end.len() && host.ends_with(&end.to_ascii_lowercase()),
                None => rule.eq_ignore_ascii_case(host),
            },
        };
        self.allow_out.iter().any(named) || !self.deny_out.iter().any(named)
    }
}

/// A CIDR block.
struct Block {
    address: IpAddr,
    bits: u8,
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Self { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            // "Everywhere" is written in IPv4 and includes IPv6.
            (IpAddr::V4(_), IpAddr::V6(_)) => self.bits == 0,
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn network(allow: &[&str], deny: &[&str]) -> Network {
        let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
        Network {
            allow_out: owned(allow),
            deny_out: owned(deny),
            ..Network::default()
        }
    }

    #[test]
    fn allowed_overrides_denied() {
        let permits = |network: &Network, host: &str, address: &str| {
            network.permits(host, address.parse().unwrap())
        };
        assert!(permits(&Network::default(), "a.com", "1.1.1.1"));
        let closed = network(&["a.com", "*.b.com", "9.9.9.0/24"], &["0.0.0.0/0"])
            .checked(None)
            .unwrap();
        assert!(permits(&closed, "a.com", "1.1.1.1"));
        assert!(permits(&closed, "x.b.com", "1.1.1.1"));
        assert!(permits(&closed, "other.com", "9.9.9.9"));
        for (host, address) in [
            ("b.com", "1.1.1.1"),
            ("xa.com", "1.1.1.1"),
            ("c.com", "9.9.8.9"),
            ("c.com", "2606:4700::1"),
        ] {
            assert!(!permits(&closed, host, address), "{host} {address}");
        }
        let one = network(&[], &["1.1.1.1"]);
        assert!(!permits(&one, "one.one", "1.1.1.1"));
        assert!(!permits(&one, "one.one", "::ffff:1.1.1.1"));
        assert!(permits(&one, "one.one", "1.1.1.2"));
    }

    #[test]
    fn ambiguous_settings_are_refused() {
        assert!(network(&["a.com"], &[]).checked(None).is_err());
        assert!(network(&[], &["a.com"]).checked(None).is_err());
        assert!(network(&[], &["1.1.1.1/40"]).checked(None).is_err());
        assert!(
            !network(&["a.com"], &[])
                .checked(Some(false))
                .unwrap()
                .allows_internet()
        );
    }
}
