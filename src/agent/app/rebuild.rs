//! An app made anew in a fresh sandbox: afterwards it is what its version says, and nothing of the
//! template beyond that. What the sandbox does not take is left out: a version that can't be
//! written whole is still a project to work on.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};

use super::{App, PARALLEL, listing::is_generated, path::HOME, walk::FoundKind};
use crate::{
    agent::RunError,
    protocol::{AppEntry, AppNode},
    sandbox::SandboxError,
};

/// What names the app's packages, and how long their installation may take.
const MANIFEST: &str = "package.json";
const INSTALL_TIMEOUT: Duration = Duration::from_secs(150);
/// Where the list of changes is written for the command that makes them.
const CHANGES: &str = "/tmp/.codeflow-changes";
/// Makes the changes of the list, each three fields that a zero byte ends. One that fails does not
/// keep the others from being made.
const CHANGE: &str = r#"cd /home/user && while IFS= read -r -d '' change && IFS= read -r -d '' path && IFS= read -r -d '' target; do
case $change in
remove) rm -f -- "$path" || rmdir -- "$path";;
folder) mkdir -p -- "$path";;
executable) chmod a+x -- "$path";;
link) mkdir -p -- "$(dirname -- "$path")" && ln -sfn -- "$target" "$path";;
esac
done </tmp/.codeflow-changes 2>/dev/null; rm -f /tmp/.codeflow-changes"#;

/// A change of the app's folder that no file's content is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// Of a file, a link or an empty folder.
    Remove(String),
    Folder(String),
    Executable(String),
    Link {
        path: String,
        target: String,
    },
}

impl App {
    /// Makes a new sandbox's app the one of the version, and installs the packages that it names
    /// beyond the template's.
    pub async fn rebuild(&self, entries: Vec<AppEntry>) -> Result<(), RunError> {
        let found = match self.walk().await {
            // Then nothing is removed.
            Err(RunError::User(_)) => Default::default(),
            walked => walked?,
        };
        let there: Vec<(&str, bool)> = found
            .entries
            .iter()
            .filter(|entry| entry.is_text && !is_generated(&entry.path))
            .map(|entry| (entry.path.as_str(), entry.kind == FoundKind::Folder))
            .collect();
        self.change(superfluous(&there, &entries)).await?;
        self.restore(entries, false).await
    }

    /// Writes these into the app's folder and leaves all else there as it is, and installs the
    /// packages that they name beyond those that are there. `again` after an attempt that did not
    /// come to its end: what is there may be half of it.
    pub async fn restore(&self, entries: Vec<AppEntry>, again: bool) -> Result<(), RunError> {
        let (mut files, mut folders, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for AppEntry { path, node } in entries {
            match node {
                AppNode::File {
                    content,
                    executable,
                } => {
                    if executable {
                        others.push(Change::Executable(path.clone()));
                    }
                    files.push((path, content));
                }
                AppNode::Link { target } => others.push(Change::Link { path, target }),
                AppNode::Folder => folders.push(Change::Folder(path)),
            }
        }
        let manifest = files
            .iter()
            .find(|(path, _)| path == MANIFEST)
            .map(|(_, content)| content.clone());
        let before = match manifest {
            Some(_) => self.read_file(MANIFEST).await?,
            None => None,
        };
        self.change(folders).await?;
        self.write_what_is_taken(files).await?;
        self.change(others).await?;
        if manifest.is_none() || (manifest == before && !again) {
            return Ok(());
        }
        let install = "npm install --no-audit --no-fund";
        let output = self.run(install, &[("CI", "1")], INSTALL_TIMEOUT).await?;
        if output.exit_code != 0 {
            // The page then says what is missing, and the agent can mend it.
            let said = String::from_utf8_lossy(&output.stderr)
                .chars()
                .take(500)
                .collect::<String>();
            tracing::warn!(
                sandbox.id = self.id(),
                said,
                "the packages of a restored app could not be installed"
            );
        }
        Ok(())
    }

    async fn write_what_is_taken(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), RunError> {
        stream::iter(files)
            .map(|(path, content)| async move {
                match self
                    .sandbox
                    .write_file(&format!("{HOME}/{path}"), content)
                    .await
                {
                    Err(SandboxError::Refused(why) | SandboxError::NoSuchPath(why)) => {
                        tracing::warn!(
                            sandbox.id = self.id(),
                            path,
                            why,
                            "a file of a version could not be written"
                        );
                        Ok(())
                    }
                    written => written.map_err(RunError::from),
                }
            })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    async fn change(&self, changes: Vec<Change>) -> Result<(), RunError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut list = Vec::new();
        for change in &changes {
            let fields = match change {
                Change::Remove(path) => ["remove", path, ""],
                Change::Folder(path) => ["folder", path, ""],
                Change::Executable(path) => ["executable", path, ""],
                Change::Link { path, target } => ["link", path, target],
            };
            for field in fields {
                list.extend_from_slice(field.as_bytes());
                list.push(0);
            }
        }
        self.sandbox.write_file(CHANGES, list).await?;
        self.plainly(CHANGE).await?;
        Ok(())
    }
}

/// What of the paths that are there, folders or not, the version has not: the files, then the
/// folders from within.
fn superfluous(there: &[(&str, bool)], entries: &[AppEntry]) -> Vec<Change> {
    let (mut folders, mut others) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        for (end, _) in entry.path.match_indices('/') {
            folders.insert(&entry.path[..end]);
        }
        match entry.node {
            AppNode::Folder => folders.insert(entry.path.as_str()),
            AppNode::File { .. } | AppNode::Link { .. } => others.insert(entry.path.as_str()),
        };
    }
    let gone = |is_folder: bool| {
        let wanted = if is_folder { &folders } else { &others };
        let gone = there
            .iter()
            .filter(|(path, folder)| *folder == is_folder && !wanted.contains(path));
        let mut gone: Vec<String> = gone.map(|(path, _)| (*path).to_owned()).collect();
        // What is in a folder sorts behind it.
        gone.sort_unstable_by(|a, b| b.cmp(a));
        gone
    };
    gone(false)
        .into_iter()
        .chain(gone(true))
        .map(Change::Remove)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_template_has_and_the_version_has_not_is_removed_from_within() {
        let there = [
            ("app", true),
            ("app/page.tsx", false),
            ("app/old", true),
            ("app/old/x.tsx", false),
            ("lib", false),
            ("public", true),
        ];
        let entries = [
            AppEntry::file("src/app/page.tsx", Vec::new()),
            AppEntry::file("lib/a.ts", Vec::new()),
            AppEntry {
                path: "public".to_owned(),
                node: AppNode::Folder,
            },
        ];
        assert_eq!(
            superfluous(&there, &entries),
            ["lib", "app/page.tsx", "app/old/x.tsx", "app/old", "app"]
                .map(|path| Change::Remove(path.to_owned()))
        );
    }
}
