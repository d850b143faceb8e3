//! The socket of a project's terminals: `GET /ws/projects/{id}/terminal`. Frames are
//! [`TerminalFrame`] to the client and [`TerminalRequest`] from it, as JSON text, and input and
//! output as bytes; any other frame closes it with a reason.

use std::time::{Duration, Instant};

use axum::{
    Extension,
    body::Bytes,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};

use super::{
    AppState,
    identity::{Seen, signed_out},
};
use crate::{
    accounts::Requester,
    projects::{ProjectError, Projects, TerminalItem, TerminalViewer},
    protocol::{ProjectId, TerminalRequest},
};

/// The time between pings, and how long the client may stay silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may take to read a frame.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum size of a client's frame, in bytes; pages split long pastes.
const MAX_FRAME: usize = 64 << 10;
/// The length of the shell's number before the input.
const NUMBER: usize = 4;

type Close = (u16, String);

/// Upgrades and serves. A wrong id closes the socket with a reason, because pages can read that,
/// but not an HTTP error.
pub async fn open(
    State(state): State<AppState>,
    Seen(projects): Seen,
    requester: Option<Extension<Requester>>,
    Path(project): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(MAX_FRAME)
        .on_upgrade(async move |mut socket| {
            let signed_out = signed_out(&state.accounts, requester);
            let served = tokio::select! {
                served = serve(&state, &projects, &mut socket, &project) => served,
                () = signed_out => Err((close_code::POLICY, "you are signed out".to_owned())),
            };
            let Err((code, reason)) = served else {
                return;
            };
            let reason = Utf8Bytes::from(reason);
            // Fails if the client has disconnected.
            let _ = socket
                .send(Message::Close(Some(CloseFrame { code, reason })))
                .await;
        })
}

async fn serve(
    state: &AppState,
    projects: &Projects,
    socket: &mut WebSocket,
    project: &str,
) -> Result<(), Close> {
    let refused = |reason: &str| (close_code::POLICY, reason.to_owned());
    let project: ProjectId = project
        .parse()
        .map_err(|_| refused("there is no such project"))?;
    let mut viewer = match projects.terminals(project).await {
        Ok(viewer) => viewer,
        Err(ProjectError::NotFound(_)) => return Err(refused("there is no such project")),
        Err(ProjectError::SignedOut) => return Err(refused("you are signed out")),
        Err(ProjectError::Conflict(why) | ProjectError::Forbidden(why)) => {
            return Err(refused(why));
        }
        Err(error) => return Err(internal(&error)),
    };
    let mut loses_editing = std::pin::pin!(projects.loses_editing(project));
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    let mut heard_at = Instant::now();
    loop {
        let message = tokio::select! {
            received = socket.recv() => {
                heard_at = Instant::now();
                match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(message)) => take(&mut viewer, message)?,
                }
                continue;
            }
            item = viewer.next() => frame(item)?,
            _ = ping.tick() => {
                if heard_at.elapsed() > SILENCE {
                    return Err(refused("no sign of life"));
                }
                Message::Ping(Bytes::new())
            }
            () = &mut loses_editing => {
                return Err(refused("you may not change this project any more"));
            }
            () = state.shutdown.cancelled() => {
                return Err((close_code::AWAY, "the server is restarting".to_owned()));
            }
        };
        if !matches!(
            tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await,
            Ok(Ok(()))
        ) {
            return Ok(());
        }
    }
}

fn take(viewer: &mut TerminalViewer, message: Message) -> Result<(), Close> {
    match message {
        Message::Text(request) => match serde_json::from_str::<TerminalRequest>(&request) {
            Ok(request) => viewer.take(request),
            Err(_) => {
                let reason = "a frame is not a request of a terminal".to_owned();
                return Err((close_code::POLICY, reason));
            }
        },
        Message::Binary(bytes) => match bytes.split_first_chunk::<NUMBER>() {
            Some((number, keys)) => viewer.type_into(u32::from_be_bytes(*number), keys.to_vec()),
            None => {
                let reason = "a frame is too short to name a shell".to_owned();
                return Err((close_code::POLICY, reason));
            }
        },
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
    }
    Ok(())
}

fn frame(item: TerminalItem) -> Result<Message, Close> {
    match item {
        TerminalItem::Frame(frame) => Ok(Message::text(
            serde_json::to_string(&frame).map_err(|error| internal(&error))?,
        )),
        TerminalItem::Output {
            shell,
            place,
            bytes,
        } => {
            let head = [&shell.to_be_bytes()[..], &place.to_be_bytes()[..]].concat();
            Ok(Message::binary([head, bytes].concat()))
        }
    }
}

fn internal(error: &dyn std::error::Error) -> Close {
    tracing::error!(%error, "a terminal's socket stopped");
    (
        close_code::ERROR,
        "the server had a fault; reconnect".to_owned(),
    )
}
