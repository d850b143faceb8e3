//! OpenID Connect with any issuer, configured by its discovery document (OpenID Connect Core 1.0
//! and Discovery 1.0).

use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{
    jwt,
    provider::{AuthorizationRequest, ExternalIdentity, Http, ProviderError, page},
};
use crate::{config::Oidc, protocol::Timestamp};

/// How far clocks may differ, in seconds.
const SKEW: i64 = 120;

#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: Verified,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Some issuers send it as a string.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Verified {
    #[default]
    Unsaid,
    Flag(bool),
    Text(String),
}

impl Verified {
    fn is_true(&self) -> bool {
        match self {
            Self::Unsaid => false,
            Self::Flag(flag) => *flag,
            Self::Text(text) => text == "true",
        }
    }
}

async fn discover(http: &Http, oidc: &Oidc) -> Result<Discovery, ProviderError> {
    let base = oidc.issuer.trim_end_matches('/');
    let url = format!("{base}/.well-known/openid-configuration");
    let found: Discovery = http.get(&url, None).await?;
    if found.issuer != oidc.issuer {
        let other = format!("OIDC_ISSUER calls itself {:?}", found.issuer);
        return Err(ProviderError::Refused(other));
    }
    Ok(found)
}

/// The address of the issuer's sign-in page.
pub async fn begin(
    http: &Http,
    oidc: &Oidc,
    authorization: AuthorizationRequest<'_>,
) -> Result<String, ProviderError> {
    let found = discover(http, oidc).await?;
    let nonce = [("nonce", authorization.nonce)];
    page(
        &found.authorization_endpoint,
        &oidc.client,
        "openid email profile",
        authorization,
        &nonce,
    )
}

/// The identity behind the code from the issuer.
pub async fn finish(
    http: &Http,
    oidc: &Oidc,
    code: &str,
    authorization: AuthorizationRequest<'_>,
) -> Result<ExternalIdentity, ProviderError> {
    let found = discover(http, oidc).await?;
    let methods = &found.token_endpoint_auth_methods_supported;
    let takes = |method: &str| methods.iter().any(|known| known == method);
    let in_form = takes("client_secret_post") && !takes("client_secret_basic");
    let url = &found.token_endpoint;
    let tokens = http.exchange(url, &oidc.client, in_form, code, authorization);
    let tokens = tokens.await?;
    let keys: jwt::JwkSet = http.get(&found.jwks_uri, None).await?;
    let claims = jwt::verified(&tokens.id_token, &keys)
        .ok_or_else(|| ProviderError::Refused("the token is not signed by its keys".to_owned()))?;
    let now = Timestamp::now().0 / 1000;
    check(&claims, oidc, authorization.nonce, now)
        .map_err(|wrong| ProviderError::Refused(format!("the token is for {wrong}")))?;
    let email = claims.email.filter(|_| claims.email_verified.is_true());
    Ok(ExternalIdentity {
        issuer: claims.iss,
        label: email
            .clone()
            .or(claims.name)
            .unwrap_or_else(|| claims.sub.clone()),
        subject: claims.sub,
        email,
    })
}

/// Checks the claims as Core 1.0, 3.1.3.7 demands. The error says what is wrong.
fn check(claims: &Claims, oidc: &Oidc, nonce: &str, now: i64) -> Result<(), &'static str> {
    let client = &oidc.client.id;
    let is_for_us = match &claims.aud {
        Audience::One(one) => one == client,
        Audience::Several(all) => {
            let is_ours = claims.azp.as_ref() == Some(client) || all.len() == 1;
            all.contains(client) && is_ours
        }
    };
    let sent = claims.nonce.as_deref().unwrap_or_default();
    if claims.iss != oidc.issuer {
        Err("another issuer")
    } else if !is_for_us || claims.azp.as_ref().is_some_and(|azp| azp != client) {
        Err("another client")
    } else if !bool::from(sent.as_bytes().ct_eq(nonce.as_bytes())) {
        Err("another sign-in")
    } else if claims.exp <= now - SKEW || claims.iat > now + SKEW {
        Err("another time")
    } else if claims.sub.is_empty() {
        Err("nobody")
    } else {
        Ok(())
    }
}
