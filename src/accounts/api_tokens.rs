//! API tokens, with which programs act for an account, on the routes for programs only. They begin
//! with `cf_`, so that a leaked one is recognised. The database stores only their hashes.

use std::time::Duration;

use super::{
    AccountError, Accounts, DAY, Identity, SEEN_INTERVAL_MS, Token, later, own::given_name,
    throttle::Rate,
};
use crate::protocol::{AccountRole, ApiToken, ApiTokenId, NewApiToken, Timestamp};

/// The prefix of every token.
const BEGINNING: &str = "cf_";
/// How many bytes of a token are shown. The rest is still too much to guess.
const SHOWN: usize = 8;
/// The maximum lifetime of a token, in days; it may also have no end.
const MAX_DAYS: u32 = 365;
/// The limit on creating tokens.
const CREATIONS: Rate = Rate {
    burst: 20,
    pause: Duration::from_secs(30),
};

impl Accounts {
    /// The identity that a program's request acts for, by its `Authorization` header; never an
    /// administrator's. `Token` with a sentence if the header is missing or its token is not valid
    /// (any more).
    pub async fn identify_program(
        &self,
        authorization: Option<&str>,
    ) -> Result<Identity, AccountError> {
        if !self.inner.on {
            let local = self.identify(None).await?;
            let local = local.ok_or(AccountError::SignedOut)?;
            return Ok(Identity {
                role: AccountRole::User,
                ..local
            });
        }
        let sent = authorization.ok_or(AccountError::Token(
            "Send an API token as “Authorization: Bearer cf_…”. You make one in the settings.",
        ))?;
        let (scheme, sent) = sent.split_once(' ').unwrap_or((sent, ""));
        let token = sent.trim().strip_prefix(BEGINNING).and_then(Token::sent);
        let token = token.filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.ok_or(AccountError::Token(
            "The Authorization header has no API token: it must be “Bearer cf_…”, whole.",
        ))?;
        let store = &self.inner.store;
        let found = store.find_api_token(&token.hash()).await?;
        let found = found.ok_or(AccountError::Token(
            "This API token doesn't exist or was revoked. Create one in Settings.",
        ))?;
        let (summary, mut account) = (found.summary, found.account);
        if found.disabled {
            return Err(AccountError::Token(
                "The account of this API token is disabled. Ask an administrator.",
            ));
        }
        if summary.expired {
            return Err(AccountError::Token(
                "This API token has expired. Create another one in Settings.",
            ));
        }
        // Also if the clock was set back.
        let since = summary.used_at.unwrap_or_default();
        let age = Timestamp::now().0.saturating_sub(since.0);
        if age.saturating_abs() > SEEN_INTERVAL_MS {
            store.touch_api_token(&account.id, summary.id).await?;
        }
        account.role = AccountRole::User;
        Ok(Identity {
            user: account.id.clone(),
            role: account.role,
            account: Some(account),
            session: None,
            acting: false,
        })
    }

    /// Creates a token that is valid for so many days, or for good. It is shown only once.
    pub async fn create_api_token(
        &self,
        identity: &Identity,
        name: &str,
        days: Option<u32>,
    ) -> Result<NewApiToken, AccountError> {
        if identity.account.is_none() {
            return Err(AccountError::Refused(
                "This CodeFlow has no accounts: programs on this machine need no token.",
            ));
        }
        if identity.acting {
            // The token would outlive the hour in which the administrator acts for the account.
            return Err(AccountError::Refused(
                "Only the account's owner can create API tokens, not an administrator on their behalf.",
            ));
        }
        let name = given_name(name, "Name the token after the program that will use it")?;
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            return Err(AccountError::Invalid {
                field: "days",
                why: format!("Choose from 1 to {MAX_DAYS} days, or no end."),
            });
        }
        self.count(format!("API tokens of {}", identity.user), CREATIONS)?;
        let secret = Token::new();
        let token = format!("{BEGINNING}{}", secret.expose());
        let expires_at = days.map(|days| later(DAY * days));
        let (store, user) = (&self.inner.store, &identity.user);
        let (hash, prefix) = (secret.hash(), &token[..SHOWN]);
        let added = store.add_api_token(user, &hash, prefix, name, expires_at);
        let summary = added.await?;
        tracing::info!(user.id = %user, token.id = %summary.id, "API token made");
        Ok(NewApiToken { summary, token })
    }

    /// The account's tokens, the newest first.
    pub async fn api_tokens(&self, identity: &Identity) -> Result<Vec<ApiToken>, AccountError> {
        Ok(self.inner.store.list_api_tokens(&identity.user).await?)
    }

    /// Revokes one of the account's tokens.
    pub async fn revoke_api_token(
        &self,
        identity: &Identity,
        token: ApiTokenId,
    ) -> Result<(), AccountError> {
        let store = &self.inner.store;
        store.remove_api_token(&identity.user, token).await?;
        tracing::info!(user.id = %identity.user, token.id = %token, "API token revoked");
        Ok(())
    }
}
