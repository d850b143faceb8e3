//! A run, as named steps over the journal. After a restart the same function runs again: steps with
//! an output are replayed and the others executed, in the same sandbox or in its replacement.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tracing::Instrument;

use super::{
    Events, ProjectApp,
    app_locks::{AppLock, AppLocks},
    journal::{StepJournal, persistently},
    kept_work::{KeptWork, overlay},
    own_keys::{OwnKeyError, OwnKeys},
    records::Records,
};
use crate::{
    agent::{
        self, Agent, AgentInput, ApprovedPlan, Attempt, BuildOutcome, Built, CodeFiles,
        ConversationOutcome, Design, Job, Journal, Listing, NOTES, PrevMessage, RunError,
        RunSandbox, Snapshot, Step, VerifiedJourney,
    },
    protocol::{
        AppEntry, AppNode, EventKind, LeftOut, Message, Mode, PreviewErrorKind, ProjectId, Run,
        Status, journeys_note, list_left_out,
    },
    store::{NewFragment, NewPassedJourney, Reply, Store, StoreError},
};

/// The step that opens the project's app.
pub const SANDBOX_STEP: &str = "get-or-create-sandbox";
/// The step that describes an attached image.
pub const BUILD_INPUT: &str = "build-agent-input";
/// How many messages before the prompt the model sees in full.
const PREV_MESSAGES: u64 = 6;
/// How many of the user's still earlier requests it sees, shortened.
const EARLIER_REQUESTS: u64 = 300;
/// How many of the most recently changed files the model sees.
const CHANGED_FILES: usize = 12;
/// The longest time for reading and saving a version's files.
const SAVE_TIMEOUT: Duration = Duration::from_secs(300);

/// The reply if a message's image is gone from the database.
const IMAGE_LOST: &str = "The image of this message is no longer stored. Send the message again, \
    and attach the image once more if it matters.";

/// What a run works with, as cheap handles.
#[derive(Clone)]
pub struct RunContext {
    pub store: Store,
    pub events: Events,
    pub agent: Agent,
    pub own_keys: OwnKeys,
    pub apps: Arc<dyn ProjectApp>,
    /// Held while a run changes its project's app, until its work is saved.
    pub locks: AppLocks,
}

impl RunContext {
    /// What the holder of the lock works with: it writes nothing once the lock is lost.
    pub fn under(&self, lock: &AppLock) -> Self {
        let store = lock.guard(&self.store);
        Self {
            events: self.events.saved_in(store.clone()),
            store,
            ..self.clone()
        }
    }
}

/// Executes the run's steps; the last one saves its result. An error ends the run with an ERROR
/// message.
pub async fn build(context: &RunContext, run: &Run, records: &Records) -> Result<(), RunError> {
    let RunContext {
        store,
        events,
        apps,
        ..
    } = context;
    let (project, begun) = (run.project, Instant::now());
    let agent = answering(context, run).await?;
    let journal = {
        let (store, events, apps) = (store.clone(), events.clone(), apps.clone());
        StepJournal::new(store, events, apps, run.clone(), records.clone())
    };

    journal.publish(status(Status::StartingSandbox)).await?;
    // After a restart the first step that needs the app opens it: its sandbox is asleep or gone.
    let opened = &Mutex::new(None);
    let begun_in: String = journal
        .step(Step::new(SANDBOX_STEP, &project), |_| async move {
            let app = apps.open(project).await?;
            let id = app.id().to_owned();
            *opened.lock().await = Some(app);
            Ok(id)
        })
        .await?;
    let app = opened.lock().await.take();
    apps.changed(project);
    let sandbox = &RunSandbox::new(
        app,
        begun_in,
        Box::new(move || Box::pin(apps.open(project))),
    );

    let message = &persistently(|| store.find_message(run.message)).await?;
    let agent = &agent.preferring(message.model.as_ref());
    let previous: Vec<PrevMessage> = journal
        .step(
            Step::new("get-prev-messages", &message.id),
            |_| async move {
                let messages =
                    persistently(|| store.messages_before(message, PREV_MESSAGES)).await?;
                let mut previous = Vec::from_iter(earlier(store, message, &messages).await?);
                previous.extend(with_last_design(store, messages).await?);
                Ok(previous)
            },
        )
        .await?;
    let listed: CodeList = journal
        .step(Step::new("get-prev-code-files", &project), |_| {
            sandbox.with_app(|app| async move { Ok(CodeList::from(app.list().await?)) })
        })
        .await?;
    let approved = match message.mode {
        Mode::Build => persistently(|| store.approved_plan(message)).await?,
        Mode::Plan | Mode::Ask => None,
    };
    let approved = approved.as_ref();
    let input: AgentInput = {
        let (journal, previous, listed) = (&journal, &previous, &listed);
        let input = (previous, listed, &message.content, &message.image);
        let step = Step::new(BUILD_INPUT, &input).with_alternatives(agent.alternatives());
        journal
            .step(step, |attempt| async move {
                let changed =
                    persistently(|| store.files_changed_last(project, CHANGED_FILES)).await?;
                let mut wanted = changed;
                wanted.retain(|path| path != NOTES);
                wanted.push(NOTES.to_owned());
                let mut changed = sandbox
                    .with_app(|app| async move { app.read_files(wanted).await })
                    .await?;
                let notes = changed.pop_if(|(path, _)| path == NOTES);
                let files = CodeFiles {
                    paths: listed.paths(),
                    changed: &changed,
                    notes: notes.as_ref().map(|(_, content)| &**content),
                    left_out: listed.left_out(),
                };
                // Last, because it costs money: no later failure makes another attempt pay again.
                let design = look_at_image(context, agent, journal, message, attempt).await?;
                let plan = approved.map(|(by, plan)| agent::plan_note(plan, *by == message.id));
                let (mode, prompt) = (message.mode, &message.content);
                Ok(AgentInput::new(
                    mode, plan, previous, &files, prompt, design,
                ))
            })
            .await?
    };
    if let Some(design) = &input.design {
        // Published again, because a restart may have interrupted it; an unchanged preview is no
        // event.
        journal
            .publish(Design::shown(Some(design), BUILD_INPUT))
            .await?;
    }

    let reporting = apps.clone();
    let tick = approved.map(|(by, _)| {
        let (by, store, events) = (*by, store.clone(), events.clone());
        move |index: usize| -> BoxFuture<'static, Result<(), RunError>> {
            let (store, events) = (store.clone(), events.clone());
            Box::pin(async move {
                events.announce(persistently(|| store.tick_step(by, index)).await?);
                Ok(())
            })
        }
    });
    let versions = store.clone();
    let before = move |paths: Vec<String>| -> BoxFuture<'static, Result<_, RunError>> {
        let store = versions.clone();
        Box::pin(async move { files_before(&store, project, &paths).await })
    };
    let decided = persistently(|| store.decided_for(message)).await?;
    let (mcp, files) = (agent.mcp(), listed.paths());
    let mcp = mcp.of_run(&journal, sandbox, message.mode, files, decided);
    let mcp = mcp.await?;
    let plan = approved.zip(tick.as_ref());
    let plan = plan.map(|((_, plan), tick)| ApprovedPlan { plan, tick });
    let job = Job {
        journal: &journal,
        agent,
        sandbox,
        project,
        mode: message.mode,
        is_answer: message.answers.is_some(),
        plan,
        before: &before,
        mcp,
        journeys: agent::kept_journeys(listed.paths(), &message.content),
        browser: agent.ahead(),
        reports: &move || {
            let standing = reporting.reported_since(project, begun)?.into_iter();
            // Messages in the console alone don't make an app unusable.
            let thrown = standing.filter(|error| error.kind != PreviewErrorKind::Console);
            Some(
                thrown
                    .map(|error| format!("{} (page {})", error.message, error.path))
                    .collect(),
            )
        },
    };
    if message.mode != Mode::Build {
        let said = agent::converse(&job, &input).await?;
        return save_said(context, run, &journal, said).await;
    }
    let outcome = match agent::build_app(&job, &input).await? {
        Built::App(outcome) => outcome,
        Built::Asked(said) => return save_said(context, run, &journal, said).await,
    };

    journal.publish(status(Status::GeneratingUrl)).await?;
    let _url: String = journal
        .step(Step::new("get-sandbox-url", &project), |_| {
            sandbox.with_app(|app| async move {
                apps.publish_preview(project, &app).await?;
                Ok(app.url())
            })
        })
        .await?;

    journal.publish(status(Status::GeneratingName)).await?;
    let input = (&message.content, &outcome.summary);
    let titles = journal
        .step(Step::new("generate-metadata", &input), |_| async {
            let alternative = journal.alternative();
            Ok(agent
                .name(alternative, &previous, &message.content, &outcome.summary)
                .await)
        })
        .await?;

    journal.publish(status(Status::Saving)).await?;
    let (journal, outcome, titles) = (&journal, &outcome, &titles);
    journal
        .step(
            Step::new("save-to-db", &outcome.summary).within(SAVE_TIMEOUT),
            |_| async move {
                let (entries, partial, left_out) = entries(store, project, sandbox).await?;
                let reply = Reply::Result {
                    content: with_notes(outcome, &left_out),
                    fragment: NewFragment {
                        project_title: titles.project.clone(),
                        title: titles.fragment.clone(),
                        entries: entries.into(),
                        partial,
                        picture: outcome.picture.as_deref().map(Into::into),
                    },
                    journeys: outcome.journeys.iter().map(passed).collect(),
                };
                journal.publish(status(Status::Ready)).await?;
                finish(context, run, reply).await
            },
        )
        .await
}

/// Ends a run that changed nothing with what the model said.
async fn save_said(
    context: &RunContext,
    run: &Run,
    journal: &StepJournal,
    said: ConversationOutcome,
) -> Result<(), RunError> {
    journal.publish(status(Status::Saving)).await?;
    let ConversationOutcome {
        kind,
        content,
        part,
    } = said;
    let step = Step::new("save-to-db", &content);
    let reply = &Reply::Answer {
        kind,
        content: content.clone(),
        part,
    };
    journal
        .step(step, |_| finish(context, run, reply.clone()))
        .await
}

/// The agent that answers the run. If the run began with the sender's own key, that is the key's
/// provider and no other; otherwise the installation's models.
async fn answering(context: &RunContext, run: &Run) -> Result<Agent, RunError> {
    let store = &context.store;
    let Some(provider) = persistently(|| store.own_key_of(run.id)).await? else {
        return Ok(context.agent.clone());
    };
    let user = persistently(|| store.payer_of(run)).await?;
    match context.own_keys.agent(&user, provider).await {
        Ok(agent) => Ok(agent),
        Err(OwnKeyError::Store(error)) => Err(error.into()),
        Err(error) => Err(RunError::User(error.to_string())),
    }
}

/// Ends the run with its reply, in a task of its own, so that the saved reply is announced even if
/// the run's time is up meanwhile.
async fn finish(context: &RunContext, run: &Run, reply: Reply) -> Result<(), RunError> {
    let (store, events, run) = (context.store.clone(), context.events.clone(), run.id);
    let saving = async move {
        events.announce(persistently(|| store.finish_run(run, &reply)).await?);
        Ok(())
    };
    let saving = tokio::spawn(saving.in_current_span());
    saving.await.map_err(anyhow::Error::from)?
}

/// The app's files at the beginning of the run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum CodeList {
    /// The older form, before listings named what they leave out.
    Paths(Vec<String>),
    Listing {
        paths: Vec<String>,
        left_out: Vec<LeftOut>,
    },
}

impl From<Listing> for CodeList {
    fn from(listing: Listing) -> Self {
        Self::Listing {
            paths: listing.files(),
            left_out: listing.left_out,
        }
    }
}

impl CodeList {
    fn paths(&self) -> &[String] {
        match self {
            Self::Paths(paths) | Self::Listing { paths, .. } => paths,
        }
    }

    fn left_out(&self) -> &[LeftOut] {
        match self {
            Self::Paths(_) => &[],
            Self::Listing { left_out, .. } => left_out,
        }
    }
}

/// The version's entries, whether the template's files belong to it as well, and what it leaves
/// out. If the sandbox can't list its files, this is the previous version with the files this run
/// wrote.
async fn entries(
    store: &Store,
    project: ProjectId,
    sandbox: &RunSandbox<'_>,
) -> Result<(Vec<AppEntry>, bool, Vec<LeftOut>), RunError> {
    let Snapshot { entries, left_out } = sandbox
        .with_app(|app| async move { app.snapshot().await })
        .await?;
    if let Some(entries) = entries {
        return Ok((entries, false, left_out));
    }
    let kept = KeptWork::of_project(store, project).await?;
    let (before, partial) = kept.map_or((Vec::new(), true), |kept| (kept.entries, kept.partial));
    Ok((overlay(before, sandbox.written().await), partial, left_out))
}

/// Those of the files that the latest version has: paths and contents.
async fn files_before(
    store: &Store,
    project: ProjectId,
    paths: &[String],
) -> Result<BTreeMap<String, Vec<u8>>, RunError> {
    let Some(latest) = persistently(|| store.latest_fragment(project)).await? else {
        return Ok(BTreeMap::new());
    };
    let nodes = persistently(|| store.version_nodes(latest.id, paths)).await?;
    let files = nodes.into_iter().filter_map(|(path, node)| match node {
        AppNode::File { content, .. } => Some((path, content)),
        AppNode::Link { .. } | AppNode::Folder => None,
    });
    Ok(files.collect())
}

fn passed(journey: &VerifiedJourney) -> NewPassedJourney {
    NewPassedJourney {
        title: journey.title.clone(),
        picture: journey.picture.as_deref().map(Into::into),
    }
}

/// The summary, with notes of the journeys that passed and of what the version leaves out.
fn with_notes(outcome: &BuildOutcome, left_out: &[LeftOut]) -> String {
    let mut content = outcome.summary.clone();
    if !outcome.journeys.is_empty() {
        let titles = outcome.journeys.iter().map(|journey| &*journey.title);
        content.push_str(&journeys_note(titles));
    }
    if !left_out.is_empty() {
        content.push_str(&format!(
            "\n\nThe app works. Not kept in this version:\n\n{}",
            list_left_out(left_out)
        ));
    }
    content
}

/// The requests before this message that are not among the messages shown in full.
async fn earlier(
    store: &Store,
    message: &Message,
    shown: &[Message],
) -> Result<Option<PrevMessage>, StoreError> {
    let requests = persistently(|| {
        store.requests_before(message, shown, EARLIER_REQUESTS, agent::REQUEST_BEGINNING)
    });
    let requests = requests.await?;
    Ok(agent::earlier_requests(&requests))
}

/// The messages with a description of their last image only: all of them would be too long.
async fn with_last_design(
    store: &Store,
    messages: Vec<Message>,
) -> Result<Vec<PrevMessage>, StoreError> {
    let mut known = false;
    let mut previous = VecDeque::with_capacity(messages.len());
    for message in messages.into_iter().rev() {
        let mut design = None;
        if message.image.is_some() && !known {
            let looked = persistently(|| store.step_output(message.id, BUILD_INPUT)).await?;
            design =
                looked.and_then(|output| serde_json::from_str::<AgentInput>(&output).ok()?.design);
            known = design.is_some();
        }
        previous.push_front(PrevMessage::new(message, design.as_ref()));
    }
    Ok(previous.into())
}

/// The description of the message's image, where it has one.
async fn look_at_image(
    context: &RunContext,
    agent: &Agent,
    journal: &StepJournal,
    message: &Message,
    attempt: Attempt,
) -> Result<Option<Design>, RunError> {
    let Some(image) = &message.image else {
        return Ok(None);
    };
    if agent.can_look(attempt.alternative) {
        journal.publish(status(Status::LookingAtImage)).await?;
        journal.publish(Design::shown(None, BUILD_INPUT)).await?;
    }
    let owner = persistently(|| context.store.user_of(message.project)).await?;
    let content = match persistently(|| context.store.image_content(&owner, &image.id)).await {
        Err(StoreError::NotFound(_)) => return Err(RunError::User(IMAGE_LOST.to_owned())),
        content => content?,
    };
    let described = agent.describe_image(
        attempt.alternative,
        content.media_type.as_str(),
        &content.bytes,
        &message.content,
    );
    described.await.map(Some)
}

fn status(status: Status) -> EventKind {
    EventKind::Status { status }
}
