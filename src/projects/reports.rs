//! A project's state in one answer, for programs that order builds: at once, or when its runs have
//! ended.

use std::time::Duration;

use serde::Serialize;

use super::{ProjectError, Projects};
use crate::{
    protocol::{
        EventKind, Fragment, MessageKind, Mode, PreviewState, ProjectId, ProjectStatus, Role,
        RunId, RunState, Timestamp,
    },
    runs::{FollowEvent, Follower},
};

/// How long the end of a run on another process may go unnoticed.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A project's state.
#[derive(Debug, Clone, Serialize)]
pub struct ProjectReport {
    pub id: ProjectId,
    pub title: String,
    pub status: ProjectStatus,
    /// The latest run.
    pub run: Option<RunReport>,
    /// The conversation's last message: the prompt, or a run's reply.
    pub message: Option<MessageReport>,
    /// The app's address, once there is an app; it wakes when it is opened.
    pub preview_url: Option<String>,
    /// Why the app can't be shown.
    pub preview_fault: Option<String>,
    /// The newest version or draft.
    pub version: Option<Fragment>,
    pub updated_at: Timestamp,
}

/// The parts of a run that programs need.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    pub id: RunId,
    pub state: RunState,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A message's source text.
#[derive(Debug, Clone, Serialize)]
pub struct MessageReport {
    pub role: Role,
    pub kind: MessageKind,
    pub mode: Mode,
    /// Plain text of the user, Markdown of the assistant.
    pub content: String,
    pub created_at: Timestamp,
}

impl Projects {
    /// The project's current state.
    pub async fn report(&self, project: ProjectId) -> Result<ProjectReport, ProjectError> {
        self.expect_viewer(project).await?;
        let store = &self.inner.store;
        let found = store.find_project(project).await?;
        let run = store.list_runs(project).await?.pop();
        let (messages, _) = store.list_messages_before(project, None, 1).await?;
        let preview = store.last_event(project, "preview").await?;
        let (preview_url, preview_fault) = match preview.map(|event| event.kind) {
            Some(EventKind::Preview { preview }) => seen(preview),
            _ => (None, None),
        };
        Ok(ProjectReport {
            id: project,
            title: found.title,
            status: run.as_ref().map(|run| run.state).into(),
            run: run.map(|run| RunReport {
                id: run.id,
                state: run.state,
                created_at: run.created_at,
                finished_at: run.finished_at,
            }),
            message: messages.into_iter().next_back().map(|last| MessageReport {
                role: last.role,
                kind: last.kind,
                mode: last.mode,
                content: last.content,
                created_at: last.created_at,
            }),
            preview_url,
            preview_fault,
            version: store.latest_fragment(project).await?,
            updated_at: found.updated_at,
        })
    }

    /// The project's state once all its runs have ended, or after `longest`.
    pub async fn report_when_done(
        &self,
        project: ProjectId,
        longest: Duration,
    ) -> Result<ProjectReport, ProjectError> {
        self.expect_viewer(project).await?;
        let store = &self.inner.store;
        let after = store.last_seq(project).await?;
        let mut follower = self.inner.events.follow(project, after);
        let done = async {
            while store.next_run(project).await?.is_some() {
                let changed = change_of_runs(&mut follower);
                if let Ok(changed) = tokio::time::timeout(CHECK_INTERVAL, changed).await {
                    changed?;
                }
            }
            Ok::<_, ProjectError>(())
        };
        if let Ok(done) = tokio::time::timeout(longest, done).await {
            done?;
        }
        self.report(project).await
    }

    /// Stops the project's running and queued runs; what they wrote is kept.
    pub async fn stop(&self, project: ProjectId) -> Result<(), ProjectError> {
        self.expect_editor(project).await?;
        self.stop_all(project).await
    }
}

/// Returns when a run of the project was created, began or ended.
async fn change_of_runs(follower: &mut Follower) -> Result<(), ProjectError> {
    loop {
        if let FollowEvent::Event(next) = follower.next().await?
            && matches!(
                next.event.kind,
                EventKind::Run { .. } | EventKind::Withdrawn { .. }
            )
        {
            return Ok(());
        }
    }
}

/// The preview's address, and why it can't be shown.
fn seen(preview: PreviewState) -> (Option<String>, Option<String>) {
    match preview {
        PreviewState::None | PreviewState::Starting => (None, None),
        PreviewState::Compiling { url }
        | PreviewState::Asleep { url }
        | PreviewState::Ready { url, .. } => (Some(url), None),
        PreviewState::Failed { url, reason } => (url, Some(reason)),
    }
}
