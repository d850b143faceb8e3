//! The workspace as a page first loads it: one consistent snapshot, which the feed then continues.

use super::{ProjectError, Projects, html};
use crate::{
    protocol::{
        Event, EventKind, History, PreviewState, ProjectId, ProjectRole, RunId, Timestamp,
        Workspace,
    },
    store::{Store, StoreError},
};

impl Projects {
    /// The workspace's initial contents, or `NotFound`: the last `last` prompts with their replies,
    /// or all. With `last`, tool calls come without their outputs, which are fetched one by one.
    pub async fn workspace(
        &self,
        project: ProjectId,
        last: Option<u64>,
    ) -> Result<Workspace, ProjectError> {
        let role = self.expect_role(project, ProjectRole::Viewer).await?;
        let store = &self.inner.store;
        // Read first, so that the feed misses nothing. It may repeat events that happen while the
        // rest is read, which is harmless.
        let after = store.last_seq(project).await?;
        let limit = last.unwrap_or(i64::MAX.unsigned_abs());
        let History {
            messages,
            runs,
            earlier,
        } = self.conversation(project, None, limit).await?;
        let latest = runs.last().map(|run| run.id);
        let shown: Vec<RunId> = runs
            .iter()
            .filter(|run| !run.state.is_final() || Some(run.id) == latest)
            .map(|run| run.id)
            .collect();
        let mut events = store.events_of_runs(shown).await?;
        let preview = match store
            .last_event(project, "preview")
            .await?
            .map(|event| event.kind)
        {
            // This may be outdated; the preview is checked again as soon as the feed is followed.
            Some(EventKind::Preview {
                preview: PreviewState::Ready { url, notice },
            }) => PreviewState::Ready { url, notice },
            Some(EventKind::Preview {
                preview: PreviewState::None,
            })
            | None => PreviewState::None,
            Some(_) => PreviewState::Starting,
        };
        let notice = match store.last_event(project, "notice").await? {
            Some(Event {
                at,
                kind: EventKind::Notice { text },
                ..
            }) => is_newer_than_results(store, project, at)
                .await?
                .then_some(text),
            _ => None,
        };
        if last.is_some() {
            events.iter_mut().for_each(leave_out_output);
        }
        Ok(Workspace {
            version: store.latest_fragment(project).await?,
            notice,
            project: store.find_project(project).await?,
            messages,
            runs,
            events: html::rendered(|| html::events(events)).await?,
            preview,
            after,
            model: self.model().await?,
            team: self.team(project, role).await?,
            earlier,
        })
    }

    /// The events of a run, or `NotFound`.
    pub async fn run_events(&self, run: RunId) -> Result<Vec<Event>, ProjectError> {
        self.visible_run(run).await?;
        let events = self.inner.store.events_of_run(run).await?;
        html::rendered(|| html::events(events)).await
    }
}

/// Empties the output of a turn's tool call, which is fetched again by the step's name.
fn leave_out_output(event: &mut Event) {
    if let EventKind::Tool { tool } = &mut event.kind
        && tool.step.starts_with("turn-")
        && let Some(output) = &mut tool.output
    {
        output.clear();
    }
}

async fn is_newer_than_results(
    store: &Store,
    project: ProjectId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let newest = store.newest_version(project).await?;
    Ok(newest.is_none_or(|version| version.created_at < at))
}
