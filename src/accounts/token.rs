//! Tokens: 256 random bits, of which the database has only the hash.

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
    /// A fresh one.
    pub fn new() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// One that somebody sent; `None` where no token looks like this.
    pub fn sent(text: &str) -> Option<Self> {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_token = text.len() == LENGTH && text.bytes().all(is_sign);
        is_token.then(|| Self(text.into()))
    }

    /// The token itself, for its owner.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is saved of it: nobody who reads the database can use it. A fast hash is enough for
    /// what can't be guessed.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.expose()))
    }
}

/// A session that has begun.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub token: Token,
}

/// How far a sign-in has come.
#[derive(Debug, Clone)]
pub enum SignInStep {
    Done(SignedIn),
    /// The password was right, for which the token stands; a code is asked for too.
    Code(Token),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

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
