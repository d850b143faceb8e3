//! Ollama's own API, used to find the context size of the loaded model: Ollama silently drops
//! whatever exceeds it, and chat completions don't report it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;

use super::ModelError;
use crate::http_client;

/// The minimum context for building, in tokens: below it, the rules and tools leave no room for an
/// app.
const LEAST: usize = 16_000;
/// The longest Ollama may take to list its loaded models.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// The context size of the loaded model, once it is known to be large enough.
#[derive(Debug, Default)]
pub struct LoadedContext(AtomicUsize);

#[derive(Deserialize)]
struct Running {
    models: Vec<RunningModel>,
}

#[derive(Deserialize)]
struct RunningModel {
    name: String,
    #[serde(default)]
    context_length: usize,
}

impl LoadedContext {
    /// In tokens; `None` before [`Self::ask`] found it.
    pub fn tokens(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|tokens| *tokens > 0)
    }

    /// Loads the model, unless it is loaded, and reads its context size (Ollama's docs/api.md:
    /// `/api/generate` without a prompt, `/api/ps`). Fails if it is too small; a server that
    /// doesn't report it is trusted.
    pub async fn ask(
        &self,
        base_url: &str,
        model: &str,
        patience: Duration,
    ) -> Result<(), ModelError> {
        if self.tokens().is_some() {
            return Ok(());
        }
        let Ok(Some(tokens)) = fetch(base_url.trim_end_matches("/v1"), model, patience).await
        else {
            return Ok(());
        };
        if tokens < LEAST {
            return Err(ModelError::SmallContext {
                model: model.to_owned(),
                tokens,
                least: LEAST,
            });
        }
        self.0.store(tokens, Ordering::Relaxed);
        Ok(())
    }
}

async fn fetch(url: &str, model: &str, patience: Duration) -> reqwest::Result<Option<usize>> {
    let http = http_client::builder().build()?;
    let load = http.post(format!("{url}/api/generate")).timeout(patience);
    load.json(&json!({ "model": model, "stream": false }))
        .send()
        .await?
        .error_for_status()?;
    let running = http
        .get(format!("{url}/api/ps"))
        .timeout(LIST_TIMEOUT)
        .send()
        .await?;
    let running: Running = running.error_for_status()?.json().await?;
    let is_named = |name: &str| name == model || name.strip_suffix(":latest") == Some(model);
    let loaded = running
        .models
        .into_iter()
        .find(|running| is_named(&running.name));
    Ok(loaded
        .map(|loaded| loaded.context_length)
        .filter(|tokens| *tokens > 0))
}
