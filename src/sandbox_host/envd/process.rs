//! `process.Process`: Start and Connect, which stream a process's start, output and end; List,
//! SendInput, CloseStdin, SendSignal and Update (`messages` has their bodies). `running` starts
//! processes and forwards their output (`output`); `terminal` provides terminals, `tree` finds a
//! process's descendants, and `left` ends what commands left running.

mod left;
mod messages;
mod output;
mod running;
mod terminal;
mod tree;

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use messages::{Start, To, event};
use nix::sys::signal::Signal;
pub(super) use running::Processes;
use running::{Limits, Subscription};
use serde_json::{Value, json};
pub(super) use tree::MARK;

use super::connect::{self, Error, Message, Times, answer};
use crate::e2b;

/// How long after the deadline a stream waits for the killed process's end.
const END_GRACE: Duration = Duration::from_secs(3);

pub(super) fn router(processes: Processes) -> Router {
    Router::new()
        .route("/process.Process/Start", post(start))
        .route("/process.Process/Connect", post(connect))
        .route("/process.Process/List", post(list))
        .route("/process.Process/SendInput", post(send_input))
        .route("/process.Process/CloseStdin", post(close_stdin))
        .route("/process.Process/SendSignal", post(send_signal))
        .route("/process.Process/Update", post(update))
        .with_state(processes)
}

/// The process is killed at the stream's deadline; a client that disconnects leaves it running.
async fn start(
    State(processes): State<Processes>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut times = Times::of(&headers);
    let output = headers
        .get(e2b::OUTPUT_LIMIT)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let limits = Limits {
        deadline: times.deadline,
        output,
    };
    let started = match connect::request::<Start>(&body) {
        Ok(request) => processes.start(request, limits).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(subscription) => {
            // The process's end event reports the deadline.
            times.deadline = times.deadline.map(|deadline| deadline + END_GRACE);
            follow(subscription, times)
        }
        Err(error) => connect::stream(Body::from(error.end_of_stream())),
    }
}

async fn connect(
    State(processes): State<Processes>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let found = connect::request::<To>(&body).and_then(|request| processes.find(&request.process));
    match found {
        Ok(running) => follow(running.subscribe(), Times::of(&headers)),
        Err(error) => connect::stream(Body::from(error.end_of_stream())),
    }
}

/// Forwards a subscription's frames, with keepalives during silence.
fn follow(subscription: Subscription, times: Times) -> Response<Body> {
    let state = (Some(subscription), times);
    connect::stream(Body::from_stream(futures::stream::unfold(
        state,
        async |(subscription, times)| {
            let mut subscription = subscription?;
            let (bytes, subscription) = tokio::select! {
                biased;
                bytes = subscription.next() => (bytes?, Some(subscription)),
                () = times.over() => (Error::deadline().end_of_stream().into(), None),
                () = tokio::time::sleep(times.keepalive) => (event(&json!({ "keepalive": {} })), Some(subscription)),
            };
            Some((
                Ok::<_, std::convert::Infallible>(bytes),
                (subscription, times),
            ))
        },
    )))
}

async fn list(State(processes): State<Processes>) -> Response<Body> {
    let running: Vec<Value> = processes
        .all()
        .iter()
        .map(|running| running.description())
        .collect();
    answer(Ok(if running.is_empty() {
        json!({})
    } else {
        json!({ "processes": running })
    }))
}

async fn send_input(
    State(processes): State<Processes>,
    Message(to): Message<To>,
) -> Response<Body> {
    let write = async {
        let running = processes.find_running(&to.process)?;
        let (text, pty) = match (to.input.stdin, to.input.pty) {
            (Some(text), None) => (text, false),
            (None, Some(text)) => (text, true),
            _ => return Err(Error::invalid("input is either stdin or pty")),
        };
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| Error::invalid(error.to_string()))?;
        running.write(&bytes, pty).await?;
        Ok(json!({}))
    };
    answer(write.await)
}

async fn close_stdin(
    State(processes): State<Processes>,
    Message(to): Message<To>,
) -> Response<Body> {
    let close = async {
        processes.find_running(&to.process)?.close_stdin().await?;
        Ok(json!({}))
    };
    answer(close.await)
}

async fn send_signal(
    State(processes): State<Processes>,
    Message(to): Message<To>,
) -> Response<Body> {
    let named = match to.signal.as_str() {
        "SIGNAL_SIGKILL" => Ok(Signal::SIGKILL),
        "SIGNAL_SIGTERM" => Ok(Signal::SIGTERM),
        other => Err(Error::invalid(format!("unknown signal {other}"))),
    };
    answer(named.and_then(|signal| {
        processes.find_running(&to.process)?.signal(signal);
        Ok(json!({}))
    }))
}

async fn update(State(processes): State<Processes>, Message(to): Message<To>) -> Response<Body> {
    let resize = || {
        let running = processes.find_running(&to.process)?;
        if let Some(pty) = &to.pty {
            running.resize(pty.size)?;
        }
        Ok(json!({}))
    };
    answer(resize())
}
