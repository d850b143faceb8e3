//! Signing up, in and out, and setting a forgotten password. Every failure takes the time of a
//! password's hash, and says nothing about whether there is such an account.

use std::{net::IpAddr, time::Duration};

use super::{
    AccountError, Accounts, Client, LIFETIME, STEP_LIFETIME, SignInStep, SignedIn, Token,
    email::{Email, NoEmail},
    later,
    throttle::Rate,
};
use crate::{
    protocol::{AccountRole, Plan, SignUp, UserId, first_chars},
    store::{Link, NewSession, NewUser, Purpose, StoreError},
};

/// Sign-ins of one account from one address, of one account from everywhere, and of one address:
/// the first ends guessing at home, the others storms.
const OF_BOTH: Rate = Rate {
    burst: 10,
    pause: Duration::from_secs(30),
};
const OF_ACCOUNT: Rate = Rate {
    burst: 100,
    pause: Duration::from_secs(30),
};
const OF_ADDRESS: Rate = Rate {
    burst: 60,
    pause: Duration::from_secs(5),
};
/// Accounts made from one address.
const SIGN_UPS: Rate = Rate {
    burst: 60,
    pause: Duration::from_secs(60),
};
/// How much of a browser's name is kept, in characters.
pub(super) const AGENT: usize = 300;

impl From<NoEmail> for AccountError {
    fn from(error: NoEmail) -> Self {
        Self::Invalid {
            field: "email",
            why: error.to_string(),
        }
    }
}

impl Accounts {
    /// Makes an account and signs it in. `link` is the token of an invitation, or of the first
    /// administrator's link; `before` the session that the browser had.
    pub async fn sign_up(
        &self,
        email: &str,
        password: &str,
        link: Option<&str>,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        self.expect_on()?;
        let inner = &self.inner;
        let email = Email::new(email)?;
        self.count(format!("sign-up {}", network(client.address)), SIGN_UPS)?;
        let link = self.sign_up_link(link).await?;
        let personal = vec![
            email.normal().to_owned(),
            email
                .normal()
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            "codeflow".to_owned(),
        ];
        let hash = inner.passwords.hash(password, personal).await?;
        let new = NewUser {
            email: email.normal().to_owned(),
            written_email: email.written().to_owned(),
            password_hash: Some(hash),
            role: match link {
                Some((_, Purpose::Administrator)) => AccountRole::Admin,
                _ => AccountRole::User,
            },
            plan: Plan::Free,
        };
        let account = match inner.store.create_user(new, link).await {
            Ok(account) => account,
            Err(StoreError::Conflict(_)) => return Err(AccountError::Unusable),
            Err(error) => return Err(error.into()),
        };
        tracing::info!(user.id = %account.id, role = account.role.as_str(), "account made");
        self.begin_session(account.id, client, before).await
    }

    /// Which link allows the sign-up; `None` where it takes none.
    async fn sign_up_link(
        &self,
        sent: Option<&str>,
    ) -> Result<Option<(String, Purpose)>, AccountError> {
        if let Some(sent) = sent {
            let hash = Token::sent(sent).ok_or(AccountError::Link)?.hash();
            for purpose in [Purpose::Administrator, Purpose::Invite] {
                if self.inner.store.is_link(&hash, purpose).await? {
                    return Ok(Some((hash, purpose)));
                }
            }
            return Err(AccountError::Link);
        }
        match self.inner.sign_up {
            SignUp::Open => Ok(None),
            SignUp::Invite => Err(AccountError::Refused(
                "An account is made by invitation here. Ask an administrator for a link.",
            )),
            SignUp::Closed => Err(AccountError::Refused(
                "No accounts can be made here. Ask an administrator for one.",
            )),
        }
    }

    /// Signs in, or asks for a code too. `before` is the session that the browser had, which ends.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignInStep, AccountError> {
        let step = self.check_password(email, password, client, before).await;
        if let Err(AccountError::Wrong | AccountError::TooMany(_)) = step {
            metrics::counter!("codeflow_refused_sign_ins_total").increment(1);
        }
        step
    }

    async fn check_password(
        &self,
        email: &str,
        password: &str,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignInStep, AccountError> {
        self.expect_on()?;
        let inner = &self.inner;
        let email = Email::new(email)?;
        let (account, address) = (email.normal(), network(client.address));
        let both = format!("sign-in {account} {address}");
        self.count(both.clone(), OF_BOTH)?;
        self.count(format!("sign-in {account}"), OF_ACCOUNT)?;
        self.count(format!("sign-in from {address}"), OF_ADDRESS)?;
        let found = inner.store.find_credentials(account).await?;
        let known = found.as_ref().filter(|found| !found.disabled);
        let hash = known.and_then(|found| found.password_hash.clone());
        let is_right = inner.passwords.verify(password, hash).await?;
        let Some(found) = found.filter(|found| is_right && !found.disabled) else {
            return Err(AccountError::Wrong);
        };
        inner.throttle.forget(&both);
        self.next_step(found.user, client, before).await
    }

    /// Begins a session, unless the account has a second step.
    pub(super) async fn next_step(
        &self,
        user: UserId,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignInStep, AccountError> {
        let second = self.inner.store.second_step(&user).await?;
        if second.is_some_and(|second| second.is_on) {
            let link = Link {
                user: Some(user),
                detail: None,
            };
            let step = self.save_link(Purpose::SecondStep, link, STEP_LIFETIME);
            return Ok(SignInStep::Code(step.await?));
        }
        let signed_in = self.begin_session(user, client, before).await?;
        Ok(SignInStep::Done(signed_in))
    }

    /// Ends the session, if there is one.
    pub async fn sign_out(&self, token: &Token) -> Result<(), AccountError> {
        let Some(identity) = self.identify(Some(token)).await? else {
            return Ok(());
        };
        match identity.session {
            Some(session) => self.end_session(&identity, session).await,
            None => Ok(()),
        }
    }

    /// Sets the password of the account that the link was made for, ends its sessions, and signs
    /// in, or asks for a code too.
    pub async fn reset_password(
        &self,
        link: &str,
        password: &str,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignInStep, AccountError> {
        self.expect_on()?;
        let inner = &self.inner;
        self.count(
            format!("reset from {}", network(client.address)),
            OF_ADDRESS,
        )?;
        let link = Token::sent(link).ok_or(AccountError::Link)?.hash();
        if !inner.store.is_link(&link, Purpose::Reset).await? {
            return Err(AccountError::Link);
        }
        let hash = inner.passwords.hash(password, Vec::new()).await?;
        let user = inner.store.reset_password(&link, hash).await?;
        self.announce_end();
        tracing::info!(user.id = %user, "password set by a link");
        self.next_step(user, client, before).await
    }

    pub(super) async fn begin_session(
        &self,
        user: UserId,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<SignedIn, AccountError> {
        let token = Token::new();
        let new = NewSession {
            user,
            token: token.hash(),
            agent: first_chars(&client.agent, AGENT).replace(char::is_control, " "),
            address: client.address.to_string(),
            expires_at: later(LIFETIME),
        };
        let ended = before.map(Token::hash);
        self.inner.store.add_session(new, ended).await?;
        if before.is_some() {
            self.announce_end();
        }
        Ok(SignedIn { token })
    }

    pub(super) fn expect_on(&self) -> Result<(), AccountError> {
        if self.inner.on {
            return Ok(());
        }
        Err(AccountError::Refused(
            "This CodeFlow has no accounts: everybody who reaches it is its one user.",
        ))
    }

    pub(super) fn count(&self, key: String, rate: Rate) -> Result<(), AccountError> {
        let counted = self.inner.throttle.attempt(key, rate);
        counted.map_err(AccountError::TooMany)
    }
}

/// What is counted as one address: one has a whole network of the sixth version.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}
