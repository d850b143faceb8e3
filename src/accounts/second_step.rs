//! The second step of a sign-in: a code from an authenticator app, or a recovery code. A code works
//! once. The secret is encrypted in the database; recovery codes are hashed.

use std::time::Duration;

use super::{AccountError, Accounts, Client, Identity, SignedIn, Token, throttle::Rate, totp};
use crate::{
    protocol::{SecondStepSetup, SecondStepState, Timestamp, UserId},
    store::{Purpose, SecondStep, StoreError},
};

/// The limit on codes for one account. Three in a million are right at any time, so guessing one
/// would take years, even with the password.
const CODES: Rate = Rate {
    burst: 6,
    pause: Duration::from_secs(60),
};

fn wrong_code() -> AccountError {
    AccountError::Invalid {
        field: "code",
        why: "This code is wrong, or was used already. Wait for the next one.".to_owned(),
    }
}

impl Accounts {
    /// The second step of a sign-in, with the token from the first step.
    pub async fn finish_sign_in(
        &self,
        step: Option<&Token>,
        code: &str,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        const OVER: AccountError = AccountError::Refused(
            "This sign-in has expired. Go back to sign in, and enter your password again.",
        );
        self.expect_on()?;
        let store = &self.inner.store;
        let step = step.ok_or(OVER)?.hash();
        let found = match store.find_link(&step, Purpose::SecondStep).await {
            Err(StoreError::NotFound(_)) => return Err(OVER),
            found => found?,
        };
        let user = found.user.ok_or(OVER)?;
        self.check_code(&user, code).await?;
        // Of two requests with the same step, the second fails.
        match store.use_link(&step, Purpose::SecondStep).await {
            Err(StoreError::NotFound(_)) => return Err(OVER),
            used => used?,
        }
        self.begin_session(user, client, before).await
    }

    /// The state of the account's second step.
    pub async fn second_step(&self, identity: &Identity) -> Result<SecondStepState, AccountError> {
        let found = self.inner.store.second_step(&identity.user).await?;
        let on = found.filter(|found| found.is_on);
        Ok(
            on.map_or_else(SecondStepState::default, |found| SecondStepState {
                is_on: true,
                codes: found.codes,
            }),
        )
    }

    /// Creates the secret of a second step, which a code must confirm. It requires the password:
    /// otherwise a stolen session could lock the owner out.
    pub async fn begin_second_step(
        &self,
        identity: &Identity,
        password: &str,
    ) -> Result<SecondStepSetup, AccountError> {
        self.confirm(identity, password).await?;
        let account = identity.account.as_ref().ok_or(AccountError::SignedOut)?;
        let secret = totp::secret();
        let sealed = self.inner.vault.seal(&name(&identity.user), &secret)?;
        let store = &self.inner.store;
        match store.begin_second_step(&identity.user, sealed).await {
            Err(StoreError::Conflict(why)) => return Err(AccountError::Refused(why)),
            begun => begun?,
        }
        Ok(SecondStepSetup {
            secret: totp::base32(&secret),
            qr_code: totp::qr_code(&totp::address(&account.email, &secret))?,
        })
    }

    /// Turns on the second step, confirmed by a code of the app that has its secret. Returns the
    /// recovery codes, which are shown only once.
    pub async fn confirm_second_step(
        &self,
        identity: &Identity,
        code: &str,
    ) -> Result<Vec<String>, AccountError> {
        const NOT_BEGUN: AccountError = AccountError::Refused(
            "Setup was restarted elsewhere. Reload the page and start again.",
        );
        let (user, store) = (&identity.user, &self.inner.store);
        let attempts = format!("code {user}");
        self.count(attempts.clone(), CODES)?;
        let begun = store.second_step(user).await?;
        let begun = begun.filter(|begun| !begun.is_on).ok_or(NOT_BEGUN)?;
        let counter = self.matching(user, &begun, &plain(code))?;
        let counter = counter.ok_or_else(wrong_code)?;
        let codes = totp::recovery_codes();
        let hashes = codes.iter().map(|code| totp::recovery_hash(code)).collect();
        let confirmed = store.confirm_second_step(user, &begun.secret, counter, hashes);
        match confirmed.await {
            Err(StoreError::NotFound(_)) => return Err(NOT_BEGUN),
            confirmed => confirmed?,
        }
        self.inner.throttle.forget(&attempts);
        tracing::info!(user.id = %user, "two-step sign-in turned on");
        Ok(codes)
    }

    /// Replaces all recovery codes, once the password confirms that. Returns the new ones, which
    /// are shown only once.
    pub async fn renew_recovery_codes(
        &self,
        identity: &Identity,
        password: &str,
    ) -> Result<Vec<String>, AccountError> {
        self.confirm(identity, password).await?;
        let codes = totp::recovery_codes();
        let hashes = codes.iter().map(|code| totp::recovery_hash(code)).collect();
        let store = &self.inner.store;
        match store.renew_recovery_codes(&identity.user, hashes).await {
            Err(StoreError::NotFound(_)) => Err(AccountError::Refused(
                "Two-step sign-in is off, so there are no recovery codes. Set it up first.",
            )),
            renewed => {
                renewed?;
                tracing::info!(user.id = %identity.user, "recovery codes renewed");
                Ok(codes)
            }
        }
    }

    /// Turns the second step off.
    pub async fn end_second_step(
        &self,
        identity: &Identity,
        password: &str,
        code: &str,
    ) -> Result<(), AccountError> {
        self.confirm(identity, password).await?;
        self.check_code(&identity.user, code).await?;
        self.inner.store.end_second_step(&identity.user).await?;
        tracing::info!(user.id = %identity.user, "two-step sign-in turned off");
        Ok(())
    }

    /// Redeems the code, from the app or for recovery.
    async fn check_code(&self, user: &UserId, code: &str) -> Result<(), AccountError> {
        let attempts = format!("code {user}");
        self.count(attempts.clone(), CODES)?;
        let store = &self.inner.store;
        let found = store.second_step(user).await?;
        let on = found.filter(|found| found.is_on).ok_or_else(wrong_code)?;
        let code = plain(code);
        let is_right = if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            match self.matching(user, &on, &code)? {
                Some(counter) => store.use_counter(user, counter).await?,
                None => false,
            }
        } else {
            let hash = totp::recovery_hash(&code);
            store.use_recovery_code(user, &hash).await?
        };
        if !is_right {
            return Err(wrong_code());
        }
        self.inner.throttle.forget(&attempts);
        Ok(())
    }

    fn matching(
        &self,
        user: &UserId,
        step: &SecondStep,
        code: &str,
    ) -> Result<Option<i64>, AccountError> {
        let secret = self.inner.vault.unseal(&name(user), &step.secret)?;
        Ok(totp::matching(&secret, Timestamp::now().0 / 1000, code))
    }
}

/// The name that a user's secret is sealed under.
fn name(user: &UserId) -> String {
    format!("second step of {user}")
}

/// The code without the separators that apps and people add.
fn plain(code: &str) -> String {
    let is_part = |letter: &char| !letter.is_whitespace() && *letter != '-';
    code.chars().filter(is_part).take(64).collect()
}
