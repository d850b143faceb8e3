//! Settings of the agent's resources: the browser that loads pages, and a source of photos.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{ConfigError, Env};

/// The program names of Chromium and its relatives.
const BROWSERS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
];

/// The browser that loads an app's pages before the app is called done.
#[derive(Debug, Clone)]
pub struct Browser {
    /// `CHROMIUM_PATH`, else the first one in `PATH`; `None` without one, or for `off`.
    pub program: Option<PathBuf>,
    /// Memory that the browser may use for one app, in MiB (`CHROMIUM_MEMORY_MB`).
    pub memory_mb: u64,
}

impl Browser {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let program = match env.var("CHROMIUM_PATH") {
            None => BROWSERS.iter().find_map(|name| which::which(name).ok()),
            Some(word) if word == "off" => None,
            Some(path) => Some(which::which(&path).map_err(|_| {
                ConfigError::new(
                    "CHROMIUM_PATH",
                    path,
                    "the path of Chromium or Chrome, or off; unset, the first one in PATH is used",
                )
            })?),
        };
        let memory_mb = env.parsed(
            "CHROMIUM_MEMORY_MB",
            1536,
            "MiB of memory that the browser may use for one app, at least 256",
            |mb| *mb >= 256,
        )?;
        Ok(Self { program, memory_mb })
    }
}

/// The source of photos.
#[derive(Debug, Clone)]
pub struct Unsplash {
    /// `UNSPLASH_ACCESS_KEY`; without it, no photos.
    pub access_key: Option<SecretString>,
    /// `UNSPLASH_API_URL`, without a trailing slash.
    pub url: String,
}

impl Unsplash {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let url = env
            .var("UNSPLASH_API_URL")
            .unwrap_or_else(|| "https://api.unsplash.com".to_owned());
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(ConfigError::new(
                "UNSPLASH_API_URL",
                url,
                "an http or https address",
            ));
        }
        Ok(Self {
            access_key: env.secret("UNSPLASH_ACCESS_KEY"),
            url: url.trim_end_matches('/').to_owned(),
        })
    }
}
