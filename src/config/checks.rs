//! Settings of what stands beside the agent: the browser that loads its pages, and the photos it
//! may use.

use std::path::{Path, PathBuf};

use super::{ConfigError, Env};

/// Names under which Chromium and its kin are installed.
const BROWSERS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
];

/// The browser in which an app's pages are loaded before the app is called done.
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
            None => std::env::var_os("PATH").and_then(|path| {
                let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
                let places = BROWSERS
                    .iter()
                    .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
                places.into_iter().find(|place| is_program(place))
            }),
            Some(word) if word == "off" => None,
            Some(path) if is_program(Path::new(&path)) => Some(path.into()),
            Some(path) => {
                return Err(ConfigError::new(
                    "CHROMIUM_PATH",
                    path,
                    "the path of Chromium or Chrome, or off; without it the first one in PATH is used",
                ));
            }
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

/// Whether the file can be run.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Unsplash's photos.
#[derive(Clone)]
pub struct Unsplash {
    /// `UNSPLASH_ACCESS_KEY`; without it there are no photos. Never logged.
    pub access_key: Option<String>,
    /// `UNSPLASH_API_URL`, without a slash at its end.
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
            access_key: env.var("UNSPLASH_ACCESS_KEY"),
            url: url.trim_end_matches('/').to_owned(),
        })
    }
}

impl std::fmt::Debug for Unsplash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsplash")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
