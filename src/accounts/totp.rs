//! Time-based codes (TOTP, RFC 6238), as authenticator apps expect them: SHA-1, six digits, thirty
//! seconds; and the recovery codes that stand in for a lost app.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcodegen::{QrCode, QrCodeEcc};
use rand::RngCore as _;
use ring::hmac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// How long a code is valid, in seconds.
const STEP: i64 = 30;
/// How many steps a clock may differ.
const SKEW: i64 = 1;
/// The alphabet of RFC 4648, base 32.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;
/// The light border that a QR code needs, in modules.
const BORDER: i32 = 4;

/// A new secret, as long as the hash (RFC 4226, 4).
pub fn secret() -> Vec<u8> {
    random::<20>().to_vec()
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// The time step that the code belongs to, if it is close to `seconds` (since 1970).
pub fn matching(secret: &[u8], seconds: i64, code: &str) -> Option<i64> {
    let present = seconds.div_euclid(STEP);
    (present - SKEW..=present + SKEW)
        .find(|counter| bool::from(code_at(secret, *counter).as_bytes().ct_eq(code.as_bytes())))
}

/// The code of a time step (RFC 4226, 5.3).
fn code_at(secret: &[u8], counter: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let hash = tag.as_ref();
    let offset = usize::from(hash[hash.len() - 1] & 0xf);
    let number = hash[offset..offset + 4]
        .iter()
        .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// Bytes as people can type them.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut bits, mut length) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        length += 8;
        while length >= 5 {
            length -= 5;
            text.push(char::from(BASE32[(bits >> length & 31) as usize]));
        }
        bits &= (1 << length) - 1;
    }
    if length > 0 {
        text.push(char::from(BASE32[(bits << (5 - length) & 31) as usize]));
    }
    text
}

/// The URI that an app reads from a QR code.
pub fn address(email: &str, secret: &[u8]) -> String {
    let email = utf8_percent_encode(email, NON_ALPHANUMERIC);
    let secret = base32(secret);
    format!("otpauth://totp/CodeFlow:{email}?secret={secret}&issuer=CodeFlow")
}

/// The text as a QR code: an SVG image, dark on light in every theme.
pub fn qr_code(text: &str) -> anyhow::Result<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)
        .map_err(|error| anyhow::anyhow!("no QR code: {error}"))?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + BORDER, y + BORDER));
        }
    }
    let side = size + 2 * BORDER;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"QR code with the secret\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0,0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// New recovery codes, of 80 random bits each.
pub fn recovery_codes() -> Vec<String> {
    let code = |_| {
        let text = base32(&random::<10>());
        [&text[..4], &text[4..8], &text[8..12], &text[12..]].join("-")
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// The hash of a recovery code, in whatever notation it was typed. A fast hash suffices for a
/// secret that can't be guessed.
pub fn recovery_hash(code: &str) -> String {
    let plain: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    hex::encode(Sha256::digest(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of its eight digits.
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(matching(secret, seconds, code), Some(seconds / 30));
            assert_eq!(matching(secret, seconds + 30, code), Some(seconds / 30));
            assert_eq!(matching(secret, seconds + 60, code), None);
            assert_eq!(matching(secret, seconds - 60, code), None);
        }
        for wrong in ["", "28708", "2870820", "２８７０８２"] {
            assert_eq!(matching(secret, 59, wrong), None);
        }
    }

    #[test]
    fn a_secret_is_written_as_apps_read_it() {
        // RFC 4648, 10, without the padding.
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let address = address("ada+x@example.com", b"fooba");
        assert_eq!(
            address,
            "otpauth://totp/CodeFlow:ada%2Bx%40example%2Ecom?secret=MZXW6YTB&issuer=CodeFlow"
        );
        assert!(qr_code(&address).is_ok_and(|svg| svg.starts_with("<svg") && svg.len() < 100_000));
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_written() {
        let codes = recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let hash = recovery_hash(&codes[0]);
        let typed = codes[0].to_lowercase().replace('-', " ");
        assert_eq!(recovery_hash(&typed), hash);
        assert_ne!(recovery_hash(&codes[1]), hash);
    }
}
