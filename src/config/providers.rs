//! Settings of the services that people can sign in with: any issuer of OpenID Connect
//! (`OIDC_ISSUER`, `OIDC_CLIENT_ID`, `OIDC_CLIENT_SECRET`), and GitHub (`GITHUB_CLIENT_ID`,
//! `GITHUB_CLIENT_SECRET`).

use secrecy::SecretString;
use url::Url;

use super::{ConfigError, Env, is_loopback_url, is_service_address};

/// This server's registration at such a service.
#[derive(Debug, Clone)]
pub struct ProviderClient {
    pub id: String,
    pub secret: SecretString,
}

#[derive(Debug, Clone)]
pub struct Oidc {
    /// Exactly as the issuer names itself, character by character.
    pub issuer: String,
    pub client: ProviderClient,
}

#[derive(Debug, Clone)]
pub struct Github {
    /// The addresses of the sign-in page and of the API (`GITHUB_URL`, `GITHUB_API_URL`, for GitHub
    /// Enterprise).
    pub url: String,
    pub api_url: String,
    pub client: ProviderClient,
}

impl Oidc {
    /// `None` where there is no issuer.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some(issuer) = env.var("OIDC_ISSUER") else {
            return Ok(None);
        };
        let issuer = address("OIDC_ISSUER", issuer)?;
        let client = client(env, "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")?;
        let missing = || ConfigError::new("OIDC_CLIENT_ID", "", "the client's id at OIDC_ISSUER");
        Ok(Some(Self {
            issuer,
            client: client.ok_or_else(missing)?,
        }))
    }
}

impl Github {
    /// `None` where there is no client.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some(client) = client(env, "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")? else {
            return Ok(None);
        };
        let at = |name, default: &str| {
            let url = address(name, env.var(name).unwrap_or_else(|| default.to_owned()))?;
            Ok(url.trim_end_matches('/').to_owned())
        };
        Ok(Some(Self {
            url: at("GITHUB_URL", "https://github.com")?,
            api_url: at("GITHUB_API_URL", "https://api.github.com")?,
            client,
        }))
    }
}

fn client(
    env: &Env,
    id: &'static str,
    secret: &'static str,
) -> Result<Option<ProviderClient>, ConfigError> {
    match (env.var(id), env.secret(secret)) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(ProviderClient { id, secret })),
        (Some(_), None) => Err(ConfigError::new(secret, "", format!("the secret of {id}"))),
        (None, Some(_)) => Err(ConfigError::new(
            id,
            "",
            format!("the id that {secret} belongs to"),
        )),
    }
}

/// An address that secrets are sent to: it needs TLS unless it is on this machine.
fn address(name: &'static str, value: String) -> Result<String, ConfigError> {
    let is_service = Url::parse(&value).is_ok_and(|url| is_service_address(&url));
    if is_service && (value.starts_with("https://") || is_loopback_url(&value)) {
        return Ok(value);
    }
    let expected = "an https address, such as https://accounts.example.com";
    Err(ConfigError::new(name, value, expected))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_whole_or_not_there() {
        let env =
            |variables: &[(&str, &str)]| Env::of(variables.iter().copied(), "/usr/bin/codeflow");
        assert!(Oidc::from_env(&env(&[])).unwrap().is_none());
        assert!(Github::from_env(&env(&[])).unwrap().is_none());
        let (id, secret) = (("OIDC_CLIENT_ID", "me"), ("OIDC_CLIENT_SECRET", "hidden"));
        let issuer = ("OIDC_ISSUER", "https://accounts.example.com/realm");
        let oidc = Oidc::from_env(&env(&[issuer, id, secret]))
            .unwrap()
            .unwrap();
        assert_eq!(oidc.issuer, "https://accounts.example.com/realm");
        assert!(!format!("{oidc:?}").contains("hidden"));
        for (variables, named) in [
            (&[issuer][..], "OIDC_CLIENT_ID"),
            (&[issuer, id], "OIDC_CLIENT_SECRET"),
            (
                &[("OIDC_ISSUER", "http://accounts.example.com"), id, secret],
                "OIDC_ISSUER",
            ),
            (&[("OIDC_ISSUER", "accounts"), id, secret], "OIDC_ISSUER"),
        ] {
            let error = Oidc::from_env(&env(variables)).unwrap_err();
            assert_eq!(error.name, named);
        }
        let github = [
            ("GITHUB_CLIENT_ID", "me"),
            ("GITHUB_CLIENT_SECRET", "hidden"),
        ];
        let github = Github::from_env(&env(&github)).unwrap().unwrap();
        assert_eq!(github.api_url, "https://api.github.com");
        assert!(Github::from_env(&env(&[("GITHUB_CLIENT_ID", "me")])).is_err());
    }
}
