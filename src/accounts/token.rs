//! Tokens: 256 random bits, stored only as a hash.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};

/// The length of a token, in characters.
const LENGTH: usize = 43;

/// A secret that names a session or a link.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

impl Token {
    /// A new random token.
    pub fn new() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// A token from a request; `None` if it is malformed.
    pub fn sent(text: &str) -> Option<Self> {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_token = text.len() == LENGTH && text.bytes().all(is_sign);
        is_token.then(|| Self(text.into()))
    }

    /// The token's text, for its owner.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The hash to store: it is useless to anyone who reads the database. A fast hash suffices for
    /// a secret that can't be guessed.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.expose()))
    }
}

/// The keyed hash of a text (HMAC-SHA256, RFC 2104).
pub(super) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let hash = |pad: u8, text: &[u8]| {
        let start = block.map(|byte| byte ^ pad);
        Sha256::new()
            .chain_update(start)
            .chain_update(text)
            .finalize()
    };
    hash(0x5c, &hash(0x36, text)).into()
}

/// A session that has begun.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub token: Token,
}

/// The state of a sign-in.
#[derive(Debug, Clone)]
pub enum SignInStep {
    Done(SignedIn),
    /// The password was right, as the token proves; a code is needed too.
    Code(Token),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_that_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        let short = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(short),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex::encode(hmac(&[0xaa; 131], text)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_token_is_found_again_by_its_hash_and_never_printed() {
        let token = Token::new();
        let sent = Token::sent(token.expose()).unwrap();
        assert_eq!(sent.hash(), token.hash());
        assert_ne!(Token::new().hash(), token.hash());
        assert!(!format!("{token:?}").contains(token.expose()));
        for wrong in [
            "",
            "short",
            &"ä".repeat(22),
            &"a".repeat(44),
            &" ".repeat(43),
        ] {
            assert!(Token::sent(wrong).is_none(), "{wrong}");
        }
    }
}
