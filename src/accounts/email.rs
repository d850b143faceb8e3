//! E-mail addresses: the mailboxes that RFC 5321 and RFC 6531 allow, and a normal form in which two
//! spellings of the same address are equal.

use std::{fmt, net::Ipv6Addr};

use unicode_normalization::UnicodeNormalization as _;
use url::Host;

/// The maximum length of an address and of the part before the `@`, in bytes (RFC 5321, 4.5.3.1).
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;

/// An e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    normal: String,
}

/// The text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not an e-mail address. Write it like name@example.com.")]
pub struct NoEmail;

impl Email {
    /// Parses an address; surrounding blanks are ignored.
    pub fn new(text: &str) -> Result<Self, NoEmail> {
        let written = text.trim();
        if written.len() > MAX_ADDRESS {
            return Err(NoEmail);
        }
        // A quoted local part may contain `@`, the domain never does.
        let (local, domain) = written.rsplit_once('@').ok_or(NoEmail)?;
        let normal = format!("{}@{}", normal_local(local)?, normal_domain(domain)?);
        if normal.len() > MAX_ADDRESS {
            return Err(NoEmail);
        }
        Ok(Self {
            written: written.to_owned(),
            normal,
        })
    }

    /// The normal form, for comparisons.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The address as written, without surrounding blanks.
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The part before the `@`: without quotes where it needs none, in lower case, composed.
fn normal_local(local: &str) -> Result<String, NoEmail> {
    if local.is_empty() || local.len() > MAX_LOCAL {
        return Err(NoEmail);
    }
    let plain = match local.strip_prefix('"') {
        Some(rest) => unquoted(rest.strip_suffix('"').ok_or(NoEmail)?)?,
        None if is_dot_atom(local) => local.to_owned(),
        None => return Err(NoEmail),
    };
    let folded = plain.nfkc().collect::<String>().to_lowercase();
    let folded: String = folded.nfc().collect();
    if is_dot_atom(&folded) {
        return Ok(folded);
    }
    let escaped = folded.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

/// The content of a quoted string (RFC 5321, `QcontentSMTP`).
fn unquoted(quoted: &str) -> Result<String, NoEmail> {
    let (mut plain, mut letters) = (String::new(), quoted.chars());
    while let Some(letter) = letters.next() {
        let meant = match letter {
            '"' => return Err(NoEmail),
            '\\' => letters.next().filter(char::is_ascii).ok_or(NoEmail)?,
            other => other,
        };
        if meant.is_control() {
            return Err(NoEmail);
        }
        plain.push(meant);
    }
    Ok(plain)
}

/// Whether it consists of words with single dots between them (RFC 5321, `Dot-string`; RFC 6531
/// adds every letter beyond ASCII).
fn is_dot_atom(text: &str) -> bool {
    let is_atom = |letter: char| {
        letter.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(letter)
            || (!letter.is_ascii() && !letter.is_whitespace() && !letter.is_control())
    };
    text.split('.')
        .all(|word| !word.is_empty() && word.chars().all(is_atom))
}

/// The domain in lower-case ASCII, or an address literal in its shortest form.
fn normal_domain(domain: &str) -> Result<String, NoEmail> {
    if let Some(literal) = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let v6 = literal
            .get(..5)
            .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        return match v6 {
            Some(_) => literal[5..]
                .parse::<Ipv6Addr>()
                .map(|address| format!("[ipv6:{address}]"))
                .map_err(|_| NoEmail),
            None => literal
                .parse::<std::net::Ipv4Addr>()
                .map(|address| format!("[{address}]"))
                .map_err(|_| NoEmail),
        };
    }
    let is_letter = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.') || !letter.is_ascii()
    };
    if domain.is_empty() || domain.ends_with('.') || !domain.chars().all(is_letter) {
        return Err(NoEmail);
    }
    let Ok(Host::Domain(ascii)) = Host::parse(domain) else {
        return Err(NoEmail);
    };
    // Normalization turns some letters into signs: the Greek question mark becomes a semicolon.
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        let is_whole = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && is_whole && label.bytes().all(is_sign)
    };
    // A name without a dot is only reachable inside one's own network.
    let labels: Vec<&str> = ascii.split('.').collect();
    let is_domain =
        labels.iter().all(|label| is_label(label)) && (labels.len() > 1 || ascii == "localhost");
    if is_domain { Ok(ascii) } else { Err(NoEmail) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        for (one, other) in [
            ("Ada@Example.com", " ada@example.COM "),
            ("\"ada\"@example.com", "ada@example.com"),
            ("\"a\\da\"@example.com", "ada@example.com"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ÄDA@example.com", "a\u{308}da@example.com"),
            ("ada@[192.0.2.1]", "ADA@[192.0.2.1]"),
            ("ada@[IPv6:2001:DB8:0::1]", "ada@[ipv6:2001:db8::1]"),
        ] {
            let (one, other) = (Email::new(one).unwrap(), Email::new(other).unwrap());
            assert_eq!(one.normal(), other.normal());
        }
    }

    #[test]
    fn every_legal_oddity_is_an_address() {
        for legal in [
            "!#$%&'*+-/=?^_`{|}~@example.com",
            "first.last+tag@sub.example.co.uk",
            "\"very.(),:;<>[]\\\".VERY.\\\"very@\\\\ \\\"very\\\".unusual\"@strange.example.com",
            "\" \"@example.org",
            "a@b.co",
            "x@xn--p1ai.xn--p1ai",
            "用户@例子.广告",
            "root@localhost",
            "\"a@b\"@example.com",
            "0@1.example",
        ] {
            let email = Email::new(legal).unwrap();
            assert_eq!(email.written(), legal);
            let again = Email::new(email.normal()).unwrap();
            assert_eq!(again.normal(), email.normal(), "{legal}");
        }
        let longest = format!("{}@example.com", "a".repeat(64));
        assert!(Email::new(&longest).is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.com", "b.".repeat(130));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "a b@example.com",
            "a@b@example.com",
            "a@-b.com",
            "a@b-.com",
            "a@b..com",
            "a@b.com.",
            "a@1.2.3.4",
            "a@[1.2.3]",
            "a@[IPv6:::g]",
            "\"a@example.com",
            "\"a\"b\"@example.com",
            "a\0@example.com",
            "a\n@example.com",
            "a@exa%6dple.com",
            "a@example.com/x",
            "a@example.com:25",
            "a@\u{37e}.example",
            "Ada <ada@example.com>",
            "ada(comment)@example.com",
            &long,
            &longer,
        ] {
            assert!(Email::new(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_an_address_whose_normal_form_it_is(text in "\\PC{0,20}@\\PC{1,12}\\.[a-z]{2}") {
            if let Ok(email) = Email::new(&text) {
                let again = Email::new(email.normal());
                prop_assert_eq!(again.as_ref().map(Email::normal), Ok(email.normal()));
            }
        }
    }
}
