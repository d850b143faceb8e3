//! The unencrypted beginning of a TLS connection: the server's name in the ClientHello must be the
//! allowed one. Otherwise the allow-list would say nothing about the server that answers (RFC 8446,
//! RFC 6066).

use tls_parser::{
    SNIType, TlsClientHelloContents, TlsExtension, TlsMessage, TlsMessageHandshake,
    nom::{IResult, multi::length_data, number::streaming::be_u16, sequence::pair},
    parse_tls_extension_sni_content, parse_tls_message_handshake,
};

/// The maximum size of a ClientHello, in bytes; usual ones have 300 to 2,000.
pub(super) const MAX_HELLO: usize = 64 << 10;

/// Record types (RFC 8446, B.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// The handshake message.
const CLIENT_HELLO: u8 = 1;
/// The length of a handshake message's type and length, in bytes.
const MESSAGE_HEAD: usize = 4;

/// Extensions by their numbers (<https://www.iana.org/assignments/tls-extensiontype-values>).
const SERVER_NAME: u16 = 0;
const EARLY_DATA: u16 = 42;
/// Encrypted Client Hello and its companions, its drafts, and the older encrypted server name.
const ENCRYPTED: [u16; 9] = [
    0xfe0d, 0xfd00, 0xfe08, 0xfe09, 0xfe0a, 0xfe0b, 0xfe0c, 0xff02, 0xffce,
];

/// Follows a client's records as long as a ClientHello may come: a server may request a second one.
#[derive(Debug)]
pub(super) struct HelloReader {
    /// The server's name, in lower case without a trailing dot, or its address.
    host: String,
    /// An incomplete handshake message.
    message: Vec<u8>,
    hellos: usize,
    early_data: bool,
}

/// The decision about the records so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Hold them back: a message is incomplete.
    Hold,
    /// Forward them, and check the next ones.
    Pass,
    /// Forward them and everything that follows.
    Done,
}

impl HelloReader {
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            message: Vec::new(),
            hellos: 0,
            early_data: false,
        }
    }

    /// Whether the first ClientHello was complete and valid.
    fn has_hello(&self) -> bool {
        self.hellos > 0
    }

    /// Inspects the client's next record. The error says why the connection is refused.
    pub(super) fn record(&mut self, kind: u8, payload: &[u8]) -> Result<Step, String> {
        match kind {
            HANDSHAKE => self.handshake(payload),
            // No other record may come between the pieces of a message (RFC 8446, 5.1).
            _ if !self.has_hello() || !self.message.is_empty() => Err(NO_TLS.to_owned()),
            CHANGE_CIPHER_SPEC | ALERT => Ok(Step::Pass),
            // A client that sends early data may be asked for another ClientHello after it.
            APPLICATION_DATA if self.early_data => Ok(Step::Pass),
            APPLICATION_DATA => Ok(Step::Done),
            _ => Err(NO_TLS.to_owned()),
        }
    }

    fn handshake(&mut self, payload: &[u8]) -> Result<Step, String> {
        self.message.extend_from_slice(payload);
        while let Some((kind, length)) = head(&self.message) {
            if kind != CLIENT_HELLO {
                return if self.has_hello() {
                    Ok(Step::Done)
                } else {
                    Err(NO_TLS.to_owned())
                };
            }
            let length = MESSAGE_HEAD + length;
            if length > MAX_HELLO {
                return Err("its ClientHello is larger than 64 KiB".to_owned());
            }
            if self.message.len() < length {
                return Ok(Step::Hold);
            }
            self.early_data |= check(&self.message[..length], &self.host)?;
            self.hellos += 1;
            self.message.drain(..length);
        }
        Ok(if self.message.is_empty() {
            Step::Pass
        } else {
            Step::Hold
        })
    }
}

pub(super) const NO_TLS: &str =
    "what it sends is not TLS, and only TLS is let through (plain HTTP at port 80)";

/// A handshake message's type and length; `None` while they are incomplete.
fn head(message: &[u8]) -> Option<(u8, usize)> {
    let [kind, a, b, c, ..] = *message else {
        return None;
    };
    Some((kind, u32::from_be_bytes([0, a, b, c]) as usize))
}

/// Checks a complete ClientHello; returns whether it announces early data. The error says why it is
/// refused.
fn check(message: &[u8], host: &str) -> Result<bool, String> {
    let malformed = || "its ClientHello can't be read".to_owned();
    let Ok(([], TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello)))) =
        parse_tls_message_handshake(message)
    else {
        return Err(malformed());
    };
    let extensions = extensions(&hello).ok_or_else(malformed)?;
    if extensions.iter().any(|(kind, _)| ENCRYPTED.contains(kind)) {
        return Err(format!(
            "it encrypts the server's name (ECH), which must be seen to be {host}: switch \
             Encrypted Client Hello off"
        ));
    }
    let mut names = extensions.iter().filter(|(kind, _)| *kind == SERVER_NAME);
    let name = match (names.next(), names.next()) {
        (None, _) => None,
        (Some((_, data)), None) => Some(server_name(data).ok_or_else(malformed)?),
        (Some(_), Some(_)) => return Err(malformed()),
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match name {
        // An IP address is never sent as a server name (RFC 6066, 3).
        None if is_address => {}
        None => return Err(format!("it names no server (SNI), which must be {host}")),
        Some(name) if name == host => {}
        Some(name) => {
            return Err(format!(
                "it asks for the server {name}, and only {host} was let through"
            ));
        }
    }
    Ok(extensions.iter().any(|(kind, _)| *kind == EARLY_DATA))
}

/// The extensions' numbers and contents; `None` if they are malformed.
fn extensions<'a>(hello: &TlsClientHelloContents<'a>) -> Option<Vec<(u16, &'a [u8])>> {
    let mut rest = hello.ext.unwrap_or_default();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let next: IResult<&[u8], (u16, &[u8])> = pair(be_u16, length_data(be_u16))(rest);
        let (behind, extension) = next.ok()?;
        found.push(extension);
        rest = behind;
    }
    Some(found)
}

/// The extension's only name, in lower case without a trailing dot, safe to display.
fn server_name(data: &[u8]) -> Option<String> {
    let Ok(([], TlsExtension::SNI(names))) = parse_tls_extension_sni_content(data) else {
        return None;
    };
    let [(SNIType::HostName, name)] = names[..] else {
        return None;
    };
    // List length, name type, name length: nothing in between or after.
    if name.is_empty()
        || name.len() > super::MAX_NAME
        || data.len() != name.len() + 5
        || !name.iter().all(u8::is_ascii_graphic)
    {
        return None;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Some(name.strip_suffix('.').map_or(name.clone(), str::to_owned))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(super) mod tests {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, crypto::ring, pki_types::ServerName,
    };

    use super::*;

    /// A real client's first flight, without the record header.
    pub(in crate::sandbox_host::egress) fn hello(name: &str) -> Vec<u8> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let mut client = ClientConnection::new(
            Arc::new(config),
            ServerName::try_from(name.to_owned()).unwrap(),
        )
        .unwrap();
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        flight.split_off(5)
    }

    /// The same with one more extension.
    fn with_extension(hello: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
        let mut hello = hello.to_vec();
        // After version, random, session id, suites and compression methods.
        let mut at = MESSAGE_HEAD + 34;
        at += 1 + usize::from(hello[at]);
        at += 2 + usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
        at += 1 + usize::from(hello[at]);
        let length = u16::try_from(data.len()).unwrap();
        let all = u16::from_be_bytes([hello[at], hello[at + 1]]) + 4 + length;
        hello[at..at + 2].copy_from_slice(&all.to_be_bytes());
        hello.extend([kind.to_be_bytes(), length.to_be_bytes()].concat());
        hello.extend(data);
        let length = u32::try_from(hello.len() - MESSAGE_HEAD).unwrap();
        hello[1..4].copy_from_slice(&length.to_be_bytes()[1..]);
        hello
    }

    fn first(host: &str, message: &[u8]) -> Result<Step, String> {
        HelloReader::new(host).record(HANDSHAKE, message)
    }

    #[test]
    fn only_the_allowed_name_passes() {
        assert_eq!(first("a.com", &hello("a.com")), Ok(Step::Pass));
        assert_eq!(first("a.com", &hello("A.Com")), Ok(Step::Pass));
        assert_eq!(first("192.0.2.1", &hello("192.0.2.1")), Ok(Step::Pass));
        // As browsers do, to keep servers tolerant of unknown values.
        assert_eq!(
            first("a.com", &with_extension(&hello("a.com"), 0x0a0a, &[])),
            Ok(Step::Pass)
        );
        for (host, other, named) in [
            ("a.com", "b.com", "b.com"),
            ("a.com", "x.a.com", "x.a.com"),
            ("a.com", "a.com.evil.org", "a.com.evil.org"),
            ("192.0.2.1", "a.com", "a.com"),
            ("a.com", "192.0.2.1", "names no server"),
        ] {
            let refused = first(host, &hello(other)).unwrap_err();
            assert!(
                refused.contains(host) && refused.contains(named),
                "{refused}"
            );
        }
    }

    #[test]
    fn an_encrypted_or_ambiguous_name_is_refused() {
        let usual = hello("a.com");
        for kind in ENCRYPTED {
            let refused = first("a.com", &with_extension(&usual, kind, &[0; 40])).unwrap_err();
            assert!(refused.contains("ECH"), "{kind:x}: {refused}");
        }
        let name = |list: &[u8]| [&u16::try_from(list.len()).unwrap().to_be_bytes(), list].concat();
        let one = |host: &[u8]| [&[0, 0, u8::try_from(host.len()).unwrap()], host].concat();
        // Two extensions, two names in one, an empty one, another type, trailing bytes, an invalid
        // name.
        let nameless = hello("192.0.2.1");
        for (hello, list) in [
            (&usual, name(&one(b"a.com"))),
            (&nameless, name(&[one(b"a.com"), one(b"b.com")].concat())),
            (&nameless, name(&[])),
            (&nameless, name(&[1, 0, 1, b'a'])),
            (&nameless, [name(&one(b"a.com")), vec![0]].concat()),
            (&nameless, name(&one(b"a.com\0.evil.org"))),
        ] {
            let refused = first("a.com", &with_extension(hello, SERVER_NAME, &list)).unwrap_err();
            assert!(refused.contains("can't be read"), "{list:?}: {refused}");
        }
        assert_eq!(
            first(
                "a.com",
                &with_extension(&nameless, SERVER_NAME, &name(&one(b"A.com.")))
            ),
            Ok(Step::Pass)
        );
        let mut cut = usual.clone();
        cut[3] -= 1;
        assert!(first("a.com", &cut).is_err());
    }

    #[test]
    fn a_hello_in_pieces_is_held_back_until_it_is_whole() {
        for name in ["a.com", "b.com"] {
            let whole = hello(name);
            for cut in 1..whole.len() {
                let mut watch = HelloReader::new("a.com");
                assert_eq!(
                    watch.record(HANDSHAKE, &whole[..cut]),
                    Ok(Step::Hold),
                    "{cut}"
                );
                assert_eq!(
                    watch.record(HANDSHAKE, &whole[cut..]).is_ok(),
                    name == "a.com",
                    "{cut}"
                );
            }
        }
        let mut watch = HelloReader::new("a.com");
        watch.record(HANDSHAKE, &hello("a.com")[..50]).unwrap();
        assert!(watch.record(APPLICATION_DATA, &[0]).is_err());
        assert!(
            first("a.com", &[1, 0xff, 0xff, 0xff])
                .unwrap_err()
                .contains("64 KiB")
        );
    }

    #[test]
    fn a_second_hello_is_held_to_the_same_name() {
        let mut watch = HelloReader::new("a.com");
        assert_eq!(watch.record(HANDSHAKE, &hello("a.com")), Ok(Step::Pass));
        assert_eq!(watch.record(CHANGE_CIPHER_SPEC, &[1]), Ok(Step::Pass));
        assert!(watch.record(HANDSHAKE, &hello("b.com")).is_err());
        // In the same record, and after early data.
        assert!(first("a.com", &[hello("a.com"), hello("b.com")].concat()).is_err());
        let mut watch = HelloReader::new("a.com");
        watch
            .record(HANDSHAKE, &with_extension(&hello("a.com"), EARLY_DATA, &[]))
            .unwrap();
        assert_eq!(watch.record(APPLICATION_DATA, &[0]), Ok(Step::Pass));
        assert!(watch.record(HANDSHAKE, &hello("b.com")).is_err());
    }

    #[test]
    fn what_follows_a_hello_passes_and_what_comes_before_it_does_not() {
        for (kind, payload) in [
            (APPLICATION_DATA, vec![0]),
            (HANDSHAKE, vec![16, 0, 0, 1, 0]),
        ] {
            assert!(HelloReader::new("a.com").record(kind, &payload).is_err());
            let mut watch = HelloReader::new("a.com");
            watch.record(HANDSHAKE, &hello("a.com")).unwrap();
            assert_eq!(watch.record(kind, &payload), Ok(Step::Done));
        }
        assert!(
            HelloReader::new("a.com")
                .record(CHANGE_CIPHER_SPEC, &[1])
                .is_err()
        );
        assert!(HelloReader::new("a.com").record(b'G', b"ET").is_err());
    }
}
