//! Repeats requests where that is safe, as E2B's own clients do: up to three times, after
//! `Retry-After` or an exponential back-off.

use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Response, StatusCode, header};

use super::{SandboxError, error};

/// How many times a request is repeated.
const MAX_REPEATS: u32 = 3;
/// The wait before the first repetition, give or take a quarter; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// How long after the first attempt a repetition may begin; further ones are up to the caller.
const MAX_RETRY_TIME: Duration = Duration::from_secs(30);

/// When a request may be repeated. A request that was never sent may always be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Only if it was never sent: otherwise the work may have begun.
    Unsent,
    /// Also if it was refused for now (429, 503), so nothing was done.
    Refused,
    /// After any transient failure: the request is idempotent.
    Harmless,
}

/// Sends the request, repeats it where that is safe and may help, and returns the last response.
pub(super) async fn send(
    mut request: RequestBuilder,
    repeat: Repeat,
) -> Result<Response, SandboxError> {
    let begun = Instant::now();
    for attempt in 0..MAX_REPEATS {
        // A streamed body can't be sent twice.
        let Some(again) = request.try_clone() else {
            break;
        };
        let answer = request.send().await;
        let asked = match &answer {
            Ok(response) if repeat.after_answer(response) => error::retry_after(response.headers()),
            Err(error) if repeat.after_failure(error) => None,
            Ok(_) | Err(_) => return Ok(answer?),
        };
        let wait = asked.unwrap_or_else(|| {
            (FIRST_WAIT * 2_u32.pow(attempt)).mul_f64(0.75 + rand::random::<f64>() / 2.0)
        });
        if begun.elapsed().saturating_add(wait) > MAX_RETRY_TIME {
            return Ok(answer?);
        }
        tracing::debug!(
            attempt,
            wait.ms = wait.as_millis(),
            "repeating a request to the sandbox service"
        );
        tokio::time::sleep(wait).await;
        request = again;
    }
    Ok(request.send().await?)
}

impl Repeat {
    fn after_answer(self, response: &Response) -> bool {
        let status = response.status();
        match self {
            Self::Unsent => false,
            Self::Refused => matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ),
            Self::Harmless => match status {
                // Between two states, such as while it is being paused.
                StatusCode::CONFLICT
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => true,
                // In JSON, this is the data plane: the sandbox does not run, and a retry won't
                // change that.
                StatusCode::BAD_GATEWAY => !is_json(response),
                _ => false,
            },
        }
    }

    fn after_failure(self, error: &reqwest::Error) -> bool {
        error.is_connect() || (self == Self::Harmless && error.is_request() && !error.is_timeout())
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
