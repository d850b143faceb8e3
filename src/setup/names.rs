//! Validates public host names.

use std::net::IpAddr;

use crate::config;

/// Checks that a public server can have the name; the error says which names are allowed.
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
