//! `codeflow template list` and `codeflow template remove`.

use std::{
    fmt::Write,
    fs::{self, File},
};

use anyhow::bail;

use super::{
    builds::{all, is_name},
    lock::TemplatesLock,
    sources,
};
use crate::{
    config,
    sandbox_host::{record, snapshots},
};

/// A table of the templates, built and available.
pub async fn list(settings: &config::SandboxHost) -> anyhow::Result<String> {
    let built = all(&settings.data_dir);
    let mut names = sources::known();
    names.extend(built.iter().map(|(name, _)| name.clone()));
    names.sort();
    names.dedup();
    let sandboxes = record::all(&settings.data_dir);
    let mut table = format!("{:<16} {:<26} SANDBOXES\n", "TEMPLATE", "STATE");
    for name in names {
        let state = match built.iter().find(|(built, _)| *built == name) {
            None => "not built",
            Some((_, template)) => {
                let sources = sources::sources(&name);
                if sources.is_empty() || sources::version(&sources).await? == template.version {
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

/// Removes a template's builds. Fails while a sandbox depends on one, a template is being built, or
/// a host is running in the same folder.
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
    let snapshots = snapshots::all(&settings.data_dir);
    if let Some(snapshot) = snapshots.iter().find(|snapshot| snapshot.template == name) {
        bail!(
            "template '{name}' is in use by snapshot '{}'; delete its snapshots first",
            snapshot.id
        );
    }
    let used = record::all(&settings.data_dir)
        .iter()
        .filter(|sandbox| sandbox.template == name)
        .count();
    if used > 0 {
        bail!(
            "template '{name}' is in use by {used} {}; kill {} first",
            if used == 1 { "sandbox" } else { "sandboxes" },
            if used == 1 { "it" } else { "them" },
        );
    }
    // The version first: the remains of an interrupted removal are no template.
    let _ = fs::remove_file(folder.join("current"));
    fs::remove_dir_all(&folder)?;
    tracing::info!(template = name, "the template is removed");
    Ok(())
}
