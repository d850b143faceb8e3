//! Signing in with another service. An identity there belongs to the account that its owner linked
//! it to, or that it created; an equal e-mail address alone links nothing.

use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{
    AccountError, Accounts, Client, Identity, STEP_LIFETIME, SignInStep, Token,
    email::Email,
    github, oidc,
    provider::{AuthorizationRequest, ExternalIdentity, ProviderError},
    sign_in::network,
    throttle::Rate,
};
use crate::{
    protocol::{
        AccountRole, IdentityProvider, LinkedIdentity, OutsideRefusal, Plan, SignUp, UserId,
        first_chars,
    },
    store::{Link, NewUser, Purpose, StoreError},
};

/// The limit on sign-ins with other services from one address.
const OF_ADDRESS: Rate = Rate {
    burst: 30,
    pause: std::time::Duration::from_secs(10),
};
/// The maximum length of an identity's label, in characters.
const LABEL: usize = 200;
/// The purpose that a pending sign-in is sealed for.
const SEALED: &str = "sign-in by another service";

/// The state that is kept until the service answers.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    provider: IdentityProvider,
    state: String,
    nonce: String,
    verifier: String,
    /// The page to open afterwards.
    to: String,
    /// The account to link the identity to.
    link_to: Option<UserId>,
}

/// The parameters with which a service redirects back.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct OutsideAnswer {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub state: String,
    /// RFC 9207.
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// The outcome of a sign-in with another service.
#[derive(Debug)]
pub enum OutsideOutcome {
    SignIn(SignInStep, String),
    /// The identity was linked to the signed-in account.
    Linked,
}

impl Accounts {
    /// The address of the service's sign-in page, and the token that must come with its answer.
    /// `identity`: the account to link the identity to, if this is not a sign-in.
    pub async fn begin_outside(
        &self,
        provider: IdentityProvider,
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
        let authorization = asked.authorization(&back);
        let page = match provider {
            IdentityProvider::Oidc => {
                let oidc = inner
                    .oidc
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                oidc::begin(&inner.http, oidc, authorization).await
            }
            IdentityProvider::Github => {
                let github = inner.github.as_ref();
                github::begin(
                    github.ok_or(AccountError::NotFound("service"))?,
                    authorization,
                )
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

    /// Handles the service's redirect back. `token`: what the browser got at the beginning; it is
    /// used up in any case.
    pub async fn finish_outside(
        &self,
        provider: IdentityProvider,
        answer: &OutsideAnswer,
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
        let external = self.external_identity(provider, answer, &asked).await?;
        if let Some(user) = asked.link_to {
            // Somebody else may have signed in in the meantime.
            if identity.is_none_or(|identity| identity.user != user) {
                return Err(OutsideRefusal::Expired.into());
            }
            self.link_external_identity(&user, &external).await?;
            return Ok(OutsideOutcome::Linked);
        }
        let user = match self
            .inner
            .store
            .user_linked_to(&external.issuer, &external.subject)
            .await?
        {
            Some(user) => user,
            None => self.sign_up_with(&external).await?,
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

    async fn external_identity(
        &self,
        provider: IdentityProvider,
        answer: &OutsideAnswer,
        asked: &Asked,
    ) -> Result<ExternalIdentity, AccountError> {
        let inner = &self.inner;
        let back = self.back(provider);
        let authorization = asked.authorization(&back);
        let found = match provider {
            IdentityProvider::Oidc => {
                let oidc = inner
                    .oidc
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                // Another issuer's answer must not be accepted for this one.
                if answer.iss.as_ref().is_some_and(|iss| *iss != oidc.issuer) {
                    return Err(OutsideRefusal::Refused.into());
                }
                oidc::finish(&inner.http, oidc, &answer.code, authorization).await
            }
            IdentityProvider::Github => {
                let github = inner
                    .github
                    .as_ref()
                    .ok_or(AccountError::NotFound("service"))?;
                github::finish(&inner.http, github, &answer.code, authorization).await
            }
        };
        found.map_err(|error| refusal(provider, &error))
    }

    async fn link_external_identity(
        &self,
        user: &UserId,
        external: &ExternalIdentity,
    ) -> Result<(), AccountError> {
        let store = &self.inner.store;
        let (issuer, subject) = (&external.issuer, &external.subject);
        let label = label(external);
        match store.link_identity(user, issuer, subject, &label).await {
            Err(StoreError::Conflict(_)) => Err(OutsideRefusal::Linked.into()),
            linked => Ok(linked?),
        }
    }

    /// Creates an account for the identity, where sign-up is open.
    async fn sign_up_with(&self, external: &ExternalIdentity) -> Result<UserId, AccountError> {
        let address = external.email.as_ref().ok_or(OutsideRefusal::NoEmail)?;
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
        let (issuer, subject) = (&external.issuer, &external.subject);
        let label = label(external);
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

    /// Unlinks an identity from the account, unless it is the only way to sign in.
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

    fn back(&self, provider: IdentityProvider) -> String {
        let (site, name) = (&self.inner.public_url, provider.as_str());
        format!("{site}/sign-in/with/{name}/back")
    }

    /// The services that people can sign in with.
    pub(super) fn providers(&self) -> Vec<IdentityProvider> {
        let oidc = self.inner.oidc.as_ref().map(|_| IdentityProvider::Oidc);
        let github = self.inner.github.as_ref().map(|_| IdentityProvider::Github);
        oidc.into_iter().chain(github).collect()
    }
}

impl Asked {
    fn authorization<'a>(&'a self, back: &'a str) -> AuthorizationRequest<'a> {
        AuthorizationRequest {
            state: &self.state,
            nonce: &self.nonce,
            verifier: &self.verifier,
            back,
        }
    }
}

/// 256 random bits, in characters that are allowed in all parameters.
fn random() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

fn label(external: &ExternalIdentity) -> String {
    first_chars(&external.label, LABEL).replace(char::is_control, " ")
}

fn refusal(provider: IdentityProvider, error: &ProviderError) -> AccountError {
    tracing::warn!(provider = provider.as_str(), %error, "a sign-in by another service failed");
    match error {
        ProviderError::Unreachable(_) => OutsideRefusal::Unreachable.into(),
        ProviderError::Refused(_) => OutsideRefusal::Refused.into(),
    }
}
