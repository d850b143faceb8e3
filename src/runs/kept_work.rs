//! A project's work, independent of its sandbox: the latest version or draft, and what runs wrote
//! after it without a version of their own. A lost sandbox is rebuilt from it.

use std::collections::BTreeMap;

use super::journal::persistently;
use crate::{
    agent::{App, RunError, Work},
    protocol::{AppEntry, AppNode, Fragment, LeftOut, ProjectId, RunId, RunState},
    store::{Edit, Store, StoreError},
};

/// An app's saved state.
#[derive(Debug)]
pub struct KeptWork {
    /// Sorted by path.
    pub entries: Vec<AppEntry>,
    /// Whether the template's files belong to it as well.
    pub partial: bool,
    /// The version or draft that it is based on.
    pub fragment: Option<Fragment>,
}

impl KeptWork {
    /// The project's saved work; `None` if nothing was ever saved or written.
    pub async fn of_project(store: &Store, project: ProjectId) -> Result<Option<Self>, StoreError> {
        let latest = persistently(|| store.latest_version(project)).await?;
        let since = latest.as_ref().map(|version| version.fragment.created_at);
        let mut written = BTreeMap::new();
        for run in persistently(|| store.list_runs(project)).await? {
            let unfinished = matches!(run.state, RunState::Failed | RunState::Cancelled);
            if unfinished && run.finished_at > since {
                written.extend(work_of(store, run.id).await?.files);
            }
        }
        // The latest version already contains the edits made before it.
        let edits = persistently(|| store.list_edits(project)).await?;
        let edits: Vec<Edit> = edits
            .into_iter()
            .filter(|saved| Some(saved.at) > since)
            .map(|saved| saved.edit)
            .collect();
        if latest.is_none() && written.is_empty() && edits.is_empty() {
            return Ok(None);
        }
        let (entries, partial, fragment) = match latest {
            Some(version) => (version.entries, version.partial, Some(version.fragment)),
            None => (Vec::new(), true, None),
        };
        Ok(Some(Self {
            entries: repeat(overlay(entries, written), edits),
            partial,
            fragment,
        }))
    }

    /// Writes the saved app into a new sandbox. Returns what the sandbox refused.
    pub async fn rebuild(self, app: &App) -> Result<Vec<LeftOut>, RunError> {
        if self.partial {
            app.restore(self.entries, false).await
        } else {
            app.rebuild(self.entries).await
        }
    }
}

/// The run's work, as its steps recorded it.
pub async fn work_of(store: &Store, run: RunId) -> Result<Work, StoreError> {
    let steps = persistently(|| store.list_steps(run)).await?;
    Ok(Work::of_steps(
        steps
            .iter()
            .map(|step| (step.name.as_str(), step.output.as_deref())),
    ))
}

/// An app's nodes, by path.
type Nodes = BTreeMap<String, AppNode>;

fn by_path(entries: Vec<AppEntry>) -> Nodes {
    let entries = entries.into_iter();
    entries.map(|entry| (entry.path, entry.node)).collect()
}

fn sorted(all: Nodes) -> Vec<AppEntry> {
    let all = all.into_iter();
    all.map(|(path, node)| AppEntry { path, node }).collect()
}

/// Puts a file with this content at the path. An executable file stays executable.
fn write(all: &mut Nodes, path: String, content: Vec<u8>) {
    let executable = matches!(
        all.get(&path),
        Some(AppNode::File {
            executable: true,
            ..
        })
    );
    let file = AppNode::File {
        content,
        executable,
    };
    all.insert(path, file);
}

/// The entries with these files in place of those at the same paths. Executable files stay
/// executable.
pub fn overlay(entries: Vec<AppEntry>, written: BTreeMap<String, Vec<u8>>) -> Vec<AppEntry> {
    let mut all = by_path(entries);
    for (path, content) in written {
        write(&mut all, path, content);
    }
    sorted(all)
}

/// The entries after these edits.
fn repeat(entries: Vec<AppEntry>, edits: Vec<Edit>) -> Vec<AppEntry> {
    if edits.is_empty() {
        return entries;
    }
    let mut all = by_path(entries);
    for edit in edits {
        match edit {
            Edit::Write { path, content } => write(&mut all, path, content),
            Edit::Folder { path } => {
                all.entry(path).or_insert(AppNode::Folder);
            }
            Edit::Delete { path } => drop(take(&mut all, &path)),
            Edit::Move { from, to } => {
                for (below, node) in take(&mut all, &from) {
                    all.insert(format!("{to}{below}"), node);
                }
            }
        }
    }
    // An empty folder is an entry of its own; a folder with contents is not.
    let filled: Vec<String> = all
        .iter()
        .filter(|(path, node)| **node == AppNode::Folder && has_below(&all, path))
        .map(|(path, _)| path.clone())
        .collect();
    for path in filled {
        all.remove(&path);
    }
    sorted(all)
}

fn has_below(all: &Nodes, path: &str) -> bool {
    let below = format!("{path}/");
    all.range(below.clone()..)
        .next()
        .is_some_and(|(path, _)| path.starts_with(&below))
}

/// Removes the node at the path and everything below it; returns each with the rest of its path.
fn take(all: &mut Nodes, path: &str) -> Vec<(String, AppNode)> {
    let below = format!("{path}/");
    let paths: Vec<String> = all
        .keys()
        .filter(|other| *other == path || other.starts_with(&below))
        .cloned()
        .collect();
    paths
        .into_iter()
        .filter_map(|other| {
            let node = all.remove(&other)?;
            Some((other[path.len()..].to_owned(), node))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_repeated_in_order_on_what_was_kept() {
        let file = |path: &str, content: &str| AppEntry::file(path, content.into());
        let kept = vec![file("app/a", "1"), file("app/ab", "2"), file("lib/x", "3")];
        let path = |path: &str| path.to_owned();
        let edits = vec![
            Edit::Folder { path: path("new") },
            Edit::Folder { path: path("full") },
            Edit::Write {
                path: path("full/y"),
                content: b"4".to_vec(),
            },
            Edit::Move {
                from: path("app"),
                to: path("src/app"),
            },
            Edit::Delete { path: path("lib") },
            Edit::Delete {
                path: path("src/app/a"),
            },
        ];
        let folder = AppEntry {
            path: path("new"),
            node: AppNode::Folder,
        };
        assert_eq!(
            repeat(kept, edits),
            [file("full/y", "4"), folder, file("src/app/ab", "2")]
        );
    }

    #[test]
    fn written_files_replace_kept_ones_and_stay_executable() {
        let executable = |content: &[u8]| AppEntry {
            path: "run.sh".to_owned(),
            node: AppNode::File {
                content: content.to_vec(),
                executable: true,
            },
        };
        let written = BTreeMap::from([
            ("run.sh".to_owned(), b"new".to_vec()),
            ("a.txt".to_owned(), b"a".to_vec()),
        ]);
        let kept = AppEntry::file("z.txt", b"z".to_vec());
        assert_eq!(
            overlay(vec![executable(b"old"), kept.clone()], written),
            [
                AppEntry::file("a.txt", b"a".to_vec()),
                executable(b"new"),
                kept
            ]
        );
    }
}
