//! Signing up, in and out, and resetting a password. Every failure takes the time of a password's
//! hash, and never reveals whether an account exists.

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

/// Limits sign-ins to one account from one address, to one account from everywhere, and from one
/// address. The first stops guessing by a single client, the others stop distributed attacks.
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
/// The limit on accounts created from one address.
const SIGN_UPS: Rate = Rate {
    burst: 60,
    pause: Duration::from_secs(60),
};
/// How much of a user agent is kept, in characters.
pub(super) const AGENT: usize = 300;

/// A link that allows a sign-up.
struct SignUpLink {
    hash: String,
    purpose: Purpose,
    /// The address that it confirms; only this address may sign up with it.
    email: Option<String>,
}

impl From<NoEmail> for AccountError {
    fn from(error: NoEmail) -> Self {
        Self::Invalid {
            field: "email",
            why: error.to_string(),
        }
    }
}

impl Accounts {
    /// Creates an account and signs it in. Where the server sends e-mail, `None`: a link to
    /// continue is on its way to the address, and no answer reveals whether it has an account.
    /// `link` is the token from that letter, from an invitation, or from the first administrator's
    /// link; `to` is the page that the letter's link opens; `before` is the browser's previous
    /// session.
    pub async fn sign_up(
        &self,
        email: &str,
        password: &str,
        link: Option<&str>,
        to: Option<&str>,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<Option<SignInStep>, AccountError> {
        self.expect_on()?;
        let inner = &self.inner;
        self.count(format!("sign-up {}", network(client.address)), SIGN_UPS)?;
        let link = self.sign_up_link(link).await?;
        let confirmed = link.as_ref().and_then(|link| link.email.as_deref());
        let email = Email::new(confirmed.unwrap_or(email))?;
        if let (None, Some(mailer)) = (&link, &inner.mailer) {
            self.write_to_newcomer(mailer, email, to, client)?;
            return Ok(None);
        }
        // As for a sign-in, so that sign-ups can't be used to guess passwords.
        self.count_sign_in(&email, client)?;
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
        let link = link.map(|link| (link.hash, link.purpose));
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
            Err(StoreError::Conflict(_)) => {
                // Somebody who forgot about their account, or sent the form twice.
                let user = self.owner(&email, password).await?;
                let user = user.ok_or(AccountError::Unusable)?;
                return self.next_step(user, client, before).await.map(Some);
            }
            Err(error) => return Err(error.into()),
        };
        tracing::info!(user.id = %account.id, role = account.role.as_str(), "account made");
        let signed_in = self.begin_session(account.id, client, before).await?;
        Ok(Some(SignInStep::Done(signed_in)))
    }

    /// The link that allows the sign-up; `None` where none is needed.
    async fn sign_up_link(&self, sent: Option<&str>) -> Result<Option<SignUpLink>, AccountError> {
        if let Some(sent) = sent {
            let hash = Token::sent(sent).ok_or(AccountError::Link)?.hash();
            for purpose in [Purpose::Administrator, Purpose::Invite, Purpose::SignUp] {
                match self.inner.store.find_link(&hash, purpose).await {
                    Ok(Link { detail, .. }) => {
                        let email = detail.filter(|_| purpose == Purpose::SignUp);
                        return Ok(Some(SignUpLink {
                            hash,
                            purpose,
                            email,
                        }));
                    }
                    Err(StoreError::NotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            return Err(AccountError::Link);
        }
        match self.inner.sign_up {
            SignUp::Open => Ok(None),
            SignUp::Invite => Err(AccountError::Refused(
                "Sign-up is by invitation here. Ask an administrator for a link.",
            )),
            SignUp::Closed => Err(AccountError::Refused(
                "Sign-up is closed here. Ask an administrator for an account.",
            )),
        }
    }

    /// Signs in, or asks for a code as well. `before` is the browser's previous session, which
    /// ends.
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
        let email = Email::new(email)?;
        let both = self.count_sign_in(&email, client)?;
        let user = self.owner(&email, password).await?;
        let user = user.ok_or(AccountError::Wrong)?;
        self.inner.throttle.forget(&both);
        self.next_step(user, client, before).await
    }

    /// Counts an attempt at the address's password. Returns the key to forget if the password was
    /// right.
    fn count_sign_in(&self, email: &Email, client: &Client) -> Result<String, AccountError> {
        let (account, address) = (email.normal(), network(client.address));
        let both = format!("sign-in {account} {address}");
        self.count(both.clone(), OF_BOTH)?;
        self.count(format!("sign-in {account}"), OF_ACCOUNT)?;
        self.count(format!("sign-in from {address}"), OF_ADDRESS)?;
        Ok(both)
    }

    /// The owner of this address and password; `None` too if the account may not sign in.
    async fn owner(&self, email: &Email, password: &str) -> Result<Option<UserId>, AccountError> {
        let found = self.inner.store.find_credentials(email.normal()).await?;
        let found = found.filter(|found| !found.disabled);
        let hash = found.as_ref().and_then(|found| found.password_hash.clone());
        let is_right = self.inner.passwords.verify(password, hash).await?;
        Ok(found.filter(|_| is_right).map(|found| found.user))
    }

    /// Begins a session, or the second step if the account has one.
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

    /// Sets the password of the link's account, ends its sessions, and signs in or asks for a code
    /// as well.
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

/// The key under which an address is counted: for IPv6, its whole network.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}
