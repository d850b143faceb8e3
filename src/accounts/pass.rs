//! Passes for previews. A preview has another origin than the builder and can't see the session, so
//! it gets a pass for one sandbox and one session, and keeps it as a cookie of its own. A pass is
//! signed with a key from the session's row, so that it ends with the session, on every server.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use super::{AccountError, Accounts, IDLE, later, token::hmac};
use crate::protocol::{SessionId, Timestamp};

/// How long a key is cached without asking the database again, unless a session ends here.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// How many keys are cached.
const MAX_KEYS: usize = 10_000;

/// The kind of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassKind {
    /// Used once, on the way from the builder to the preview.
    Entry,
    /// Kept by the browser.
    Cookie,
}

impl PassKind {
    /// How long it is valid.
    pub fn lifetime(self) -> Duration {
        match self {
            Self::Entry => Duration::from_secs(60),
            Self::Cookie => Duration::from_secs(12 * 3600),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Cookie => "cookie",
        }
    }
}

/// A valid pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub session: SessionId,
    /// Whether most of its lifetime is over.
    pub is_old: bool,
}

/// The sessions' signing keys, as read recently.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<SessionId, Known>>);

struct Known {
    key: String,
    at: Instant,
    /// The count of ended sessions at that time.
    ends: u64,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Accounts {
    /// A pass for the sandbox and the session; `None` if the session has ended.
    pub async fn pass(
        &self,
        session: SessionId,
        sandbox: &str,
        kind: PassKind,
    ) -> Result<Option<String>, AccountError> {
        let Some(key) = self.key_of(session).await? else {
            return Ok(None);
        };
        let expires = later(kind.lifetime()).0;
        let sign = sign(&key, session, sandbox, kind, expires);
        let session = session.0.simple();
        Ok(Some(format!("{session}.{expires}.{sign}")))
    }

    /// The pass, if it is good for this sandbox.
    pub async fn check_pass(
        &self,
        pass: &str,
        sandbox: &str,
        kind: PassKind,
    ) -> Result<Option<Pass>, AccountError> {
        let mut parts = pass.splitn(3, '.');
        let (Some(session), Some(expires), Some(given)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let (Ok(session), Ok(expires)) = (session.parse::<SessionId>(), expires.parse::<i64>())
        else {
            return Ok(None);
        };
        let left = expires.saturating_sub(Timestamp::now().0);
        let lifetime = i64::try_from(kind.lifetime().as_millis()).unwrap_or(i64::MAX);
        // More than the maximum: the clock was set back.
        if left <= 0 || left > lifetime {
            return Ok(None);
        }
        let Some(key) = self.key_of(session).await? else {
            return Ok(None);
        };
        let sign = sign(&key, session, sandbox, kind, expires);
        let is_good: bool = sign.as_bytes().ct_eq(given.as_bytes()).into();
        Ok(is_good.then_some(Pass {
            session,
            is_old: left < lifetime / 2,
        }))
    }

    /// The sessions among these that have not ended.
    pub async fn open_among(
        &self,
        sessions: Vec<SessionId>,
    ) -> Result<HashSet<SessionId>, AccountError> {
        Ok(self.inner.store.open_among(sessions, IDLE).await?)
    }

    async fn key_of(&self, session: SessionId) -> Result<Option<String>, AccountError> {
        let ends = *self.inner.ended.borrow();
        let is_fresh = |known: &&Known| known.ends == ends && known.at.elapsed() < KNOWN_FOR;
        let keys = &self.inner.keys.0;
        let known = keys
            .lock()
            .get(&session)
            .filter(is_fresh)
            .map(|known| known.key.clone());
        if known.is_some() {
            return Ok(known);
        }
        let key = self.inner.store.session_key(session, IDLE).await?;
        let mut keys = keys.lock();
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        match key.clone() {
            Some(key) => {
                let at = Instant::now();
                keys.insert(session, Known { key, at, ends });
            }
            None => _ = keys.remove(&session),
        }
        Ok(key)
    }
}

fn sign(key: &str, session: SessionId, sandbox: &str, kind: PassKind, expires: i64) -> String {
    let kind = kind.as_str();
    let text = format!("codeflow preview {kind}\n{sandbox}\n{session}\n{expires}");
    URL_SAFE_NO_PAD.encode(hmac(key.as_bytes(), text.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        accounts::Token,
        config,
        protocol::{AccountRole, Plan},
        store::{NewSession, NewUser, Store},
    };

    async fn accounts() -> (tempfile::TempDir, Accounts, SessionId) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let user = NewUser {
            email: "a@example.com".to_owned(),
            written_email: "a@example.com".to_owned(),
            password_hash: None,
            role: AccountRole::User,
            plan: Plan::Free,
        };
        let user = store.create_user(user, None).await.unwrap();
        let session = NewSession {
            user: user.id,
            token: Token::new().hash(),
            agent: String::new(),
            address: String::new(),
            expires_at: later(Duration::from_secs(60)),
        };
        let session = store.add_session(session, None).await.unwrap();
        let data = folder.path().to_str().unwrap();
        let env = [("AUTH", "on"), ("CODEFLOW_DATA_DIR", data)];
        let env = config::Env::of(env, "/usr/bin/codeflow");
        let settings = config::Accounts::from_env(&env).unwrap();
        let accounts = Accounts::new(store, &settings, true, "http://localhost:3000");
        (folder, accounts.await.unwrap(), session)
    }

    #[tokio::test]
    async fn a_pass_is_good_for_its_sandbox_and_purpose_until_its_session_ends() {
        let (_folder, accounts, session) = accounts().await;
        let pass = accounts
            .pass(session, "iabc", PassKind::Cookie)
            .await
            .unwrap()
            .unwrap();
        let check = async |pass: &str, sandbox, kind| {
            accounts.check_pass(pass, sandbox, kind).await.unwrap()
        };
        let good = check(&pass, "iabc", PassKind::Cookie).await.unwrap();
        assert_eq!(
            good,
            Pass {
                session,
                is_old: false
            }
        );
        assert!(check(&pass, "iother", PassKind::Cookie).await.is_none());
        assert!(check(&pass, "iabc", PassKind::Entry).await.is_none());
        let (head, sign) = pass.rsplit_once('.').unwrap();
        let (name, expires) = head.split_once('.').unwrap();
        let longer = format!("{name}.{}.{sign}", expires.parse::<i64>().unwrap() - 1);
        let other = format!("{}.{expires}.{sign}", SessionId::new().0.simple());
        for wrong in [&*longer, &*other, head, "", "..", &pass[..pass.len() - 1]] {
            assert!(
                check(wrong, "iabc", PassKind::Cookie).await.is_none(),
                "{wrong}"
            );
        }
        accounts
            .inner
            .store
            .end_sessions(&user_of(&accounts).await, None)
            .await
            .unwrap();
        accounts.announce_end();
        assert!(check(&pass, "iabc", PassKind::Cookie).await.is_none());
        assert!(
            accounts
                .pass(session, "iabc", PassKind::Entry)
                .await
                .unwrap()
                .is_none()
        );
    }

    async fn user_of(accounts: &Accounts) -> crate::protocol::UserId {
        let found = accounts.inner.store.find_credentials("a@example.com").await;
        found.unwrap().unwrap().user
    }
}
