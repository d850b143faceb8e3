//! Accounts: who a user is. A request's cookie leads to an [`Identity`], for which the rest of the
//! server reads and writes. Without accounts (`AUTH=off`), everybody is the local user.

mod admin_request;
mod administration;
mod api_tokens;
mod billing;
mod cookie;
mod email;
mod error;
mod github;
mod invitations;
mod jwt;
mod letters;
mod limits;
mod mail;
mod model_keys;
mod oidc;
mod outside;
mod own;
mod pass;
mod passkeys;
mod password;
mod provider;
mod relying_party;
mod second_step;
mod sign_in;
mod stripe;
mod throttle;
mod token;
mod totp;
mod vault;

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use admin_request::AdminRequest;
pub use cookie::own_path;
pub use error::AccountError;
pub use invitations::Invitee;
pub use limits::Effort;
pub use outside::{OutsideAnswer, OutsideOutcome};
pub use pass::{Pass, PassKind};
pub use throttle::{Rate, Throttle};
pub use token::{SignInStep, SignedIn, Token};

use crate::{
    config,
    protocol::{
        Account, AccountRole, CreditEntry, Credits, Notice, SessionId, SignUp, Timestamp, UserId,
        Visitor,
    },
    store::{Link, Purpose, Store, StoreError},
};
use mail::Mailer;
use password::Passwords;
use provider::Http;
use relying_party::RelyingParty;
use stripe::Stripe;
use vault::Vault;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The maximum lifetime of a session, and how long it may go unused.
const LIFETIME: Duration = DAY.saturating_mul(30);
const IDLE: Duration = DAY.saturating_mul(7);
/// How accurately a session's last use is recorded: not every request is a write.
const SEEN_INTERVAL_MS: i64 = 5 * 60 * 1000;
/// The interval at which ended sessions and links are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// The number of ledger entries that are shown.
const ENTRIES: u64 = 20;
/// How long a link can be used.
const LINK_LIFETIME: Duration = DAY;
/// How long one step of a sign-in may take.
const STEP_LIFETIME: Duration = Duration::from_secs(600);

/// The user a request acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    pub role: AccountRole,
    /// `None` for the local user.
    pub account: Option<Account>,
    pub session: Option<SessionId>,
    /// Whether an administrator acts as the account's owner.
    pub acting: bool,
}

impl Identity {
    pub fn is_administrator(&self) -> bool {
        self.role == AccountRole::Admin
    }
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
}

/// Who sent a request, and from where.
#[derive(Debug, Clone)]
pub struct Requester {
    /// `None` where nobody is signed in.
    pub identity: Option<Identity>,
    pub client: Client,
    /// The token from its cookie, whether or not it belongs to a session.
    pub token: Option<Token>,
    /// The identity's balance, for a page to show; `None` where runs cost nothing.
    pub credits: Option<Credits>,
    /// The token from the cookie of an unfinished sign-in.
    pub step: Option<Token>,
    /// The token from the cookie of a passkey challenge.
    pub passkey: Option<Token>,
}

impl Requester {
    /// The identity that the request acts for, or `SignedOut`.
    pub fn identity(&self) -> Result<&Identity, AccountError> {
        self.identity.as_ref().ok_or(AccountError::SignedOut)
    }
}

/// The accounts of the server, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    passwords: Passwords,
    throttle: Throttle,
    vault: Vault,
    /// `None` where the server sends no e-mail.
    mailer: Option<Mailer>,
    keys: pass::Keys,
    /// `None` where no plan is sold.
    stripe: Option<Stripe>,
    /// `None` where browsers support no passkeys for the site's address.
    relying_party: Option<RelyingParty>,
    /// The client for the services that people can sign in with.
    http: Http,
    oidc: Option<config::Oidc>,
    github: Option<config::Github>,
    on: bool,
    sign_up: SignUp,
    trusted_proxies: Vec<config::Network>,
    public_url: String,
    /// The user that everybody is where there are no accounts.
    local: UserId,
    /// Counts ended sessions, so that open connections check theirs again.
    ended: watch::Sender<u64>,
    /// Notices for administrators' next pages, by session; each is shown once.
    notices: Mutex<HashMap<Option<SessionId>, Notice>>,
}

impl Accounts {
    /// `on`: whether users must sign in. If they needn't, everybody owns what belongs to the first
    /// administrator, if there is one.
    pub async fn new(
        store: Store,
        settings: &config::Accounts,
        on: bool,
        public_url: &str,
    ) -> anyhow::Result<Self> {
        let administrator = store.first_administrator().await?;
        Ok(Self {
            inner: Arc::new(Inner {
                passwords: Passwords::new()?,
                throttle: Throttle::default(),
                vault: Vault::open(&settings.secret_key)?,
                mailer: settings.mail.as_ref().map(Mailer::new).transpose()?,
                keys: pass::Keys::default(),
                stripe: settings.billing.clone().map(Stripe::new).transpose()?,
                relying_party: RelyingParty::of(public_url),
                http: Http::new()?,
                oidc: settings.oidc.clone(),
                github: settings.github.clone(),
                on,
                sign_up: settings.sign_up,
                trusted_proxies: settings.trusted_proxies.clone(),
                public_url: public_url.to_owned(),
                local: administrator.unwrap_or_else(UserId::local),
                ended: watch::Sender::new(0),
                notices: Mutex::default(),
                store,
            }),
        })
    }

    /// Whether users must sign in.
    pub fn are_on(&self) -> bool {
        self.inner.on
    }

    /// The identity of the session's token that came with a request; `None` if it is not valid (any
    /// more).
    pub async fn identify(&self, token: Option<&Token>) -> Result<Option<Identity>, AccountError> {
        if !self.inner.on {
            return Ok(Some(Identity {
                user: self.inner.local.clone(),
                role: AccountRole::Admin,
                account: None,
                session: None,
                acting: false,
            }));
        }
        let Some(token) = token else {
            return Ok(None);
        };
        let store = &self.inner.store;
        let Some(mut session) = store.find_session(&token.hash(), IDLE).await? else {
            return Ok(None);
        };
        // Also if the clock was set back.
        let age = Timestamp::now().0.saturating_sub(session.seen_at.0);
        if age.saturating_abs() > SEEN_INTERVAL_MS {
            store.touch_session(&session).await?;
        }
        let acting = session.acting.is_some();
        if acting {
            // Also if the account has become an administrator's in the meantime.
            session.account.role = AccountRole::User;
        }
        Ok(Some(Identity {
            user: session.account.id.clone(),
            role: session.account.role,
            session: Some(session.id),
            acting,
            account: Some(session.account),
        }))
    }

    /// The `Set-Cookie` value that gives a browser its session.
    pub fn session_cookie(&self, signed_in: &SignedIn) -> String {
        cookie::session(&self.inner.public_url, signed_in)
    }

    /// The `Set-Cookie` value that removes the session from a browser.
    pub fn expired_cookie(&self) -> String {
        cookie::expired(&self.inner.public_url, cookie::Kind::Session)
    }

    /// The `Set-Cookie` value for the next step of a sign-in.
    pub fn step_cookie(&self, token: &Token) -> String {
        cookie::step(&self.inner.public_url, cookie::Kind::Step, token)
    }

    /// The `Set-Cookie` value for a browser's return from another service.
    pub fn outside_cookie(&self, token: &Token) -> String {
        cookie::step(&self.inner.public_url, cookie::Kind::Outside, token)
    }

    /// The `Set-Cookie` value that removes it.
    pub fn expired_outside_cookie(&self) -> String {
        cookie::expired(&self.inner.public_url, cookie::Kind::Outside)
    }

    /// The `Set-Cookie` value for the answer to a passkey challenge.
    pub fn passkey_cookie(&self, token: &Token) -> String {
        cookie::step(&self.inner.public_url, cookie::Kind::Passkey, token)
    }

    /// The `Set-Cookie` value that removes it.
    pub fn expired_passkey_cookie(&self) -> String {
        cookie::expired(&self.inner.public_url, cookie::Kind::Passkey)
    }

    /// The token of a passkey challenge among a request's cookies.
    pub fn sent_passkey<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Option<Token> {
        cookie::token(&self.inner.public_url, cookie::Kind::Passkey, cookies)
    }

    /// The token of a sign-in with another service among a request's cookies.
    pub fn sent_outside<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Option<Token> {
        cookie::token(&self.inner.public_url, cookie::Kind::Outside, cookies)
    }

    /// The `Set-Cookie` value that removes an unfinished sign-in.
    pub fn expired_step_cookie(&self) -> String {
        cookie::expired(&self.inner.public_url, cookie::Kind::Step)
    }

    /// The session's token among a request's cookies (the values of its `Cookie` headers).
    pub fn sent_token<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Option<Token> {
        cookie::token(&self.inner.public_url, cookie::Kind::Session, cookies)
    }

    /// The token of an unfinished sign-in among a request's cookies.
    pub fn sent_step<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> Option<Token> {
        cookie::token(&self.inner.public_url, cookie::Kind::Step, cookies)
    }

    /// The identity's balance; `None` where runs cost nothing.
    pub async fn credits(&self, identity: &Identity) -> Result<Option<Credits>, AccountError> {
        Ok(self.inner.store.credits(&identity.user).await?)
    }

    /// The most recent entries of the identity's ledger, latest first.
    pub async fn credit_entries(
        &self,
        identity: &Identity,
    ) -> Result<Vec<CreditEntry>, AccountError> {
        let store = &self.inner.store;
        Ok(store.list_credit_entries(&identity.user, ENTRIES).await?)
    }

    /// What a page knows of its visitor, who has these credits.
    pub fn visitor(&self, identity: Option<&Identity>, credits: Option<Credits>) -> Visitor {
        Visitor {
            accounts: self.inner.on,
            sign_up: self.inner.sign_up,
            mail: self.inner.mailer.is_some(),
            providers: self.providers(),
            passkeys: self.inner.relying_party.is_some(),
            account: identity.and_then(|identity| identity.account.clone()),
            credits,
            acting: identity.is_some_and(|identity| identity.acting),
            staging: false,
        }
    }

    /// The client's address: a trusted proxy reports it in `forwarded`, the values of
    /// `X-Forwarded-For`.
    pub fn client_address(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let is_trusted = |address| {
            let mut proxies = self.inner.trusted_proxies.iter();
            proxies.any(|network| network.contains(address))
        };
        let mut client = peer.to_canonical();
        // Each proxy appends the address that asked it.
        for named in forwarded.rsplit(',') {
            if !is_trusted(client) {
                break;
            }
            match named.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        client
    }

    /// Changes whenever a session ends.
    pub fn ends(&self) -> watch::Receiver<u64> {
        self.inner.ended.subscribe()
    }

    /// Whether the identity's session has not ended.
    pub async fn is_open(&self, identity: &Identity) -> Result<bool, AccountError> {
        match identity.session {
            Some(session) => Ok(self.inner.store.is_session_open(session, IDLE).await?),
            None => Ok(true),
        }
    }

    /// The link that creates the first administrator's account; `None` if that account exists, or
    /// if nobody has to sign in.
    pub async fn administrator_link(&self) -> Result<Option<String>, AccountError> {
        if !self.inner.on || self.inner.store.first_administrator().await?.is_some() {
            return Ok(None);
        }
        let link = self.link("sign-up", Purpose::Administrator, None).await?;
        Ok(Some(link))
    }

    /// Removes ended sessions and expired links every hour, until the shutdown.
    pub fn keep_swept(&self, shutdown: CancellationToken) {
        let store = self.inner.store.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = shutdown.cancelled() => return,
                }
                if let Err(error) = store.remove_ended_sessions(IDLE).await {
                    tracing::warn!(%error, "ended sessions could not be removed");
                }
            }
        });
    }

    /// Saves a link for this purpose and returns it.
    async fn link(
        &self,
        page: &str,
        purpose: Purpose,
        user: Option<UserId>,
    ) -> Result<String, AccountError> {
        let link = Link { user, detail: None };
        let token = self.save_link(purpose, link, LINK_LIFETIME).await?;
        Ok(self.address(page, &token))
    }

    async fn save_link(
        &self,
        purpose: Purpose,
        link: Link,
        lifetime: Duration,
    ) -> Result<Token, AccountError> {
        let token = Token::new();
        let store = &self.inner.store;
        store
            .add_link(&token.hash(), purpose, link, later(lifetime))
            .await?;
        Ok(token)
    }

    /// Redeems the link of the token; `None` if it is unknown, used or expired.
    async fn redeem(
        &self,
        token: Option<&Token>,
        purpose: Purpose,
    ) -> Result<Option<Link>, AccountError> {
        let Some(hash) = token.map(Token::hash) else {
            return Ok(None);
        };
        let redeemed = async {
            let link = self.inner.store.find_link(&hash, purpose).await?;
            self.inner.store.use_link(&hash, purpose).await?;
            Ok(link)
        };
        match redeemed.await {
            Err(StoreError::NotFound(_)) => Ok(None),
            redeemed => Ok(Some(redeemed?)),
        }
    }

    fn address(&self, page: &str, token: &Token) -> String {
        let (site, token) = (&self.inner.public_url, token.expose());
        format!("{site}/{page}?link={token}")
    }

    fn announce_end(&self) {
        self.inner.ended.send_modify(|ends| *ends += 1);
    }
}

/// The moment this long from now.
pub fn later(time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp(Timestamp::now().0.saturating_add(millis))
}
