//! Comparing two versions: which files differ, and in which lines.

use std::{collections::BTreeMap, time::Duration};

use similar::TextDiff;

use super::{ProjectError, Projects, versions::position};
use crate::{
    protocol::{
        AppNode, ChangeKind, FileDiff, Fragment, FragmentId, ProjectId, VersionChange, VersionDiff,
    },
    store::{BlobHash, FileKind, StoredFile},
};

/// How many changes a comparison names.
const MAX_CHANGES: usize = 1000;
/// The maximum size of a compared file in bytes, and the maximum number of lines of a diff.
const MAX_BYTES: usize = 512 << 10;
const MAX_LINES: usize = 3000;
/// How long to search for a short diff; after that, a longer one is returned.
const DIFF_TIMEOUT: Duration = Duration::from_millis(500);

impl Projects {
    /// How the version `to` differs from `from`, or else from the version before it.
    pub async fn compare(
        &self,
        project: ProjectId,
        from: Option<&str>,
        to: &str,
    ) -> Result<VersionDiff, ProjectError> {
        let (from, to) = self.pair(project, from, to).await?;
        let store = &self.inner.store;
        let before = match &from {
            Some(from) => store.version_files(from.id).await?,
            None => Vec::new(),
        };
        let mut changes = changes(before, store.version_files(to.id).await?);
        let count = changes.len();
        changes.truncate(MAX_CHANGES);
        Ok(VersionDiff {
            from,
            to,
            changes,
            count,
        })
    }

    /// How a file differs between the two versions.
    pub async fn compare_file(
        &self,
        project: ProjectId,
        from: Option<&str>,
        to: &str,
        path: &str,
    ) -> Result<FileDiff, ProjectError> {
        let (from, to) = self.pair(project, from, to).await?;
        let before = match &from {
            Some(from) => self.file_node(from.id, path).await?,
            None => None,
        };
        let after = self.file_node(to.id, path).await?;
        if before.is_none() && after.is_none() {
            return Err(ProjectError::NoFile);
        }
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || file_diff(path, before, after))
            .await
            .map_err(|error| ProjectError::Internal(error.into()))
    }

    async fn file_node(
        &self,
        version: FragmentId,
        path: &str,
    ) -> Result<Option<AppNode>, ProjectError> {
        let node = self.inner.store.version_file(version, path).await?;
        Ok(node.filter(|node| *node != AppNode::Folder))
    }

    async fn pair(
        &self,
        project: ProjectId,
        from: Option<&str>,
        to: &str,
    ) -> Result<(Option<Fragment>, Fragment), ProjectError> {
        let all = self.versions(project).await?;
        let to = position(&all, to)?;
        let from = match from {
            Some(from) => position(&all, from)?,
            None => to + 1,
        };
        Ok((all.get(from).cloned(), all[to].clone()))
    }
}

/// The differences, sorted by path; folders don't count.
fn changes(before: Vec<StoredFile>, after: Vec<StoredFile>) -> Vec<VersionChange> {
    let by_path = |files: Vec<StoredFile>| -> BTreeMap<String, (FileKind, BlobHash)> {
        let files = files
            .into_iter()
            .filter(|file| file.kind != FileKind::Folder);
        files
            .map(|file| (file.path, (file.kind, file.hash)))
            .collect()
    };
    let (mut before, after) = (by_path(before), by_path(after));
    let mut changes = Vec::new();
    for (path, now) in after {
        let kind = match before.remove(&path) {
            None => ChangeKind::Added,
            Some(then) if then != now => ChangeKind::Changed,
            Some(_) => continue,
        };
        changes.push(VersionChange { path, kind });
    }
    changes.extend(before.into_keys().map(|path| VersionChange {
        path,
        kind: ChangeKind::Removed,
    }));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

pub(super) fn file_diff(path: String, before: Option<AppNode>, after: Option<AppNode>) -> FileDiff {
    let mut diff = FileDiff {
        path,
        before: None,
        after: None,
        lines: Vec::new(),
        notice: mode_notice(before.as_ref(), after.as_ref()),
    };
    let texts = [before, after].map(|node| node.map(text).transpose());
    let [Ok(before), Ok(after)] = texts else {
        let why = texts.into_iter().find_map(Result::err);
        diff.notice = why.map(str::to_owned);
        return diff;
    };
    let (old, new) = (before.as_deref(), after.as_deref());
    let lines = TextDiff::configure()
        .timeout(DIFF_TIMEOUT)
        .diff_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let unified = lines.unified_diff().context_radius(3).to_string();
    diff.lines = unified.lines().take(MAX_LINES).map(str::to_owned).collect();
    if unified.lines().nth(MAX_LINES).is_some() {
        diff.notice = Some(format!("Only the first {MAX_LINES} lines are shown."));
    }
    (diff.before, diff.after) = (before, after);
    diff
}

/// A notice about changes that the texts don't show.
fn mode_notice(before: Option<&AppNode>, after: Option<&AppNode>) -> Option<String> {
    let executable = |node: Option<&AppNode>| match node {
        Some(AppNode::File { executable, .. }) => Some(*executable),
        _ => None,
    };
    match (executable(before)?, executable(after)?) {
        (false, true) => Some("The file became executable.".to_owned()),
        (true, false) => Some("The file is executable no more.".to_owned()),
        _ => None,
    }
}

/// The text, or why it is not shown.
fn text(node: AppNode) -> Result<String, &'static str> {
    let content = match node {
        AppNode::File { content, .. } => content,
        AppNode::Link { target } => format!("→ {target}\n").into_bytes(),
        AppNode::Folder => Vec::new(),
    };
    if content.len() > MAX_BYTES {
        return Err("The file is too large to be compared here. Download the version to see it.");
    }
    match String::from_utf8(content) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err("A binary file: it differs, and there are no lines to show."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], executable: bool) -> Option<AppNode> {
        Some(AppNode::File {
            content: content.to_vec(),
            executable,
        })
    }

    fn diff(before: Option<AppNode>, after: Option<AppNode>) -> FileDiff {
        file_diff("a".to_owned(), before, after)
    }

    #[test]
    fn a_diff_has_both_texts_and_the_lines_between() {
        let changed = diff(file(b"a\nb\nc\n", false), file(b"a\nB\nc\n", true));
        assert_eq!(changed.lines, ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]);
        assert_eq!(
            (changed.before.as_deref(), changed.after.as_deref()),
            (Some("a\nb\nc\n"), Some("a\nB\nc\n"))
        );
        assert_eq!(
            changed.notice.as_deref(),
            Some("The file became executable.")
        );
        let added = diff(None, file(b"x", false));
        assert_eq!((added.before, added.after.as_deref()), (None, Some("x")));
        assert!(added.lines.contains(&"+x".to_owned()), "{:?}", added.lines);
    }

    #[test]
    fn binary_and_huge_files_are_named_and_long_diffs_cut() {
        for content in [&b"a\0b"[..], b"\xff", &vec![b'a'; MAX_BYTES + 1]] {
            let diff = diff(file(b"a", false), file(content, false));
            assert!(diff.notice.is_some() && diff.lines.is_empty());
            assert_eq!((diff.before, diff.after), (None, None));
        }
        let many = "x\n".repeat(MAX_LINES + 10);
        let long = diff(None, file(many.as_bytes(), false));
        assert_eq!(long.lines.len(), MAX_LINES);
        assert!(long.notice.is_some());
    }

    #[test]
    fn what_was_added_changed_and_removed_is_told_apart_and_folders_do_not_count() {
        let stored = |path: &str, kind, content: &str| StoredFile {
            path: path.to_owned(),
            kind,
            hash: BlobHash::of(content.as_bytes()),
        };
        let before = vec![
            stored("a", FileKind::File, "1"),
            stored("b", FileKind::File, "1"),
            stored("c", FileKind::File, "1"),
            stored("d", FileKind::Folder, "0"),
            stored("e", FileKind::File, "1"),
        ];
        let after = vec![
            stored("a", FileKind::File, "1"),
            stored("b", FileKind::File, "2"),
            stored("c", FileKind::Executable, "1"),
            stored("f", FileKind::Link, "3"),
        ];
        let changes: Vec<_> = changes(before, after)
            .into_iter()
            .map(|change| (change.path, change.kind))
            .collect();
        let expected = [
            ("b", ChangeKind::Changed),
            ("c", ChangeKind::Changed),
            ("e", ChangeKind::Removed),
            ("f", ChangeKind::Added),
        ];
        assert_eq!(
            changes,
            expected.map(|(path, kind)| (path.to_owned(), kind))
        );
    }
}
