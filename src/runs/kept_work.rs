//! The work of a project that outlives its sandbox: the latest version or draft, and what runs
//! wrote after it without a version of their own. A lost sandbox is rebuilt from this.

use std::collections::BTreeMap;

use super::journal::persistently;
use crate::{
    agent::{App, RunError, Work},
    protocol::{AppEntry, AppNode, Fragment, ProjectId, RunId, RunState},
    store::{Store, StoreError},
};

/// What is kept of an app.
#[derive(Debug)]
pub struct KeptWork {
    /// Sorted by path.
    pub entries: Vec<AppEntry>,
    /// Whether the template's files belong to it besides.
    pub partial: bool,
    /// The version or draft that it is made from.
    pub fragment: Option<Fragment>,
}

impl KeptWork {
    /// The project's; `None` when nothing was ever kept or written.
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
        if latest.is_none() && written.is_empty() {
            return Ok(None);
        }
        Ok(Some(match latest {
            Some(version) => Self {
                entries: overlay(version.entries, written),
                partial: version.partial,
                fragment: Some(version.fragment),
            },
            None => Self {
                entries: overlay(Vec::new(), written),
                partial: true,
                fragment: None,
            },
        }))
    }

    /// Turns a new sandbox's app into the kept one.
    pub async fn rebuild(self, app: &App) -> Result<(), RunError> {
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

/// The entries, with these files replacing those at the same paths. An executable file stays
/// executable.
pub fn overlay(entries: Vec<AppEntry>, written: BTreeMap<String, Vec<u8>>) -> Vec<AppEntry> {
    let mut all: BTreeMap<String, AppNode> = entries
        .into_iter()
        .map(|entry| (entry.path, entry.node))
        .collect();
    for (path, content) in written {
        let executable = matches!(
            all.get(&path),
            Some(AppNode::File {
                executable: true,
                ..
            })
        );
        all.insert(
            path,
            AppNode::File {
                content,
                executable,
            },
        );
    }
    all.into_iter()
        .map(|(path, node)| AppEntry { path, node })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
