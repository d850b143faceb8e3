//! Passwords, hashed with Argon2id. Hashing runs off the runtime's threads and a few at a time,
//! because each hash takes 19 MiB and tens of milliseconds of processor time.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

use super::AccountError;
use crate::protocol::first_chars;

/// How many hashes are computed at a time, and how many may wait.
const MAX_CONCURRENT: usize = 2;
const MAX_WAITING: usize = 64;
/// The minimum length of a password in characters, and the maximum in bytes.
const MIN_CHARS: usize = 8;
const MAX_BYTES: usize = 256;
/// How many characters of a password are rated for strength: the time grows with their square.
const ESTIMATED: usize = 72;

/// Hashes and verifies passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The hash that stands in for an unknown account's, so that the check takes as long.
    nobodys: Arc<str>,
}

impl Passwords {
    /// Takes the time of one hash.
    pub fn new() -> anyhow::Result<Self> {
        let nobodys = hash(&SecretString::from("nobody's password"))?;
        Ok(Self {
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            queue: Arc::new(Semaphore::new(MAX_WAITING)),
            nobodys: nobodys.into(),
        })
    }

    /// The hash of a newly chosen password, in the PHC string format. `Invalid` if the password is
    /// short, long or easy to guess; `personal` are texts that an attacker would try.
    pub async fn hash(
        &self,
        password: &str,
        personal: Vec<String>,
    ) -> Result<String, AccountError> {
        let password = normalized(password);
        let length = password.expose_secret().len();
        if password.expose_secret().chars().count() < MIN_CHARS {
            return Err(weak(format!(
                "Choose a password of at least {MIN_CHARS} characters."
            )));
        }
        if length > MAX_BYTES {
            return Err(weak(format!(
                "Choose a password of at most {MAX_BYTES} characters."
            )));
        }
        self.in_turn(move || {
            estimate(&password, &personal)?;
            hash(&password).map_err(AccountError::Internal)
        })
        .await?
    }

    /// Whether the password matches the hash. Without a hash it never does, but takes as long.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, AccountError> {
        // No stored password is longer.
        let is_possible = password.len() <= 4 * MAX_BYTES;
        let password = normalized(if is_possible { password } else { "" });
        let known = hash.is_some() && is_possible;
        let hash = hash.unwrap_or_else(|| self.nobodys.to_string());
        let is_right = self.in_turn(move || {
            let hash = PasswordHash::new(&hash).map_err(|error| anyhow::anyhow!("{error}"))?;
            let bytes = password.expose_secret().as_bytes();
            anyhow::Ok(Argon2::default().verify_password(bytes, &hash).is_ok())
        });
        let is_right = is_right.await?.map_err(AccountError::Internal)?;
        Ok(is_right && known)
    }

    /// Runs the work on a blocking thread when it is its turn. `Busy` if too many are waiting.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let queued: OwnedSemaphorePermit = self
            .queue
            .clone()
            .try_acquire_owned()
            .map_err(|_| AccountError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await;
        // The turn ends with the work, even if nobody waits for it any more.
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, queued));
            done
        });
        working
            .await
            .map_err(|error| AccountError::Internal(error.into()))
    }
}

/// Normalizes the password, so that it is the same on every keyboard (RFC 8265, OpaqueString).
fn normalized(password: &str) -> SecretString {
    password.nfc().collect::<String>().into()
}

fn hash(password: &SecretString) -> anyhow::Result<String> {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| anyhow::anyhow!("a password can't be hashed: {error}"))
}

fn estimate(password: &SecretString, personal: &[String]) -> Result<(), AccountError> {
    let beginning = first_chars(password.expose_secret(), ESTIMATED);
    let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
    let estimate = zxcvbn(beginning, &personal);
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    let mut sentences = vec!["This password is easy to guess.".to_owned()];
    if let Some(feedback) = estimate.feedback() {
        sentences.extend(feedback.warning().map(|warning| warning.to_string()));
        sentences.extend(feedback.suggestions().iter().map(ToString::to_string));
    }
    Err(weak(sentences.join(" ")))
}

fn weak(why: String) -> AccountError {
    AccountError::Invalid {
        field: "password",
        why,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_however_it_is_composed_and_nothing_else_is() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords
            .hash("korrekt Pfe\u{301}rd Batterie", Vec::new())
            .await
            .unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = async |password: &str, hash| passwords.verify(password, hash).await.unwrap();
        assert!(verify("korrekt Pf\u{e9}rd Batterie", Some(hash.clone())).await);
        assert!(!verify("korrekt Pferd Batterie", Some(hash.clone())).await);
        assert!(!verify("", Some(hash.clone())).await);
        assert!(!verify(&"a".repeat(1 << 20), Some(hash)).await);
        assert!(!verify("nobody's password", None).await);
        assert!(
            passwords
                .verify("x", Some("broken".to_owned()))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_weak_password_is_refused_with_hints() {
        let passwords = Passwords::new().unwrap();
        for (password, hint) in [
            ("short", "at least 8 characters"),
            ("password1", "very common password"),
            ("ada.lovelace", "easy to guess"),
            (&"ab".repeat(200), "at most 256"),
            ("qwertyuiop", "Add another word or two"),
        ] {
            let personal = vec!["ada.lovelace".to_owned()];
            let refused = passwords.hash(password, personal).await.unwrap_err();
            assert!(refused.to_string().contains(hint), "{refused}");
        }
    }

    #[tokio::test]
    async fn only_so_many_wait_for_their_turn() {
        let passwords = Passwords::new().unwrap();
        let storm = (0..200).map(|_| passwords.verify("some password", None));
        let answers = futures::future::join_all(storm).await;
        let busy = answers
            .iter()
            .filter(|answer| matches!(answer, Err(AccountError::Busy)))
            .count();
        assert_eq!(busy, 200 - MAX_WAITING);
        assert!(!passwords.verify("some password", None).await.unwrap());
    }
}
