//! Drafts: the work of a run without a result is saved as a version marked as a draft, so that it
//! outlives the sandbox.

use std::time::Duration;

use super::{
    build::RunContext,
    kept_work::{KeptWork, overlay, work_of},
};
use crate::{
    agent::{App, RunError, Work, provisional_title},
    protocol::{AppEntry, Mode, Run, RunId, RunState},
    store::NewFragment,
};

/// How long saving a draft may delay the project's next run.
const TIMEOUT: Duration = Duration::from_secs(45);
/// How long the sandbox has to answer. Otherwise the steps tell what was written.
const SANDBOX: Duration = Duration::from_secs(20);

/// Saves the work of a run that ended without a result. A failure is only logged: the tools' writes
/// can still be recovered from the run's steps.
pub async fn save(context: &RunContext, run: RunId) {
    let saved = tokio::time::timeout(TIMEOUT, try_to_save(context, run)).await;
    match saved {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "the run's work was not kept as a draft"
            )
        }
        Err(_) => {
            tracing::warn!("saving the run's work as a draft took too long")
        }
    }
}

async fn try_to_save(context: &RunContext, run: RunId) -> Result<(), RunError> {
    let store = &context.store;
    let run = store.find_run(run).await?;
    if !matches!(run.state, RunState::Failed | RunState::Cancelled) {
        return Ok(());
    }
    let prompt = store.find_message(run.message).await?;
    // The other modes write nothing, whatever the model tries.
    if prompt.mode != Mode::Build {
        return Ok(());
    }
    let work = work_of(store, run.id).await?;
    if !work.has_begun {
        return Ok(());
    }
    let (entries, partial) = match snapshot(context, &run, &work).await {
        Some(entries) => (entries, false),
        None => match KeptWork::of_project(store, run.project).await? {
            Some(kept) => (kept.entries, kept.partial),
            None => return Ok(()),
        },
    };
    let title = format!("Draft of {}", provisional_title(&prompt.content));
    let draft = NewFragment {
        project_title: String::new(),
        title,
        entries: entries.into(),
        partial,
        picture: None,
    };
    context
        .events
        .announce(store.save_draft(run.id, &draft).await?);
    Ok(())
}

/// The app in the run's sandbox; `None` when the sandbox can't be reached.
async fn snapshot(context: &RunContext, run: &Run, work: &Work) -> Option<Vec<AppEntry>> {
    let sandbox = context.store.sandbox_of(run.project).await.ok()??;
    let looking = async {
        let app: App = context
            .agent
            .open(&sandbox)
            .await?
            .ok_or_else(|| anyhow::anyhow!("the sandbox is gone"))?;
        app.snapshot().await
    };
    let entries = match tokio::time::timeout(SANDBOX, looking).await {
        Ok(Ok(snapshot)) => snapshot.entries?,
        Ok(Err(error)) => {
            tracing::info!(%error, "the draft is made without the sandbox");
            return None;
        }
        Err(_) => return None,
    };
    // A sandbox that replaced the run's own may lack some of its files.
    let is_the_runs = work.sandbox.as_deref().is_none_or(|own| own == sandbox);
    Some(if is_the_runs {
        entries
    } else {
        overlay(entries, work.files.clone())
    })
}
