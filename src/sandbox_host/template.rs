//! Templates: what sandboxes start from. Each build of one is a folder of its own
//! (`templates/<name>/<version>`), because paused sandboxes are layers over the one they were made
//! from.

mod build;
mod lock;

use std::{
    fmt::Write,
    fs::{self, File},
    path::Path,
};

use anyhow::bail;
pub use build::build;
pub(super) use build::first_page;
use lock::TemplatesLock;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::record::{self, Record};
use crate::config;

/// A template that sandboxes can start from.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub version: String,
    /// The lower layer of a sandbox's home.
    pub home: std::path::PathBuf,
    pub manifest: Manifest,
}

/// A template's `template.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Manifest {
    /// What serves the app; nothing in a template that has none.
    #[serde(flatten)]
    pub server: Option<Server>,
    /// What installs the packages; nothing where there are none.
    #[serde(default)]
    pub install: Option<String>,
}

/// A template's dev server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Server {
    /// The command, which is kept running.
    pub start: String,
    /// The port it serves on.
    pub port: u16,
}

impl Template {
    /// The template's newest build; `None` when there is none.
    pub(super) fn find(data_dir: &Path, name: &str) -> Option<Self> {
        if !is_name(name) {
            return None;
        }
        let version =
            fs::read_to_string(data_dir.join("templates").join(name).join("current")).ok()?;
        Self::find_version(data_dir, name, version.trim())
    }

    /// One of the template's builds.
    pub(super) fn find_version(data_dir: &Path, name: &str, version: &str) -> Option<Self> {
        if !is_name(name) || !is_name(version) {
            return None;
        }
        let folder = data_dir.join("templates").join(name).join(version);
        let manifest =
            serde_json::from_slice(&fs::read(folder.join("template.json")).ok()?).ok()?;
        Some(Self {
            version: version.to_owned(),
            home: folder.join("home"),
            manifest,
        })
    }
}

/// All templates that are built, by name.
pub(super) fn all(data_dir: &Path) -> Vec<(String, Template)> {
    let folders = fs::read_dir(data_dir.join("templates"))
        .into_iter()
        .flatten()
        .flatten();
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut built: Vec<_> = names
        .filter_map(|name| Some((name.clone(), Template::find(data_dir, &name)?)))
        .collect();
    built.sort_by(|one, other| one.0.cmp(&other.0));
    built
}

/// A name that is safe as a folder's.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A short digest of the parts, each counted with its length.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Removes builds that are neither the newest nor below a sandbox.
pub(super) fn remove_unused(data_dir: &Path, sandboxes: &[Record]) {
    let _lock = match TemplatesLock::acquire(data_dir, "removing old builds of templates") {
        Ok(lock) => lock,
        Err(reason) => {
            tracing::info!("old builds of templates stay until the next start: {reason:#}");
            return;
        }
    };
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect::<Vec<_>>()
    };
    for template in folders(&data_dir.join("templates")) {
        let name = template
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(current) = Template::find(data_dir, &name) else {
            continue;
        };
        for build in folders(&template) {
            let version = build
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let used = sandboxes
                .iter()
                .any(|record| record.template == name && record.version == version);
            // Anything else, such as a build under way, is not a version.
            if is_name(&version) && version != current.version && !used {
                tracing::info!(
                    template = name,
                    version,
                    "removing an old build of a template"
                );
                if let Err(error) = fs::remove_dir_all(&build) {
                    tracing::warn!(template = name, version, %error, "an old build of a template can't be removed");
                }
            }
        }
    }
}

/// A table of the templates: those that are built, and those that could be.
pub async fn list(settings: &config::SandboxHost) -> anyhow::Result<String> {
    let built = all(&settings.data_dir);
    let mut names = build::known();
    names.extend(built.iter().map(|(name, _)| name.clone()));
    names.sort();
    names.dedup();
    let sandboxes = record::all(&settings.data_dir);
    let mut table = format!("{:<16} {:<26} SANDBOXES\n", "TEMPLATE", "STATE");
    for name in names {
        let state = match built.iter().find(|(built, _)| *built == name) {
            None => "not built",
            Some((_, template)) => {
                let sources = build::sources(&name);
                if sources.is_empty() || build::version(&sources).await? == template.version {
                    "ready"
                } else {
                    "built from older sources"
                }
            }
        };
        let used = sandboxes
            .iter()
            .filter(|sandbox| sandbox.template == name)
            .count();
        writeln!(table, "{name:<16} {state:<26} {used}")?;
    }
    Ok(table)
}

/// Removes a template's builds. Errors while a sandbox is a layer over one, a template is being
/// built, or a host is at work in the same folder.
pub fn remove(settings: &config::SandboxHost, name: &str) -> anyhow::Result<()> {
    let folder = settings.data_dir.join("templates").join(name);
    if !is_name(name) || !folder.is_dir() {
        bail!("template '{name}' is not built; codeflow template list shows those that are");
    }
    let _lock = TemplatesLock::acquire(&settings.data_dir, &format!("removing template {name}"))?;
    let state = settings.data_dir.join("sandbox-host/host");
    fs::create_dir_all(&state)?;
    let lock = File::create(state.join("lock"))?;
    if lock.try_lock().is_err() {
        bail!(
            "codeflow is running in {}; stop it first",
            settings.data_dir.display()
        );
    }
    let used = record::all(&settings.data_dir)
        .iter()
        .filter(|sandbox| sandbox.template == name)
        .count();
    if used > 0 {
        bail!(
            "template '{name}' is needed by {used} that were made from it; kill these sandboxes first"
        );
    }
    // The version first: what is left of a removal that was cut short is no template.
    let _ = fs::remove_file(folder.join("current"));
    fs::remove_dir_all(&folder)?;
    tracing::info!(template = name, "the template is removed");
    Ok(())
}
