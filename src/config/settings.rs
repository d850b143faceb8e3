//! All settings of `codeflow serve`, read at once: a wrong one stops the start before anything is
//! opened.

use super::{
    Accounts, Agent, Alerts, ConfigError, Connections, Credits, Env, Environment, Llm,
    ObjectStorage, RunEngine, Sandbox, SandboxHost, SandboxProvider, Server, Sweeps,
};
use crate::protocol::ProviderKey;

/// The settings of the server.
#[derive(Debug, Clone)]
pub struct Settings {
    pub environment: Environment,
    pub server: Server,
    /// The bucket for contents; `None` if they are in the database.
    pub object_storage: Option<ObjectStorage>,
    pub connections: Connections,
    pub accounts: Accounts,
    pub credits: Credits,
    /// The models: the first one answers, the others are fallbacks.
    pub llm: Vec<Llm>,
    /// The models available with users' own keys.
    pub own_llm: Vec<Llm>,
    /// The providers with keys, and whether each key is set.
    pub keys: Vec<ProviderKey>,
    pub agent: Agent,
    pub engine: RunEngine,
    pub sandbox: Sandbox,
    /// The sandbox host in this process; `None` if another machine hosts the sandboxes.
    pub sandbox_host: Option<SandboxHost>,
    pub sweeps: Sweeps,
    pub alerts: Alerts,
}

impl Settings {
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let environment = Environment::from_env(env)?;
        let server = Server::from_env(env)?;
        let connections = Connections::from_env(env)?;
        let sandbox = Sandbox::from_env(env)?;
        let llm = Llm::from_env(env).await?;
        environment.check(env, &server, &llm)?;
        let agent = Agent::from_env(env)?;
        let accounts = Accounts::from_env(env)?;
        let is_local = sandbox.provider == SandboxProvider::Local && sandbox.hosts.is_empty();
        Ok(Self {
            environment,
            alerts: Alerts::from_env(env, accounts.mail.as_ref())?,
            sweeps: Sweeps::from_env(env, is_local.then(|| server.data_dir.clone()))?,
            sandbox_host: is_local.then(|| SandboxHost::from_env(env)).transpose()?,
            accounts: Accounts {
                auth: environment.auth(accounts.auth)?,
                ..accounts
            },
            credits: Credits::from_env(env)?,
            server,
            object_storage: ObjectStorage::from_env(env)?,
            connections,
            own_llm: Llm::for_own_keys(env, &llm).await?,
            keys: Llm::keys(env),
            llm,
            agent,
            engine: RunEngine::from_env(env)?,
            sandbox,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn debug_prints_no_key_and_no_password() {
        let variables = [
            ("AI_PROVIDER", "openai"),
            ("OPENAI_API_KEY", "hidden-openai"),
            ("SANDBOX_HOST_KEY", "hidden-host"),
            ("E2B_API_KEY", "hidden-e2b"),
            ("SANDBOX_HOSTS", "http://10.0.0.5:3002=hidden-remote"),
            ("UNSPLASH_ACCESS_KEY", "hidden-unsplash"),
            ("OIDC_ISSUER", "https://accounts.example.com"),
            ("OIDC_CLIENT_ID", "codeflow"),
            ("OIDC_CLIENT_SECRET", "hidden-oidc"),
            ("GITHUB_CLIENT_ID", "codeflow"),
            ("GITHUB_CLIENT_SECRET", "hidden-github"),
            ("SMTP_URL", "smtps://me:hidden-mail@mail.example.com"),
            (
                "CODEFLOW_SECRET_KEY",
                "c0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0de",
            ),
            (
                "MCP_SERVERS",
                r#"{"mcpServers": {"docs": {"url": "https://a.example/?key=hidden-query",
                    "headers": {"Authorization": "hidden-header"}}}}"#,
            ),
            ("DATABASE_URL", "postgres://me:hidden-database@db/codeflow"),
            ("S3_ENDPOINT", "http://127.0.0.1:9000"),
            ("S3_BUCKET", "codeflow"),
            ("S3_ACCESS_KEY", "hidden-access"),
            ("S3_SECRET_KEY", "hidden-secret"),
            ("S3_REGION", "us-east-1"),
        ];
        let env = Env::of(variables, "/usr/bin/codeflow");
        let settings = Settings::from_env(&env).await.unwrap();
        let printed = format!("{settings:?}");
        assert!(!printed.contains("hidden"), "{printed}");
        assert!(!printed.contains("c0dec0de"), "{printed}");
        assert!(!format!("{env:?}").contains("hidden"));
    }
}
