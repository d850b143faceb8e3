//! Settings of the agent's runs.

use std::time::Duration;

use super::{ConfigError, parsed};

/// How far a run may go.
#[derive(Debug, Clone)]
pub struct Agent {
    /// How often the model may answer in one run (`AGENT_MAX_TURNS`).
    pub max_turns: u32,
    /// The longest a run may take (`RUN_TIMEOUT_SECONDS`).
    pub run_timeout: Duration,
    /// Runs that are worked on at a time (`RUNS_MAX_CONCURRENT`); the others wait.
    pub max_runs: usize,
}

impl Agent {
    pub fn from_env() -> Result<Self, ConfigError> {
        let seconds = parsed("RUN_TIMEOUT_SECONDS", 900, "a number of seconds from 10 to 86400", |seconds| {
            (10..=86_400).contains(seconds)
        })?;
        Ok(Self {
            max_turns: parsed("AGENT_MAX_TURNS", 30, "a number from 1 to 200", |turns| (1..=200).contains(turns))?,
            run_timeout: Duration::from_secs(seconds),
            max_runs: parsed("RUNS_MAX_CONCURRENT", 16, "a number of runs from 1 to 10000", |runs| {
                (1..=10_000).contains(runs)
            })?,
        })
    }
}
