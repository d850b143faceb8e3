//! Signing in with an account of another service. An identity there belongs to the account that its
//! owner linked it to, or that it made; an equal e-mail address alone links nothing.

use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    AccountError, Accounts, Client, Identity, STEP_LIFETIME, SignInStep, Token,
    email::Email,
    github, oidc,
    provider::{Outsider, ProviderError, Question},
    sign_in::network,
    throttle::Rate,
};
use crate::{
    protocol::{
        AccountRole, LinkedIdentity, OutsideRefusal, Plan, Provider, SignUp, UserId, first_chars,
    },
    store::{Link, NewUser, Purpose, StoreError},
};

/// Sign-ins by other services from one address.
const OF_ADDRESS: Rate = Rate {
    burst: 30,
    pause: std::time::Duration::from_secs(10),
};
/// The longest name of an identity that is kept, in characters.
const LABEL: usize = 200;
/// What a question is sealed as.
const SEALED: &str = "sign-in by another service";

/// What is kept between the question to a service and its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    provider: Provider,
    state: String,
    nonce: String,
    verifier: String,
    /// Where to go then.
    to: String,
    /// Whose account the identity is to be linked to.
    link_to: Option<UserId>,
}

/// The parameters with which a service leads back.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub state: String,
    /// RFC 9207.
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// How a sign-in by another service ended.
#[derive(Debug)]
pub enum OutsideOutcome {
    SignIn(SignInStep, String),
    /// The identity belongs to the account that was signed in.
    Linked,
}

impl Accounts {
    /// Where somebody signs in at the service, and the token that its answer is to come with.
    /// `identity`: whose account the identity is to be linked to, if it is not for a sign-in.
    pub async fn begin_outside(
        &self,
        provider: Provider,
        to: &str,
        identity: Option<&Identity>,
        client: &Client,
    ) -> Result<(String, Token), AccountError> {
        self.expect_on()?;
        let inner = &self.inner;
        let from = format!("outside from {}", network(client.address));
        self.count(from, OF_ADDRESS)?;
        let asked = Asked {
            provider,
            state: random(),
            nonce: random(),
            verifier: random(),
            to: to.to_owned(),
            link_to: identity.map(|identity| identity.user.clone()),
        };
        let back = self.back(provider);
        let question = asked.question(&back);
        let page = match provider {
            Provider::Oidc => {
                let oidc = inner
                    .oidc
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                oidc::begin(&inner.http, oidc, question).await
            }
            Provider::Github => {
                let github = inner.github.as_ref();
                github::begin(github.ok_or(AccountError::NotFound("service"))?, question)
            }
        };
        let page = page.map_err(|error| refusal(provider, &error))?;
        let json = serde_json::to_vec(&asked).map_err(anyhow::Error::from)?;
        let link = Link {
            user: None,
            detail: Some(inner.vault.seal(SEALED, &json)?),
        };
        let token = self.save_link(Purpose::Outside, link, STEP_LIFETIME);
        Ok((page, token.await?))
    }

    /// The service has led back. `token`: what the browser was given at the beginning, which is
    /// used up in any case.
    pub async fn finish_outside(
        &self,
        provider: Provider,
        answer: &Answer,
        token: Option<&Token>,
        identity: Option<&Identity>,
        client: &Client,
        before: Option<&Token>,
    ) -> Result<OutsideOutcome, AccountError> {
        self.expect_on()?;
        let asked = self.asked(token).await?;
        let is_ours = asked.provider == provider
            && bool::from(asked.state.as_bytes().ct_eq(answer.state.as_bytes()));
        if !is_ours {
            return Err(OutsideRefusal::Expired.into());
        }
        if answer.error.is_some() || answer.code.is_empty() {
            return Err(OutsideRefusal::Cancelled.into());
        }
        let outsider = self.outsider(provider, answer, &asked).await?;
        if let Some(user) = asked.link_to {
            // Somebody else may have signed in meanwhile.
            if identity.is_none_or(|identity| identity.user != user) {
                return Err(OutsideRefusal::Expired.into());
            }
            self.link_outsider(&user, &outsider).await?;
            return Ok(OutsideOutcome::Linked);
        }
        let user = match self
            .inner
            .store
            .user_linked_to(&outsider.issuer, &outsider.subject)
            .await?
        {
            Some(user) => user,
            None => self.sign_up_outsider(&outsider).await?,
        };
        let step = self.next_step(user, client, before).await?;
        Ok(OutsideOutcome::SignIn(step, asked.to))
    }

    async fn asked(&self, token: Option<&Token>) -> Result<Asked, AccountError> {
        let link = self.redeem(token, Purpose::Outside).await?;
        let link = link.ok_or(OutsideRefusal::Expired)?;
        let sealed = link.detail.ok_or(OutsideRefusal::Expired)?;
        let json = self.inner.vault.unseal(SEALED, &sealed)?;
        Ok(serde_json::from_slice(&json).map_err(anyhow::Error::from)?)
    }

    async fn outsider(
        &self,
        provider: Provider,
        answer: &Answer,
        asked: &Asked,
    ) -> Result<Outsider, AccountError> {
        let inner = &self.inner;
        let back = self.back(provider);
        let question = asked.question(&back);
        let found = match provider {
            Provider::Oidc => {
                let oidc = inner
                    .oidc
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                // An answer of another issuer must not be taken to this one.
                if answer.iss.as_ref().is_some_and(|iss| *iss != oidc.issuer) {
                    return Err(OutsideRefusal::Refused.into());
                }
                oidc::finish(&inner.http, oidc, &answer.code, question).await
            }
            Provider::Github => {
                let github = inner
                    .github
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                github::finish(&inner.http, github, &answer.code, question).await
            }
        };
        found.map_err(|error| refusal(provider, &error))
    }

    async fn link_outsider(&self, user: &UserId, outsider: &Outsider) -> Result<(), AccountError> {
        let store = &self.inner.store;
        let (issuer, subject) = (&outsider.issuer, &outsider.subject);
        let label = label(outsider);
        match store.link_identity(user, issuer, subject, &label).await {
            Err(StoreError::Conflict(_)) => Err(OutsideRefusal::Linked.into()),
            linked => Ok(linked?),
        }
    }

    /// Makes an account for the identity, where everybody may have one.
    async fn sign_up_outsider(&self, outsider: &Outsider) -> Result<UserId, AccountError> {
        let address = outsider.email.as_ref().ok_or(OutsideRefusal::NoEmail)?;
        let email = Email::new(address).map_err(|_| OutsideRefusal::NoEmail)?;
        let store = &self.inner.store;
        if self.inner.sign_up != SignUp::Open {
            let known = store.find_credentials(email.normal()).await?;
            return Err(match known {
                Some(_) => OutsideRefusal::Taken.into(),
                None => OutsideRefusal::Closed.into(),
            });
        }
        let new = NewUser {
            email: email.normal().to_owned(),
            written_email: email.written().to_owned(),
            password_hash: None,
            role: AccountRole::User,
            plan: Plan::Free,
        };
        let (issuer, subject) = (&outsider.issuer, &outsider.subject);
        let label = label(outsider);
        let made = store.create_linked_user(new, issuer, subject, &label);
        match made.await {
            Err(StoreError::Conflict(_)) => Err(OutsideRefusal::Taken.into()),
            Ok(account) => {
                tracing::info!(user.id = %account.id, "account made by another service");
                Ok(account.id)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The identities that sign in to the account.
    pub async fn identities(
        &self,
        identity: &Identity,
    ) -> Result<Vec<LinkedIdentity>, AccountError> {
        Ok(self.inner.store.list_identities(&identity.user).await?)
    }

    /// Takes an identity from the account, unless nothing else signs in to it.
    pub async fn unlink(
        &self,
        identity: &Identity,
        issuer: &str,
        subject: &str,
    ) -> Result<(), AccountError> {
        let store = &self.inner.store;
        match store.unlink_identity(&identity.user, issuer, subject).await {
            Err(StoreError::Conflict(why)) => Err(AccountError::Refused(why)),
            unlinked => Ok(unlinked?),
        }
    }

    fn back(&self, provider: Provider) -> String {
        let (site, name) = (&self.inner.public_url, provider.as_str());
        format!("{site}/sign-in/with/{name}/back")
    }

    /// The services with whose accounts one signs in.
    pub(super) fn providers(&self) -> Vec<Provider> {
        let oidc = self.inner.oidc.as_ref().map(|_| Provider::Oidc);
        let github = self.inner.github.as_ref().map(|_| Provider::Github);
        oidc.into_iter().chain(github).collect()
    }
}

impl Asked {
    fn question<'a>(&'a self, back: &'a str) -> Question<'a> {
        Question {
            state: &self.state,
            nonce: &self.nonce,
            verifier: &self.verifier,
            back,
        }
    }
}

/// 256 random bits, in the letters that all parameters may have.
fn random() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

fn label(outsider: &Outsider) -> String {
    first_chars(&outsider.label, LABEL).replace(char::is_control, " ")
}

fn refusal(provider: Provider, error: &ProviderError) -> AccountError {
    tracing::warn!(provider = provider.as_str(), %error, "a sign-in by another service failed");
    match error {
        ProviderError::Unreachable(_) => OutsideRefusal::Unreachable.into(),
        ProviderError::Refused(_) => OutsideRefusal::Refused.into(),
    }
}
