//! Turns an app into that of a version: in a new sandbox, whose folder then contains only the
//! version's files, or in a running one. Files that the sandbox refuses are skipped, because a
//! project can be worked on even if its version can't be restored completely.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::discriminant,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};

use super::{App, PARALLEL, found::FoundKind, listing::is_generated, path::HOME};
use crate::{
    agent::RunError,
    protocol::{AppEntry, AppNode, LeftOut, first_chars},
    sandbox::SandboxError,
};

/// The file with the app's packages, its lock file, and how long installing them may take.
const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";
const INSTALL_TIMEOUT: Duration = Duration::from_secs(150);
/// The list of changes for [`CHANGE`].
const CHANGES: &str = "/tmp/.codeflow-changes";
/// Applies the listed changes, each given as three zero-terminated fields. A failed change does not
/// stop the others.
const CHANGE: &str = r#"cd /home/user && while IFS= read -r -d '' change && IFS= read -r -d '' path && IFS= read -r -d '' target; do
case $change in
remove) rm -f -- "$path" || rmdir -- "$path";;
folder) mkdir -p -- "$path";;
executable) chmod a+x -- "$path";;
plain) chmod a-x -- "$path";;
link) mkdir -p -- "$(dirname -- "$path")" && ln -sfn -- "$target" "$path";;
esac
done </tmp/.codeflow-changes 2>/dev/null; rm -f /tmp/.codeflow-changes"#;

/// A change of the app's folder other than writing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// Removes a file, a link or an empty folder.
    Remove(String),
    Folder(String),
    Executable(String),
    Plain(String),
    Link {
        path: String,
        target: String,
    },
}

impl App {
    /// Turns the app of a new sandbox into that of the version, and installs the packages that the
    /// template lacks. Returns what the sandbox refused.
    pub async fn rebuild(&self, entries: Vec<AppEntry>) -> Result<Vec<LeftOut>, RunError> {
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

    /// Turns the app with the entries `before` into that of another version, and installs packages
    /// if the two differ in them, or if `again` says that an earlier attempt did not finish. What
    /// no version keeps stays. Returns the changed paths, sorted.
    pub async fn turn_into(
        &self,
        before: &[AppEntry],
        after: Vec<AppEntry>,
        again: bool,
    ) -> Result<Vec<String>, RunError> {
        let Difference {
            removed,
            written,
            plain,
            paths,
        } = difference(before, after);
        let installs = again || paths.iter().any(|path| path == MANIFEST || path == LOCK);
        self.change(removed).await?;
        self.put(written).await?;
        self.change(plain).await?;
        if installs {
            self.install().await?;
        }
        Ok(paths)
    }

    /// Writes the entries into the app's folder, leaves everything else in it alone, and installs
    /// missing packages. `again`: an earlier attempt did not finish and may have done half of it.
    /// Returns what the sandbox refused.
    pub async fn restore(
        &self,
        entries: Vec<AppEntry>,
        again: bool,
    ) -> Result<Vec<LeftOut>, RunError> {
        let manifest = entries
            .iter()
            .find(|entry| entry.path == MANIFEST)
            .map(|entry| entry.content().to_vec());
        let before = match manifest {
            Some(_) => self.read_file(MANIFEST).await?,
            None => None,
        };
        let refused = self.put(entries).await?;
        if manifest.is_some() && (manifest != before || again) {
            self.install().await?;
        }
        Ok(refused)
    }

    /// Writes the entries; returns what the sandbox refused.
    async fn put(&self, entries: Vec<AppEntry>) -> Result<Vec<LeftOut>, RunError> {
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
        self.change(folders).await?;
        let refused = self.write_accepted(files).await?;
        self.change(others).await?;
        Ok(refused)
    }

    async fn install(&self) -> Result<(), RunError> {
        let install = "npm install --no-audit --no-fund";
        let output = self.run(install, &[("CI", "1")], INSTALL_TIMEOUT).await?;
        if output.exit_code != 0 {
            // The page then shows what is missing, and the agent can fix it.
            let stderr = String::from_utf8_lossy(&output.stderr);
            tracing::warn!(
                sandbox.id = self.id(),
                stderr = first_chars(&stderr, 500),
                "could not install the packages of a restored app"
            );
        }
        Ok(())
    }

    async fn write_accepted(
        &self,
        files: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<LeftOut>, RunError> {
        let mut refused: Vec<LeftOut> = stream::iter(files)
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
                            "could not write a file of a version"
                        );
                        Ok(Some(LeftOut { path, reason: why }))
                    }
                    written => written.map(|()| None).map_err(RunError::from),
                }
            })
            .buffer_unordered(PARALLEL)
            .try_filter_map(async |written| Ok(written))
            .try_collect()
            .await?;
        refused.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(refused)
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
                Change::Plain(path) => ["plain", path, ""],
                Change::Link { path, target } => ["link", path, target],
            };
            for field in fields {
                list.extend_from_slice(field.as_bytes());
                list.push(0);
            }
        }
        self.sandbox.write_file(CHANGES, list).await?;
        self.run_isolated(CHANGE).await?;
        Ok(())
    }
}

/// The changes that turn one app into another.
#[derive(Debug, Default, PartialEq)]
struct Difference {
    /// Applied first, because a link, for example, would redirect later writes.
    removed: Vec<Change>,
    written: Vec<AppEntry>,
    /// Files that are no longer executable.
    plain: Vec<Change>,
    /// The paths of differing files and links, sorted.
    paths: Vec<String>,
}

/// The changes from `before` to `after`; both are sorted by path.
fn difference(before: &[AppEntry], after: Vec<AppEntry>) -> Difference {
    let mut folders = BTreeSet::new();
    for entry in before {
        for (end, _) in entry.path.match_indices('/') {
            folders.insert(&entry.path[..end]);
        }
    }
    let there: Vec<(&str, bool)> = before
        .iter()
        .map(|entry| (entry.path.as_str(), entry.node == AppNode::Folder))
        .chain(folders.into_iter().map(|folder| (folder, true)))
        .collect();
    let mut removed = superfluous(&there, &after);
    let known: BTreeMap<&str, &AppNode> = before
        .iter()
        .map(|entry| (entry.path.as_str(), &entry.node))
        .collect();
    let mut paths: BTreeSet<String> = removed
        .iter()
        .filter_map(|change| match change {
            Change::Remove(path) => known.get(path.as_str()).map(|node| (path, node)),
            _ => None,
        })
        .filter(|(_, node)| ***node != AppNode::Folder)
        .map(|(path, _)| path.clone())
        .collect();
    let (mut written, mut plain) = (Vec::new(), Vec::new());
    for entry in after {
        let now = known.get(entry.path.as_str()).copied();
        if now == Some(&entry.node) {
            continue;
        }
        if entry.node != AppNode::Folder {
            paths.insert(entry.path.clone());
        }
        match (now, &entry.node) {
            (
                Some(AppNode::File {
                    executable: true, ..
                }),
                AppNode::File {
                    executable: false, ..
                },
            ) => plain.push(Change::Plain(entry.path.clone())),
            // A file in place of a link, or the other way round.
            (Some(now), node) if discriminant(now) != discriminant(node) => {
                let change = Change::Remove(entry.path.clone());
                if !removed.contains(&change) {
                    removed.push(change);
                }
            }
            _ => {}
        }
        written.push(entry);
    }
    Difference {
        removed,
        written,
        plain,
        paths: paths.into_iter().collect(),
    }
}

/// Removals of the existing paths (each marked if it is a folder) that are not in the version:
/// files first, then folders from the inside out.
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
        // A folder's contents sort after it.
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
    fn what_only_the_template_has_is_removed_from_the_inside_out() {
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

    #[test]
    fn only_what_differs_is_touched_and_what_would_lead_elsewhere_goes_first() {
        let executable = |path: &str, executable| AppEntry {
            path: path.to_owned(),
            node: AppNode::File {
                content: b"#!/bin/sh".to_vec(),
                executable,
            },
        };
        let link = |path: &str| AppEntry {
            path: path.to_owned(),
            node: AppNode::Link {
                target: "same".to_owned(),
            },
        };
        let before = [
            AppEntry::file("app/old/x", Vec::new()),
            executable("run.sh", true),
            AppEntry::file("same", b"1".to_vec()),
            AppEntry::file("turns/into/a/folder", Vec::new()),
            link("was-a-link"),
        ];
        let after = vec![
            AppEntry::file("app/new", Vec::new()),
            executable("run.sh", false),
            AppEntry::file("same", b"1".to_vec()),
            AppEntry::file("turns", Vec::new()),
            AppEntry::file("was-a-link", b"2".to_vec()),
        ];
        let difference = difference(&before, after.clone());
        let removed = [
            "turns/into/a/folder",
            "app/old/x",
            "turns/into/a",
            "turns/into",
            "turns",
            "app/old",
            "was-a-link",
        ];
        assert_eq!(
            difference.removed,
            removed.map(|path| Change::Remove(path.to_owned()))
        );
        let written = [&after[0], &after[1], &after[3], &after[4]].map(Clone::clone);
        assert_eq!(difference.written, written);
        assert_eq!(difference.plain, [Change::Plain("run.sh".to_owned())]);
        assert_eq!(
            difference.paths,
            [
                "app/new",
                "app/old/x",
                "run.sh",
                "turns",
                "turns/into/a/folder",
                "was-a-link"
            ]
        );
    }
}
