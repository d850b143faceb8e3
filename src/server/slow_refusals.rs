//! Refusals of too many requests take a moment: whoever asks again as soon as they are answered, as
//! most floods do, then asks a few times a second, and others' pages stay quick.

use std::time::Duration;

use axum::{extract::Request, http::StatusCode, middleware::Next, response::Response};
use tokio::sync::Semaphore;

const DELAY: Duration = Duration::from_millis(250);
/// How many refusals wait at the same time; further ones are sent at once, as each wait takes a
/// connection.
static WAITING: Semaphore = Semaphore::const_new(512);

pub async fn delay(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Ok(_place) = WAITING.try_acquire()
    {
        tokio::time::sleep(DELAY).await;
    }
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{pin::pin, time::Instant};

    use axum::{Router, body::Body, middleware, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn only_refusals_of_too_many_requests_wait() {
        let router = Router::new()
            .route("/calm", get(|| async { StatusCode::OK }))
            .route("/storm", get(|| async { StatusCode::TOO_MANY_REQUESTS }))
            .layer(middleware::from_fn(delay));
        let ask = async |path| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        };
        let mut refused = pin!(ask("/storm"));
        // Not even once it has been asked for others.
        for _ in 0..100 {
            assert!(futures::poll!(&mut refused).is_pending());
            ask("/calm").await;
        }
        let begun = Instant::now();
        refused.await;
        assert!(begun.elapsed() > DELAY / 2);
    }
}
