//! The server's environment (`CODEFLOW_ENV`), and the settings that are not allowed in production.

use secrecy::ExposeSecret;

use super::{
    ConfigError, Database, Env, Llm, Provider, Server, accounts::Auth, server::is_loopback_url,
};

/// The server's environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Environment {
    #[default]
    Development,
    /// For trying things out: every page says so, and `codeflow reset --staging` empties it.
    Staging,
    /// For real users: unsafe settings stop the start.
    Production,
}

impl Environment {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.var("CODEFLOW_ENV").as_deref() {
            None | Some("development") => Ok(Self::Development),
            Some("staging") => Ok(Self::Staging),
            Some("production") => Ok(Self::Production),
            Some(other) => Err(ConfigError::new(
                "CODEFLOW_ENV",
                other,
                "development, staging or production",
            )),
        }
    }

    /// The mode of `AUTH`; in production it is always on.
    pub fn auth(self, auth: Auth) -> Result<Auth, ConfigError> {
        match (self, auth) {
            (Self::Production, Auth::Off) => Err(unsafe_value(
                "AUTH",
                "off",
                "everybody would be the same user; set AUTH=on",
            )),
            (Self::Production, Auth::Auto) => Ok(Auth::On),
            (_, auth) => Ok(auth),
        }
    }

    /// Rejects, in production, passwords in clear text on the network, a secret key that would be
    /// lost on another machine, and a model that isn't real.
    pub fn check(self, env: &Env, server: &Server, llm: &[Llm]) -> Result<(), ConfigError> {
        if self != Self::Production {
            return Ok(());
        }
        let url = &server.public_url;
        if url.starts_with("http://") && !is_loopback_url(url) {
            return Err(unsafe_value(
                "PUBLIC_URL",
                url,
                "passwords would cross the network in plain text; put a proxy with TLS in front and \
                 set an https address",
            ));
        }
        let shares_database = match &server.database {
            Database::File(_) => false,
            Database::Url(url) => !url.expose_secret().starts_with("sqlite:"),
        };
        if shares_database && env.var("CODEFLOW_SECRET_KEY").is_none() {
            return Err(unsafe_value(
                "CODEFLOW_SECRET_KEY",
                "",
                "a random key in the data folder would be lost with this machine, while the \
                 database stays; set it to what openssl rand -hex 32 prints, and keep a copy",
            ));
        }
        let is_demo = llm
            .first()
            .is_some_and(|llm| llm.provider == Provider::Demo);
        if is_demo && env.var("AI_PROVIDER").is_none() {
            return Err(unsafe_value(
                "AI_PROVIDER",
                "",
                "no model is configured, so the demo would answer; set OPENAI_API_KEY or another \
                 provider's key, or AI_PROVIDER=demo if the demo is wanted",
            ));
        }
        Ok(())
    }

    /// Rejects, in production, a sandbox host with a new random key after each start.
    pub fn check_host(self, env: &Env) -> Result<(), ConfigError> {
        if self == Self::Production && env.var("SANDBOX_HOST_KEY").is_none() {
            return Err(unsafe_value(
                "SANDBOX_HOST_KEY",
                "",
                "a random key would change with every start; set it to e2b_ and what openssl rand \
                 -hex 20 prints",
            ));
        }
        Ok(())
    }
}

fn unsafe_value(name: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::new(name, value, format!("with CODEFLOW_ENV=production {why}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::config::Settings;

    async fn start(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let safe = [
            ("CODEFLOW_ENV", "production"),
            ("PUBLIC_URL", "https://build.example.com"),
            ("OPENAI_API_KEY", "x"),
        ];
        let variables = safe.iter().chain(variables).copied();
        Settings::from_env(&Env::of(variables, "/usr/bin/codeflow")).await
    }

    #[tokio::test]
    async fn production_refuses_what_is_unsafe_in_one_line_each() {
        assert_eq!(start(&[]).await.unwrap().accounts.auth, Auth::On);
        let postgres = ("DATABASE_URL", "postgres://me:hidden@db/codeflow");
        let no_model: [(&str, &str); 2] = [("OPENAI_API_KEY", ""), ("OLLAMA_BASE_URL", "")];
        let refusals: [(&[(&str, &str)], &str); 4] = [
            (
                &[("PUBLIC_URL", "http://build.example.com")],
                "PUBLIC_URL=http://build.example.com",
            ),
            (
                &[("PUBLIC_URL", "http://192.0.2.1:80")],
                "PUBLIC_URL=http://192.0.2.1:80",
            ),
            (&[("AUTH", "off")], "AUTH=off"),
            (&[postgres], "CODEFLOW_SECRET_KEY is not set"),
        ];
        for (variables, subject) in refusals {
            let line = start(variables).await.unwrap_err().to_string();
            let expected = format!("{subject}: with CODEFLOW_ENV=production ");
            assert!(line.starts_with(&expected), "{line}");
            assert!(!line.contains('\n') && !line.contains("hidden"), "{line}");
            let development = [variables, &[("CODEFLOW_ENV", "development")]].concat();
            assert!(start(&development).await.is_ok(), "{subject}");
        }
        let demo = Llm {
            provider: Provider::Demo,
            ..start(&[]).await.unwrap().llm.remove(0)
        };
        let env = |variables: &[(&str, &str)]| Env::of(variables.to_vec(), "/usr/bin/codeflow");
        let server = Server::from_env(&env(&[])).unwrap();
        let check = |variables: &[(&str, &str)]| {
            Environment::Production.check(&env(variables), &server, std::slice::from_ref(&demo))
        };
        let line = check(&no_model).unwrap_err().to_string();
        assert!(
            line.starts_with("AI_PROVIDER is not set: with CODEFLOW_ENV"),
            "{line}"
        );
        check(&[("AI_PROVIDER", "demo")]).unwrap();
        // An address that only this machine can reach needs no TLS.
        start(&[("PUBLIC_URL", "http://localhost:3000")])
            .await
            .unwrap();
        let key = "c0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0de";
        start(&[postgres, ("CODEFLOW_SECRET_KEY", key)])
            .await
            .unwrap();
    }

    #[test]
    fn a_host_in_production_needs_a_key_of_its_own() {
        let without = Env::of(Vec::<(String, String)>::new(), "/usr/bin/codeflow");
        let line = Environment::Production
            .check_host(&without)
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with("SANDBOX_HOST_KEY is not set: with"),
            "{line}"
        );
        Environment::Staging.check_host(&without).unwrap();
        let with = Env::of([("SANDBOX_HOST_KEY", "e2b_0123")], "/usr/bin/codeflow");
        Environment::Production.check_host(&with).unwrap();
    }
}
