//! The sources of templates, embedded in this binary.

use anyhow::Context;
use rust_embed::RustEmbed;

use crate::sandbox_host::names::digest;

#[derive(RustEmbed)]
#[folder = "sandbox-templates"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/.next/*"]
// E2B's build files and the README are not part of a template.
#[exclude = "*/e2b/*"]
#[exclude = "*/README.md"]
struct Sources;

/// The names of the templates in this binary.
pub(super) fn known() -> Vec<String> {
    let mut known: Vec<String> = Sources::iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    known.dedup();
    known
}

/// A template's files, by path.
pub(super) fn sources(name: &str) -> Vec<(String, Vec<u8>)> {
    let own = |path: &str| Some(path.strip_prefix(name)?.strip_prefix('/')?.to_owned());
    Sources::iter()
        .filter_map(|path| Some((own(&path)?, Sources::get(&path)?.data.into_owned())))
        .collect()
}

/// The version of a build from these sources on this machine.
pub(super) async fn version(sources: &[(String, Vec<u8>)]) -> anyhow::Result<String> {
    let node = tokio::process::Command::new("node")
        .arg("--version")
        .output()
        .await;
    let node = node
        .context("Node.js is not installed; script/setup does that")?
        .stdout;
    let files = sources
        .iter()
        .flat_map(|(path, content)| [path.as_bytes(), content.as_slice()]);
    Ok(digest(files.chain([node.as_slice()])))
}
