//! Settings of the agent and its runs.

use std::{sync::Arc, time::Duration};

use super::{Browser, ConfigError, Env, McpServer, Unsplash, mcp};

/// The limits of runs and previews, and the agent's tools.
#[derive(Debug, Clone)]
pub struct Agent {
    pub limits: RunLimits,
    pub browser: Browser,
    pub unsplash: Unsplash,
    /// The MCP servers whose tools it may use (`MCP_SERVERS`).
    pub mcp: Arc<[McpServer]>,
    /// The maximum duration of a run (`RUN_TIMEOUT_SECONDS`).
    pub run_timeout: Duration,
    /// How long without a viewer until a preview's app may fall asleep (`SANDBOX_IDLE_SECONDS`).
    pub idle: Duration,
    /// How many runs work at a time (`RUNS_MAX_CONCURRENT`); the others wait.
    pub max_runs: usize,
    /// How many of these may belong to one user (`RUNS_MAX_PER_USER`); `None` if it is not set.
    pub max_runs_of_user: Option<usize>,
}

/// The limits of one run.
#[derive(Debug, Clone)]
pub struct RunLimits {
    /// How many times the model may answer (`AGENT_MAX_TURNS`).
    pub max_turns: u32,
    /// The maximum number of tokens of its answers, read and written (`RUN_MAX_TOKENS`).
    pub max_tokens: u64,
    /// The maximum cost of its answers, in millionths of a US dollar (`RUN_MAX_COST`, in dollars);
    /// models without a known price count as free.
    pub max_cost_micros: Option<u64>,
    /// How many times a model may look at pictures of the finished app (`AGENT_MAX_LOOKS`).
    pub max_looks: u32,
    /// How many times the naming model may review a run's change (`AGENT_MAX_REVIEWS`).
    pub max_reviews: u32,
}

impl Agent {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let seconds = env.parsed(
            "RUN_TIMEOUT_SECONDS",
            900,
            "a number of seconds from 10 to 86400",
            |seconds| (10..=86_400).contains(seconds),
        )?;
        let runs = |name, default| {
            env.parsed(name, default, "a number of runs from 1 to 10000", |runs| {
                (1..=10_000).contains(runs)
            })
        };
        Ok(Self {
            limits: RunLimits {
                max_turns: env.parsed(
                    "AGENT_MAX_TURNS",
                    30,
                    "a number from 1 to 200",
                    |turns| (1..=200).contains(turns),
                )?,
                max_tokens: env.parsed(
                    "RUN_MAX_TOKENS",
                    5_000_000,
                    "a number of tokens from 1000",
                    |tokens| *tokens >= 1000,
                )?,
                max_cost_micros: max_cost(env.var("RUN_MAX_COST"))?,
                max_looks: env.parsed("AGENT_MAX_LOOKS", 2, "a number from 0 to 5", |looks| {
                    (0..=5).contains(looks)
                })?,
                // A model that is meant for small tasks costs little.
                max_reviews: env.parsed(
                    "AGENT_MAX_REVIEWS",
                    u32::from(env.var("AI_MODEL_NAMING").is_some()),
                    "a number from 0 to 3",
                    |reviews| (0..=3).contains(reviews),
                )?,
            },
            browser: Browser::from_env(env)?,
            unsplash: Unsplash::from_env(env)?,
            mcp: mcp::servers(env)?,
            run_timeout: Duration::from_secs(seconds),
            idle: super::sandbox_host::idle(env)?,
            max_runs: runs("RUNS_MAX_CONCURRENT", 16)?,
            max_runs_of_user: env
                .var("RUNS_MAX_PER_USER")
                .map(|_| runs("RUNS_MAX_PER_USER", 1))
                .transpose()?,
        })
    }
}

/// The default maximum cost of a run, in dollars.
const MAX_COST: &str = "5";

fn max_cost(value: Option<String>) -> Result<Option<u64>, ConfigError> {
    let value = value.unwrap_or_else(|| MAX_COST.to_owned());
    if value == "unlimited" {
        return Ok(None);
    }
    match value.trim_start_matches('$').parse::<f64>() {
        Ok(dollars) if dollars > 0.0 && dollars <= 1e6 => Ok(Some((dollars * 1e6).round() as u64)),
        _ => Err(ConfigError::new(
            "RUN_MAX_COST",
            value,
            "US dollars for one run, such as 2.50, or unlimited",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_cost_is_limited_in_dollars_or_unlimited() {
        let read =
            |value: &str| max_cost(Some(value.to_owned())).map_err(|error| error.to_string());
        assert_eq!(read("2.5"), Ok(Some(2_500_000)));
        assert_eq!(read("$3"), Ok(Some(3_000_000)));
        assert_eq!(read("unlimited"), Ok(None));
        assert_eq!(max_cost(None).ok(), Some(Some(5_000_000)));
        for wrong in ["0", "-1", "much", "NaN"] {
            assert!(
                read(wrong).is_err_and(
                    |error| error.starts_with(&format!("RUN_MAX_COST={wrong}: US dollars"))
                ),
                "{wrong}"
            );
        }
    }
}
