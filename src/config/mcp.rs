//! The MCP servers whose tools the agent may use, in the shape in which editors and other agents
//! keep them: `{"mcpServers": {name: {"url", "headers"} | {"command", "args", "env"}}}`.

use std::{collections::BTreeMap, fmt, fs, sync::Arc};

use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, Env};

const VARIABLE: &str = "MCP_SERVERS";
/// The longest name of a server: providers limit the names of tools, which begin with it.
const MAX_NAME: usize = 24;
/// How many servers there may be.
const MAX_SERVERS: usize = 20;
/// The headers that the protocol sets itself.
const RESERVED: [&str; 4] = [
    "accept",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
];
/// What models put before the names of the builder's own tools, so that no server may be called so.
const OWN: [&str; 9] = [
    "api",
    "app",
    "codeflow",
    "default",
    "function",
    "functions",
    "mcp",
    "tool",
    "tools",
];

/// A server, by the name that its tools begin with.
#[derive(Debug, Clone)]
pub struct McpServer {
    pub name: String,
    pub transport: McpTransport,
}

/// How the server is reached.
#[derive(Debug, Clone)]
pub enum McpTransport {
    /// Streamable HTTP, from this process.
    Http { url: McpUrl, headers: Secrets },
    /// A program in the project's sandbox, over its standard input and output.
    Stdio {
        command: String,
        args: Vec<String>,
        env: Secrets,
    },
}

/// Names with values that `Debug` does not print.
pub type Secrets = Vec<(String, SecretString)>;

/// An address, which may contain a key: `Debug` prints only its host.
#[derive(Clone)]
pub struct McpUrl(pub Url);

impl fmt::Debug for McpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or_default())
    }
}

impl McpServer {
    /// Whether it is a program in the project's sandbox.
    pub fn is_program(&self) -> bool {
        matches!(self.transport, McpTransport::Stdio { .. })
    }

    /// The values that nobody may read: those of headers and variables, and the address's query.
    pub fn secrets(&self) -> Vec<&str> {
        let (values, query) = match &self.transport {
            McpTransport::Http { url, headers } => (headers, url.0.query()),
            McpTransport::Stdio { env, .. } => (env, None),
        };
        let values = values.iter().map(|(_, value)| value.expose_secret());
        values.chain(query).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    mcp_servers: BTreeMap<String, Entry>,
}

/// As others write it; what they know besides is ignored.
#[derive(Deserialize)]
struct Entry {
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// Reads `MCP_SERVERS`: JSON, or the path of a file with it. No error shows a value.
pub(super) fn servers(env: &Env) -> Result<Arc<[McpServer]>, ConfigError> {
    let Some(value) = env.var(VARIABLE) else {
        return Ok(Arc::new([]));
    };
    let (subject, json) = if value.starts_with('{') {
        ("(not shown)".to_owned(), value)
    } else {
        let json = fs::read_to_string(&value).map_err(|error| {
            let why = format!("JSON, or the path of a file with it; it can't be read ({error})");
            ConfigError::new(VARIABLE, &*value, why)
        })?;
        (value, json)
    };
    read(&json).map_err(|why| ConfigError::new(VARIABLE, subject, why))
}

fn read(json: &str) -> Result<Arc<[McpServer]>, String> {
    let file: File = serde_json::from_str(json).map_err(|error| {
        // Its text may quote a value.
        format!(
            "JSON such as {{\"mcpServers\": {{\"docs\": {{\"url\": \"https://…\"}}}}}}; it differs \
             at line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    if file.mcp_servers.len() > MAX_SERVERS {
        return Err(format!("at most {MAX_SERVERS} servers"));
    }
    let servers = file.mcp_servers.into_iter();
    servers.map(|(name, entry)| server(name, entry)).collect()
}

fn server(name: String, entry: Entry) -> Result<McpServer, String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let is_named = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(is_part);
    let is_apart = !name.contains("__") && !name.starts_with('_') && !name.ends_with('_');
    if !is_named || !is_apart || OWN.contains(&&*name.to_ascii_lowercase()) {
        return Err(format!(
            "the name of a server is up to {MAX_NAME} letters, digits, - and single _, and not one \
             of {}, unlike {name:?}",
            OWN.join(", ")
        ));
    }
    let transport = match (entry.url, entry.command) {
        (Some(url), None) => McpTransport::Http {
            url: address(&name, &url)?,
            headers: headers(&name, entry.headers)?,
        },
        (None, Some(command)) if !command.trim().is_empty() => McpTransport::Stdio {
            command,
            args: entry.args,
            env: secrets(entry.env),
        },
        _ => return Err(format!("server {name:?} has either a url or a command")),
    };
    Ok(McpServer { name, transport })
}

fn address(name: &str, url: &str) -> Result<McpUrl, String> {
    let is_http = |url: &Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
    let url = Url::parse(url).ok().filter(is_http);
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.map(McpUrl).ok_or_else(|| {
        format!(
            "the url of server {name:?} begins with http:// or https://, and has no password in \
             it (that goes into headers)"
        )
    })
}

fn headers(name: &str, headers: BTreeMap<String, String>) -> Result<Secrets, String> {
    for (header, value) in &headers {
        let is_free = header
            .parse::<HeaderName>()
            .is_ok_and(|header| !RESERVED.contains(&header.as_str()));
        if !is_free || HeaderValue::from_str(value).is_err() {
            return Err(format!(
                "the headers of server {name:?} are valid HTTP, and none of {}, unlike {header:?}",
                RESERVED.join(", ")
            ));
        }
    }
    Ok(secrets(headers))
}

fn secrets(values: BTreeMap<String, String>) -> Secrets {
    let values = values.into_iter();
    values
        .map(|(name, value)| (name, SecretString::from(value)))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Arc<[McpServer]>, String> {
        let env = Env::of([(VARIABLE, value)], "/usr/bin/codeflow");
        servers(&env).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_read_from_the_variable_or_a_file_as_others_write_them() {
        let json = r#"{"mcpServers": {
            "docs": {"type": "http", "url": "https://docs.example.com/mcp?key=hidden-query",
                     "headers": {"Authorization": "Bearer hidden-header"}},
            "files": {"command": "npx", "args": ["-y", "server"], "env": {"KEY": "hidden-env"}}
        }}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        fs::write(&path, json).unwrap();
        for value in [json, path.to_str().unwrap()] {
            let servers = of(value).unwrap();
            let [docs, files] = &*servers else {
                panic!("{servers:?}");
            };
            assert_eq!((&*docs.name, &*files.name), ("docs", "files"));
            assert_eq!(docs.secrets(), ["Bearer hidden-header", "key=hidden-query"]);
            assert_eq!(files.secrets(), ["hidden-env"]);
            let McpTransport::Stdio { command, args, .. } = &files.transport else {
                panic!("{files:?}");
            };
            assert_eq!((&**command, args.len()), ("npx", 2));
            assert!(!format!("{servers:?}").contains("hidden"), "{servers:?}");
        }
        let none = Env::of([("PATH", "")], "/usr/bin/codeflow");
        assert!(servers(&none).unwrap().is_empty());
    }

    #[test]
    fn a_mistake_is_named_without_any_value() {
        let server = |name: &str, rest: &str| format!(r#"{{"mcpServers":{{"{name}":{rest}}}}}"#);
        let url = r#"{"url": "https://a.example"}"#;
        for (wrong, why) in [
            ("/nowhere/hidden.json".to_owned(), "it can't be read"),
            (r#"{"mcpServers": "hidden"}"#.to_owned(), "line 1, column"),
            (server("a b", url), "the name of a server"),
            (server("a__b", url), "the name of a server"),
            (server("App", url), "not one of api, app"),
            (server(&"a".repeat(25), url), "the name of a server"),
            (server("a", "{}"), "either a url or a command"),
            (
                server("a", r#"{"url": "https://a", "command": "b"}"#),
                "either a url or a command",
            ),
            (server("a", r#"{"url": "ftp://hidden"}"#), "http://"),
            (
                server("a", r#"{"url": "https://me:hidden@a"}"#),
                "no password in it",
            ),
            (
                server(
                    "a",
                    r#"{"url": "https://a", "headers": {"Accept": "hidden"}}"#,
                ),
                "unlike \"Accept\"",
            ),
        ] {
            let error = of(&wrong).unwrap_err();
            assert!(error.starts_with("MCP_SERVERS="), "{error}");
            assert!(error.contains(why), "{error}");
            let shown = error.replace("/nowhere/hidden.json", "");
            assert!(!shown.contains("hidden"), "{error}");
        }
    }
}
