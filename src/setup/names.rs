//! The names under which people reach the server and its previews.

use std::{
    collections::BTreeSet,
    net::{IpAddr, ToSocketAddrs},
};

use super::{
    check::{Check, State},
    machine::Machine,
    settings::Wanted,
};
use crate::config;

/// Whether a public server can have the name; the error says what it may be.
pub(super) fn public(name: &str) -> Result<(), &'static str> {
    let is_public = config::is_domain(name)
        && name.contains('.')
        && !name.contains([':', '_'])
        && name.parse::<IpAddr>().is_err()
        && !config::is_loopback_url(name);
    if is_public {
        Ok(())
    } else {
        Err(
            "a host name that people can reach, without https:// and port, such as \
             build.example.com",
        )
    }
}

/// Whether the names lead to a machine.
pub(super) struct Lead<'a> {
    pub machine: &'a Machine,
    pub wanted: &'a Wanted,
}

impl Check for Lead<'_> {
    fn subject(&self) -> String {
        "DNS".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let Some((domain, previews)) = self.wanted.domains(self.machine)? else {
            return Ok(State::Advice("there are no names yet".to_owned()));
        };
        // One that nobody has asked for, so that it takes a wildcard.
        let preview = format!("3000-setup.{previews}");
        let (own, of_preview) = (addresses(&domain), addresses(&preview));
        let lead_nowhere: Vec<String> = [(&own, &domain), (&of_preview, &format!("*.{previews}"))]
            .into_iter()
            .filter(|(addresses, _)| addresses.is_empty())
            .map(|(_, name)| name.clone())
            .collect();
        Ok(if !lead_nowhere.is_empty() {
            State::Advice(format!(
                "let {} lead to this machine: A and AAAA records with its addresses",
                lead_nowhere.join(" and ")
            ))
        } else if own.is_disjoint(&of_preview) {
            State::Advice(format!(
                "{domain} and *.{previews} lead to different machines; both must lead to this one"
            ))
        } else {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            State::Is(format!(
                "{domain} and *.{previews} lead to {}",
                own.join(", ")
            ))
        })
    }
}

fn addresses(name: &str) -> BTreeSet<IpAddr> {
    let found = (name, 443).to_socket_addrs();
    found
        .map(|found| found.map(|address| address.ip()).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_people_can_reach_are_taken() {
        for name in ["build.example.com", "a-b.co.uk", "xn--bcher-kva.example"] {
            assert_eq!(public(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "localhost",
            "app.localhost",
            "https://build.example.com",
            "build.example.com/",
            "build.example.com:443",
            "192.0.2.1",
            "two words.example",
            "a_b.example",
            ".example.com",
            "example..com",
            "x\ny.example",
        ] {
            assert!(public(name).is_err(), "{name}");
        }
    }
}
