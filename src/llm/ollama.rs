//! Ollama's own API, for what chat completions don't tell: how much of a chat it really reads. What
//! is more it forgets without a word.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;

use super::ModelError;

/// With fewer tokens, the rules and the tools leave no room for an app.
const LEAST: usize = 16_000;
/// How long it may take to say what is loaded.
const LIST: Duration = Duration::from_secs(10);

/// How many tokens of a chat the model reads, once that is known to be enough.
#[derive(Debug, Default)]
pub struct Loaded(AtomicUsize);

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

impl Loaded {
    /// How many, when it was asked.
    pub fn tokens(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|tokens| *tokens > 0)
    }

    /// Loads the model, when that is not known yet, and asks (docs/api.md: `/api/generate` without
    /// a prompt, `/api/ps`). An error when they are too few; servers that don't tell are believed.
    pub async fn ask(
        &self,
        base_url: &str,
        model: &str,
        patience: Duration,
    ) -> Result<(), ModelError> {
        if self.tokens().is_some() {
            return Ok(());
        }
        let Ok(Some(tokens)) = asked(base_url.trim_end_matches("/v1"), model, patience).await
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

async fn asked(url: &str, model: &str, patience: Duration) -> reqwest::Result<Option<usize>> {
    let http = reqwest::Client::new();
    let load = http.post(format!("{url}/api/generate")).timeout(patience);
    load.json(&json!({ "model": model, "stream": false }))
        .send()
        .await?
        .error_for_status()?;
    let running = http
        .get(format!("{url}/api/ps"))
        .timeout(LIST)
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
