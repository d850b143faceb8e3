//! The feed: `GET /ws/projects/{id}?after={seq}`, a plain WebSocket that replays the events after
//! `seq` and then follows. Frames are [`FeedFrame`] to the client and [`FeedRequest`] from it, as
//! JSON text; any other frame closes it with a reason.

use std::time::{Duration, Instant};

use axum::{
    Extension,
    body::Bytes,
    extract::{
        Path, Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use serde::Deserialize;

use super::{
    AppState,
    identity::{Seen, signed_out},
    metrics,
};
use crate::{
    accounts::Requester,
    projects::{FeedItem, FollowError, ProjectError, Projects},
    protocol::{FeedFrame, FeedRequest, ProjectId, first_chars},
};

/// The interval between pings, and how long the client may stay silent or take to read a frame,
/// because a broken connection is silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
/// The maximum size of a client's frame, in bytes; a ping takes a few dozen.
const MAX_REQUEST_BYTES: usize = 4096;

#[derive(Debug, Deserialize)]
pub struct After {
    after: Option<String>,
}

/// Upgrades and follows. A wrong id or `after` closes the socket with a reason, because pages can
/// read that, but not an HTTP error.
pub async fn follow(
    State(state): State<AppState>,
    Seen(projects): Seen,
    requester: Option<Extension<Requester>>,
    Path(project): Path<String>,
    Query(After { after }): Query<After>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(MAX_REQUEST_BYTES)
        .on_upgrade(async move |mut socket| {
            let _open = metrics::OpenFeed::new();
            let signed_out = signed_out(&state.accounts, requester);
            let followed = tokio::select! {
                followed = serve(&state, &projects, &mut socket, &project, after.as_deref()) => followed,
                () = signed_out => Err((close_code::POLICY, "you are signed out".to_owned())),
            };
            let reason = match followed {
                Ok(()) => return,
                Err(reason) => reason,
            };
            // Fails if the client has disconnected.
            let _ = socket
                .send(Message::Close(Some(CloseFrame {
                    code: reason.0,
                    reason: Utf8Bytes::from(reason.1),
                })))
                .await;
        })
}

type Close = (u16, String);

async fn serve(
    state: &AppState,
    projects: &Projects,
    socket: &mut WebSocket,
    project: &str,
    after: Option<&str>,
) -> Result<(), Close> {
    let refused = |reason: String| (close_code::POLICY, reason);
    let project: ProjectId = project
        .parse()
        .map_err(|_| refused("there is no such project".to_owned()))?;
    let after = match after {
        None => 0,
        Some(text) => match text.parse::<i64>() {
            Ok(seq) if seq >= 0 => seq,
            _ => {
                return Err(refused(format!(
                    "after={} is not a sequence number",
                    first_chars(text, 40)
                )));
            }
        },
    };
    let mut feed = projects
        .follow(project, after)
        .await
        .map_err(|error| match error {
            FollowError::Future { .. } => refused(error.to_string()),
            FollowError::Project(ProjectError::NotFound(_)) => {
                refused("there is no such project".to_owned())
            }
            FollowError::Project(ProjectError::SignedOut) => {
                refused("you are signed out".to_owned())
            }
            FollowError::Project(error) => internal(&error),
        })?;
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    let mut heard_at = Instant::now();
    loop {
        let frame = tokio::select! {
            _ = ping.tick() => {
                if heard_at.elapsed() > SILENCE {
                    return Err(refused("no sign of life".to_owned()));
                }
                Message::Ping(Bytes::new())
            }
            next = feed.next() => match next.map_err(|error| internal(&error))? {
                FeedItem::Event(frame) => {
                    Message::Text(Utf8Bytes::try_from(frame).map_err(|error| internal(&error))?)
                }
                FeedItem::CaughtUp => text(&FeedFrame::CaughtUp)?,
                FeedItem::Team(team) => text(&FeedFrame::Team { team })?,
                FeedItem::Gone => {
                    // Fails if the client has disconnected.
                    let _ = socket.send(text(&FeedFrame::Gone)?).await;
                    return Err(refused("there is no such project".to_owned()));
                }
            },
            received = socket.recv() => {
                heard_at = Instant::now();
                match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Text(request))) => match serde_json::from_str(&request) {
                        Ok(FeedRequest::Ping) => text(&FeedFrame::Pong)?,
                        Err(_) => return Err(refused("a frame is not a feed request".to_owned())),
                    },
                    Some(Ok(Message::Binary(_))) => {
                        let reason = "the feed speaks JSON text".to_owned();
                        return Err((close_code::UNSUPPORTED, reason));
                    }
                }
            }
            () = state.shutdown.cancelled() => {
                return Err((close_code::AWAY, "the server is restarting".to_owned()));
            }
        };
        if !matches!(
            tokio::time::timeout(SILENCE, socket.send(frame)).await,
            Ok(Ok(()))
        ) {
            return Ok(());
        }
    }
}

fn text(frame: &FeedFrame) -> Result<Message, Close> {
    Ok(Message::text(
        serde_json::to_string(frame).map_err(|error| internal(&error))?,
    ))
}

fn internal(error: &dyn std::error::Error) -> Close {
    tracing::error!(%error, "the feed stopped");
    (
        close_code::ERROR,
        "the server had a fault; reconnect".to_owned(),
    )
}
