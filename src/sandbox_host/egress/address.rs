//! The resolved addresses that a sandbox may connect to: none that is private to this machine or
//! its network, in whatever notation (IANA's special-purpose registries,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and the one for IPv6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address belongs to the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Documentation ranges pass: nobody's own machines use them, and closed networks put mirrors of
/// public hosts there.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Translated (64:ff9b::a.b.c.d), and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(v4(high, low))
        }
        // Protocol assignments (among them Teredo, which hides an IPv4 address), and documentation.
        [0x2001, ..0x200 | 0xdb8, ..] | [0x3fff, ..0x1000, ..] => false,
        // Of the rest, only global unicast (2000::/3) is routed: not mapped (::ffff:a.b.c.d) or
        // compatible addresses (::a.b.c.d), nor network-local translation (64:ff9b:1::/48).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    const SPECIAL_V4: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
    ];

    const SPECIAL_V6: &[&str] = &[
        "::/128",
        "::1/128",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001::/32",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];

    /// Ranges in which the embedded IPv4 address decides.
    const TRANSLATED: &[&str] = &["64:ff9b::/96", "2002::/16"];

    /// First and last address.
    fn v4_range(range: &str) -> (u32, u32) {
        let (base, length) = range.split_once('/').unwrap();
        let first = base.parse::<Ipv4Addr>().unwrap().to_bits();
        (
            first,
            first | u32::MAX.checked_shr(length.parse().unwrap()).unwrap_or(0),
        )
    }

    fn v6_range(range: &str) -> (u128, u128) {
        let (base, length) = range.split_once('/').unwrap();
        let first = base.parse::<Ipv6Addr>().unwrap().to_bits();
        (
            first,
            first | u128::MAX.checked_shr(length.parse().unwrap()).unwrap_or(0),
        )
    }

    /// A member of a range, with its ends more frequent than by chance.
    fn special_v4() -> impl Strategy<Value = Ipv4Addr> {
        let bits = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
        (select(SPECIAL_V4), bits).prop_map(|(range, bits)| {
            let (first, last) = v4_range(range);
            Ipv4Addr::from_bits(first | bits & (last - first))
        })
    }

    fn special_v6() -> impl Strategy<Value = Ipv6Addr> {
        let bits = prop_oneof![Just(0), Just(u128::MAX), any::<u128>()];
        (select(SPECIAL_V6), bits).prop_map(|(range, bits)| {
            let (first, last) = v6_range(range);
            Ipv6Addr::from_bits(first | bits & (last - first))
        })
    }

    /// Any other address, with the ranges' neighbours more frequent than by chance.
    fn public_v4() -> impl Strategy<Value = Ipv4Addr> {
        let beside = (select(SPECIAL_V4), any::<bool>()).prop_map(|(range, before)| {
            let (first, last) = v4_range(range);
            if before {
                first.wrapping_sub(1)
            } else {
                last.wrapping_add(1)
            }
        });
        prop_oneof![beside, any::<u32>()]
            .prop_filter("special", |bits| {
                SPECIAL_V4
                    .iter()
                    .map(|range| v4_range(range))
                    .all(|(first, last)| !(first..=last).contains(bits))
            })
            .prop_map(Ipv4Addr::from_bits)
    }

    fn public_v6() -> impl Strategy<Value = Ipv6Addr> {
        let beside = (select(SPECIAL_V6), any::<bool>()).prop_map(|(range, before)| {
            let (first, last) = v6_range(range);
            if before {
                first.wrapping_sub(1)
            } else {
                last.wrapping_add(1)
            }
        });
        let unicast = any::<u128>().prop_map(|bits| bits >> 3 | 1 << 125);
        prop_oneof![beside, unicast]
            .prop_filter("special", |bits| {
                let ranges = SPECIAL_V6
                    .iter()
                    .chain(TRANSLATED)
                    .map(|range| v6_range(range));
                bits >> 125 == 1
                    && ranges
                        .into_iter()
                        .all(|(first, last)| !(first..=last).contains(bits))
            })
            .prop_map(Ipv6Addr::from_bits)
    }

    fn nat64(address: Ipv4Addr) -> IpAddr {
        Ipv6Addr::from_bits(v6_range("64:ff9b::/96").0 | u128::from(address.to_bits())).into()
    }

    fn six_to_four(address: Ipv4Addr, rest: u128) -> IpAddr {
        Ipv6Addr::from_bits(
            v6_range("2002::/16").0 | u128::from(address.to_bits()) << 80 | rest >> 48,
        )
        .into()
    }

    proptest! {
        #[test]
        fn special_addresses_are_refused_however_they_are_spelled(address in special_v4(), rest in any::<u128>()) {
            for spelled in [
                address.into(),
                address.to_ipv6_mapped().into(),
                address.to_ipv6_compatible().into(),
                nat64(address),
                six_to_four(address, rest),
            ] {
                prop_assert!(!is_public(spelled), "{spelled}");
            }
        }

        #[test]
        fn special_addresses_of_ipv6_are_refused(address in special_v6()) {
            prop_assert!(!is_public(address.into()), "{address}");
        }

        #[test]
        fn what_is_not_global_unicast_or_translated_is_refused(bits in any::<u128>()) {
            let (first, last) = v6_range("64:ff9b::/96");
            prop_assume!(bits >> 125 != 1 && !(first..=last).contains(&bits));
            let address = Ipv6Addr::from_bits(bits);
            prop_assert!(!is_public(address.into()), "{address}");
        }

        #[test]
        fn public_addresses_are_accepted_translated_ones_too(address in public_v4(), rest in any::<u128>()) {
            for spelled in [address.into(), nat64(address), six_to_four(address, rest)] {
                prop_assert!(is_public(spelled), "{spelled}");
            }
        }

        #[test]
        fn public_addresses_of_ipv6_are_accepted(address in public_v6()) {
            prop_assert!(is_public(address.into()), "{address}");
        }
    }
}
