//! A project's feed: its events after a given one, each once and in order, as frames for the page.
//! While somebody follows it, the project's preview stays awake, and other members see that they
//! are present.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::{ProjectError, Projects, html, presence::Guest, previews::PreviewWatch};
use crate::{
    protocol::{Event, ProjectId, ProjectRole, Team},
    runs::{FeedEvent, FollowEvent, Follower},
    store::{Store, StoreError},
};

/// Why a feed can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("after={after} lies in the future; the last event is {last}")]
    Future { after: i64, last: i64 },
    #[error(transparent)]
    Project(#[from] ProjectError),
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Project(error.into())
    }
}

/// One follower of a project.
pub struct Feed {
    tail: Tail,
    projects: Projects,
    project: ProjectId,
    /// Marks the user as present; `None` where there are no accounts.
    guest: Option<Guest>,
    /// The members as last sent, and whether to look again.
    team: Option<Team>,
    team_is_due: bool,
    _watch: PreviewWatch,
}

/// The stream of events.
struct Tail {
    store: Store,
    follower: Follower,
    /// The event to hand out next.
    next: Option<Arc<FeedEvent>>,
}

/// An item of a feed.
#[derive(Debug)]
pub enum FeedItem {
    /// An event as a [`FeedFrame`](crate::protocol::FeedFrame), in JSON.
    Event(Bytes),
    /// All events saved before the feed began have been handed out. Comes once.
    CaughtUp,
    /// The project's members and who has it open: at first, and on every change.
    Team(Team),
    /// The user may no longer see the project.
    Gone,
}

#[derive(Serialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
enum Frame<'a> {
    Event { event: &'a Event },
}

impl Feed {
    /// Waits for the next item. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FeedItem, ProjectError> {
        loop {
            if self.team_is_due {
                let now = self.look_at_team().await?;
                self.team_is_due = false;
                match now {
                    None => return Ok(FeedItem::Gone),
                    Some(team) if self.team.as_ref() == Some(&team) => {}
                    Some(team) => return Ok(FeedItem::Team(self.team.insert(team).clone())),
                }
            }
            let Some(guest) = &mut self.guest else {
                return self.tail.next().await;
            };
            tokio::select! {
                item = self.tail.next() => return item,
                () = guest.changed() => self.team_is_due = true,
            }
        }
    }

    /// `None` if the user may no longer see the project.
    async fn look_at_team(&self) -> Result<Option<Team>, ProjectError> {
        let (projects, project) = (&self.projects, self.project);
        let team = async {
            let role = projects.expect_role(project, ProjectRole::Viewer).await?;
            projects.team(project, role).await
        };
        match team.await {
            Ok(team) => Ok(Some(team)),
            Err(ProjectError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Tail {
    async fn next(&mut self) -> Result<FeedItem, ProjectError> {
        loop {
            let next = match &self.next {
                Some(next) => next.clone(),
                None => match self.follower.next().await? {
                    FollowEvent::CaughtUp => return Ok(FeedItem::CaughtUp),
                    FollowEvent::Event(next) => self.next.insert(next).clone(),
                },
            };
            let frame = self.frame(&next).await?;
            self.next = None;
            if let Some(frame) = frame {
                return Ok(FeedItem::Event(frame));
            }
        }
    }

    /// The event as sent; `None` for a piece of a text that a later event replaces.
    async fn frame(&self, event: &Arc<FeedEvent>) -> Result<Option<Bytes>, ProjectError> {
        let frame = match event.frame.get() {
            Some(frame) => frame.clone(),
            None => {
                let saved = &event.event;
                let text = match (saved.kind.piece(), &event.answer, saved.run) {
                    (Some((of, _)), None, Some(run)) => {
                        match self.store.growing_text(run, of, saved.seq).await? {
                            None => return Ok(None),
                            text => text,
                        }
                    }
                    _ => None,
                };
                let (event, has_text) = (event.clone(), html::has_text(&saved.kind));
                // Built once and to its end, even if nobody waits for it any more.
                let build = move || event.frame.get_or_init(|| frame(&event, text)).clone();
                match has_text {
                    true => html::rendered(build).await?,
                    false => build(),
                }
            }
        };
        let frame = frame.map_err(|error| ProjectError::Internal(error.into()))?;
        Ok(Some(frame))
    }
}

/// The event as sent. `text` is the complete growing text if its answer is unknown.
fn frame(event: &FeedEvent, text: Option<String>) -> Result<Bytes, Arc<serde_json::Error>> {
    let saved = &event.event;
    let kind = match (saved.kind.piece(), &event.answer, text) {
        (Some((of, piece)), Some(answer), _) => {
            let text = |from| answer.text(from..piece.end());
            of.grown(html::piece(piece, text, &mut answer.shown()))
        }
        (Some((of, _)), None, Some(text)) => of.grown(html::whole_so_far(text)),
        _ => html::event(saved.clone()).kind,
    };
    let Event {
        project,
        seq,
        run,
        at,
        ..
    } = *saved;
    let handed_out = Event {
        project,
        seq,
        run,
        at,
        kind,
    };
    let frame = serde_json::to_vec(&Frame::Event { event: &handed_out });
    Ok(frame.map_err(Arc::new)?.into())
}

impl Projects {
    /// Follows the project's events after `after`.
    pub async fn follow(&self, project: ProjectId, after: i64) -> Result<Feed, FollowError> {
        self.expect_viewer(project).await?;
        let last = self.inner.store.last_seq(project).await?;
        if after > last {
            return Err(FollowError::Future { after, last });
        }
        let guest = match self.has_account() {
            true => Some(self.inner.presence.enter(project, self.user()?.clone())),
            false => None,
        };
        Ok(Feed {
            tail: Tail {
                store: self.inner.store.clone(),
                follower: self.inner.events.follow(project, after),
                next: None,
            },
            projects: self.clone(),
            project,
            team: None,
            team_is_due: guest.is_some(),
            guest,
            _watch: self.inner.previews.watch(project),
        })
    }
}
