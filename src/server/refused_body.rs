//! Reads a body that is refused as too large to its end, up to a limit. Otherwise a client that is
//! still sending when the connection closes would see a broken connection, and never read the
//! reason.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// How much of a refused body is read, in bytes, and for how long.
const MAX_READ: usize = 256 << 20;
const MAX_TIME: Duration = Duration::from_secs(60);

/// Middleware for routes with a limit of their own.
pub async fn read_to_its_end(request: Request, next: Next) -> Response {
    let (give_back, returned) = oneshot::channel();
    let lend = |body| {
        Body::new(Lent {
            body,
            give_back: Some(give_back),
        })
    };
    let response = next.run(request.map(lend)).await;
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let reading = async {
            if let Ok(rest) = returned.await {
                discard(rest).await;
            }
        };
        let _ = tokio::time::timeout(MAX_TIME, reading).await;
    }
    response
}

async fn discard(mut body: Body) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_READ {
            return;
        }
    }
}

/// A body that is given back when it is dropped.
struct Lent {
    body: Body,
    give_back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            // Fails if nobody wants it any more.
            let _ = give_back.send(mem::take(&mut self.body));
        }
    }
}
