//! GitHub over OAuth 2. It offers no OpenID Connect for people, so its API says who somebody is.

use serde::Deserialize;

use super::provider::{AuthorizationRequest, ExternalIdentity, Http, ProviderError, page};
use crate::config::Github;

#[derive(Debug, Deserialize)]
struct User {
    id: u64,
    login: String,
}

#[derive(Debug, Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// The address of GitHub's sign-in page.
pub fn begin(
    github: &Github,
    authorization: AuthorizationRequest<'_>,
) -> Result<String, ProviderError> {
    let url = format!("{}/login/oauth/authorize", github.url);
    page(
        &url,
        &github.client,
        "read:user user:email",
        authorization,
        &[],
    )
}

/// The identity behind the code from GitHub.
pub async fn finish(
    http: &Http,
    github: &Github,
    code: &str,
    authorization: AuthorizationRequest<'_>,
) -> Result<ExternalIdentity, ProviderError> {
    let url = format!("{}/login/oauth/access_token", github.url);
    let tokens = http.exchange(&url, &github.client, true, code, authorization);
    let token = tokens.await?.access_token;
    let api = &github.api_url;
    let user: User = http.get(&format!("{api}/user"), Some(&token)).await?;
    let url = format!("{api}/user/emails");
    let addresses: Vec<Address> = http.get(&url, Some(&token)).await?;
    let primary = addresses
        .into_iter()
        .find(|address| address.primary && address.verified);
    Ok(ExternalIdentity {
        issuer: github.url.clone(),
        subject: user.id.to_string(),
        email: primary.map(|address| address.email),
        label: user.login,
    })
}
