//! Ollama on this machine or another: whether it is running, and which of its installed models
//! suits which role.

use std::time::Duration;

use serde::Deserialize;

use crate::{config::Env, http_client};

/// How long it may take to accept a connection, and to list its models.
const DIAL: Duration = Duration::from_millis(300);
const LIST: Duration = Duration::from_secs(3);

/// The models that write apps well, best first (from Ollama's own list of models for coding tools,
/// November 2026).
const CODERS: [&str; 7] = [
    "qwen3.8",
    "qwen3-coder-next",
    "qwen3-coder",
    "qwen3.6",
    "qwen3.5",
    "gemma4",
    "gpt-oss",
];
/// The models that support vision.
const VISION: [&str; 6] = [
    "qwen3.8", "qwen3.6", "qwen3.5", "qwen3-vl", "gemma4", "gemma3",
];

#[derive(Deserialize)]
struct Tags {
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

/// Its address (`OLLAMA_BASE_URL`), without a trailing slash.
pub fn url(env: &Env) -> String {
    let url = env
        .var("OLLAMA_BASE_URL")
        .unwrap_or_else(|| "http://localhost:11434".to_owned());
    url.trim_end_matches('/').trim_end_matches("/v1").to_owned()
}

/// Whether its address is set, so that no other provider takes its place.
pub fn is_named(env: &Env) -> bool {
    env.var("OLLAMA_BASE_URL").is_some()
}

/// Whether something accepts connections at the address.
pub async fn answers(url: &str) -> bool {
    let Some((host, port)) = address(url) else {
        return false;
    };
    let dial = tokio::net::TcpStream::connect((host.as_str(), port));
    matches!(tokio::time::timeout(DIAL, dial).await, Ok(Ok(_)))
}

/// A URL's host and port, or its scheme's default port.
fn address(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    Some((host, url.port_or_known_default()?))
}

/// The names of its models; empty if it doesn't answer, which is logged.
pub async fn installed(url: &str) -> Vec<String> {
    let listed = async {
        let answer = http_client::builder()
            .build()?
            .get(format!("{url}/api/tags"))
            .timeout(LIST)
            .send()
            .await?;
        answer.error_for_status()?.json::<Tags>().await
    };
    let listed: reqwest::Result<Tags> = listed.await;
    if let Err(error) = listed.as_ref().map_err(|error| error.to_string()) {
        tracing::warn!(
            host = address(url).map(|(host, _)| host),
            error = error.split(" for url").next(),
            "Ollama can't be reached (OLLAMA_BASE_URL): runs will say so until it can"
        );
    }
    let models = listed.map(|tags| tags.models).unwrap_or_default();
    models.into_iter().map(|model| model.name).collect()
}

/// The best of these models for writing apps.
pub fn coder(installed: &[String]) -> Option<String> {
    first_of(&CODERS, installed)
}

/// The best of these models for images, if the coder does not support vision.
pub fn vision(installed: &[String], coder: Option<&str>) -> Option<String> {
    let coder_supports_it = coder.is_some_and(|coder| VISION.iter().any(|name| is_of(coder, name)));
    if coder_supports_it {
        None
    } else {
        first_of(&VISION, installed)
    }
}

fn first_of(names: &[&str], installed: &[String]) -> Option<String> {
    let found = names
        .iter()
        .find_map(|name| installed.iter().find(|model| is_of(model, name)));
    found.cloned()
}

/// Whether a model, whose name ends with its size, belongs to the family of this name.
fn is_of(model: &str, name: &str) -> bool {
    model.split(':').next() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_scheme_s_where_the_address_names_none() {
        for (url, host, port) in [
            ("http://localhost:11434", "localhost", 11434),
            ("http://ollama.example", "ollama.example", 80),
            ("https://ollama.example", "ollama.example", 443),
            ("https://ollama.example:8443/ollama", "ollama.example", 8443),
            (
                "https://name:word@ollama.example/ollama",
                "ollama.example",
                443,
            ),
            ("http://[::1]:11434", "::1", 11434),
        ] {
            assert_eq!(address(url), Some((host.to_owned(), port)), "{url}");
        }
        assert_eq!(address("ollama"), None);
    }

    #[test]
    fn the_best_installed_model_is_chosen_for_each_role() {
        let installed = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let both = installed(&["llama3:8b", "qwen3-coder:30b", "gemma3:4b"]);
        assert_eq!(coder(&both).as_deref(), Some("qwen3-coder:30b"));
        assert_eq!(
            vision(&both, Some("qwen3-coder:30b")).as_deref(),
            Some("gemma3:4b")
        );
        let newest = installed(&["qwen3-coder:30b", "qwen3.8:27b"]);
        assert_eq!(coder(&newest).as_deref(), Some("qwen3.8:27b"));
        assert_eq!(vision(&newest, Some("qwen3.8:27b")), None, "the coder does");
        assert_eq!(
            (coder(&installed(&["llama3:8b"])), vision(&[], None)),
            (None, None)
        );
    }
}
