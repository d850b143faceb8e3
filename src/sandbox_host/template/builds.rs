//! The builds of templates on disk: finding them by name and version, and removing unneeded ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::lock::TemplatesLock;
use crate::sandbox_host::{record::Record, snapshots};

/// A template that sandboxes can start from.
#[derive(Debug, Clone)]
pub(in crate::sandbox_host) struct Template {
    pub version: String,
    /// The lower layer of a sandbox's home.
    pub home: PathBuf,
    pub manifest: Manifest,
}

/// A template's `template.json`.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::sandbox_host) struct Manifest {
    /// The dev server, if the template has one.
    #[serde(flatten)]
    pub server: Option<Server>,
    /// The command that installs the packages, if there are any.
    #[serde(default)]
    pub install: Option<String>,
}

/// A template's dev server.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::sandbox_host) struct Server {
    /// The command to keep running.
    pub start: String,
    /// The port it serves on.
    pub port: u16,
    /// The folder to which it writes, some seconds after its first page, what it has compiled;
    /// `None` if it writes none.
    #[serde(default)]
    pub cache: Option<String>,
    /// A command that is run once beside it, for other tools' caches of what it has written.
    #[serde(default)]
    pub warm: Option<String>,
}

impl Template {
    /// The template's newest build, if there is one.
    pub(in crate::sandbox_host) fn find(data_dir: &Path, name: &str) -> Option<Self> {
        if !is_name(name) {
            return None;
        }
        let version =
            fs::read_to_string(data_dir.join("templates").join(name).join("current")).ok()?;
        Self::find_version(data_dir, name, version.trim())
    }

    /// One of the template's builds.
    pub(in crate::sandbox_host) fn find_version(
        data_dir: &Path,
        name: &str,
        version: &str,
    ) -> Option<Self> {
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

/// All built templates, by name.
pub(in crate::sandbox_host) fn all(data_dir: &Path) -> Vec<(String, Template)> {
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

/// Whether the name is safe as a folder's.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Removes builds that are neither current nor used by a sandbox or a snapshot.
pub(in crate::sandbox_host) fn remove_unused(data_dir: &Path, sandboxes: &[Record]) {
    let snapshots = snapshots::all(data_dir);
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
            let used = (sandboxes.iter())
                .map(|record| (&record.template, &record.version))
                .chain((snapshots.iter()).map(|snapshot| (&snapshot.template, &snapshot.version)))
                .any(|used| used == (&name, &version));
            // Other entries, such as a build in progress, are not versions.
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
