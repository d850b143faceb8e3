//! Checks whether the names of the server and its previews resolve to a machine.

use std::{
    collections::BTreeSet,
    net::{IpAddr, ToSocketAddrs},
};

use super::{
    check::{Check, State},
    machine::Machine,
    settings::Wanted,
};

/// Whether the names resolve to a machine.
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
        // A name that nobody has looked up, so that only a wildcard matches it.
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
