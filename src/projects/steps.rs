//! A tool call, opened in the conversation: its command, its answer and its changes.

use super::{ProjectError, Projects, compare::file_diff};
use crate::{
    agent::{CallDetails, FileStates},
    protocol::{AppNode, ChangeKind, RunId, StepChange, StepDetails},
};

/// The maximum number of diff lines per call, over all files.
const MAX_LINES: usize = 4000;

impl Projects {
    /// What the run's step with this name did. `NotFound` if there is none, or if it has not ended.
    pub async fn step_details(&self, run: RunId, step: &str) -> Result<StepDetails, ProjectError> {
        let store = &self.inner.store;
        let project = self.visible_run(run).await?.project;
        let steps = store.list_steps(run).await?;
        let outputs = steps
            .iter()
            .map(|step| (&*step.name, step.output.as_deref()));
        let mut call = CallDetails::of_steps(outputs, step)
            .ok_or(ProjectError::NotFound("record of this step any more"))?;
        // At its beginning, the run found the files of the version before it.
        let begun = steps.first().map(|step| step.started_at);
        let found = match begun.filter(|_| call.files.iter().any(|file| file.before.is_none())) {
            Some(begun) => store.version_at(project, begun).await?,
            None => None,
        };
        if let Some(found) = found {
            let mut unknown: Vec<_> = call.files.iter_mut().collect();
            unknown.retain(|file| file.before.is_none());
            let paths: Vec<String> = unknown.iter().map(|file| file.path.clone()).collect();
            let nodes = store.version_nodes(found, &paths).await?;
            for file in unknown {
                if let Some(AppNode::File { content, .. }) = nodes.get(&file.path) {
                    file.before = Some(content.clone());
                }
            }
        }
        tokio::task::spawn_blocking(move || shown(call))
            .await
            .map_err(|error| ProjectError::Internal(error.into()))
    }
}

fn shown(call: CallDetails) -> StepDetails {
    let mut left = MAX_LINES;
    let changes = call.files.into_iter().map(|file| {
        let mut change = change(file);
        if change.lines.len() > left {
            change.lines.truncate(left);
            change.notice = Some("The rest is not shown here.".to_owned());
        }
        left -= change.lines.len();
        change
    });
    StepDetails {
        changes: changes.collect(),
        command: call.command,
        output: call.output,
    }
}

fn change(file: FileStates) -> StepChange {
    let node = |content: Vec<u8>| AppNode::File {
        content,
        executable: false,
    };
    let kind = match file.before {
        Some(_) => ChangeKind::Changed,
        None => ChangeKind::Added,
    };
    let unchanged = file.before.as_ref() == Some(&file.after);
    let diff = file_diff(file.path, file.before.map(node), Some(node(file.after)));
    let (mut added, mut removed) = (0, 0);
    for line in &diff.lines {
        match line.as_bytes().first() {
            Some(b'+') => added += 1,
            Some(b'-') => removed += 1,
            _ => {}
        }
    }
    StepChange {
        path: diff.path,
        kind,
        added,
        removed,
        lines: diff.lines,
        notice: diff
            .notice
            .or_else(|| unchanged.then(|| "Nothing in it changed.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_its_lines_and_a_binary_file_has_none() {
        let states = |before: Option<&[u8]>, after: &[u8]| FileStates {
            path: "a".to_owned(),
            before: before.map(<[u8]>::to_vec),
            after: after.to_vec(),
        };
        let changed = change(states(Some(b"a\nb\n"), b"a\nB\nc\n"));
        assert_eq!(
            (changed.kind, changed.added, changed.removed),
            (ChangeKind::Changed, 2, 1)
        );
        let new = change(states(None, b"a\nb\n"));
        assert_eq!(
            (new.kind, new.added, new.removed),
            (ChangeKind::Added, 2, 0)
        );
        let same = change(states(Some(b"a"), b"a"));
        assert_eq!(same.notice.as_deref(), Some("Nothing in it changed."));
        let binary = change(states(None, b"\0\xff"));
        assert!(binary.lines.is_empty() && binary.notice.is_some());
    }
}
