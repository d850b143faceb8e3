//! Requests an app's first page from its dev server, for a template's build, the warm pool and the
//! watchdog.

use std::time::Duration;

use anyhow::bail;
use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::running_container::RunningContainer;

/// How long a dev server may take for its first page with an empty cache.
const TIMEOUT: Duration = Duration::from_secs(180);
const RETRY_DELAY: Duration = Duration::from_millis(200);
const NO_REQUEST: &[u8] = b"?\r\n\r\n";

/// Requests the first page from the server on this port; `None` if nothing listens there.
pub(super) async fn request(
    container: &RunningContainer,
    port: u16,
) -> anyhow::Result<Option<Response<Incoming>>> {
    let Some(stream) = container.tunnel(port).await? else {
        return Ok(None);
    };
    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .uri("/")
        .header(header::HOST, format!("localhost:{port}"))
        .header(header::ACCEPT, "text/html")
        .body(Body::empty())?;
    Ok(Some(sender.send_request(request).await?))
}

/// Whether the server on this port reads its input. A malformed request is refused at once by any
/// server that reads it, while a page may take its time. Waits until something arrives.
pub(super) async fn reads(container: &RunningContainer, port: u16) -> anyhow::Result<bool> {
    let Some(stream) = container.tunnel(port).await? else {
        return Ok(false);
    };
    let mut stream = TokioIo::new(stream);
    stream.write_all(NO_REQUEST).await?;
    // A response, or a closed connection.
    let _ = stream.read(&mut [0; 1]).await;
    Ok(true)
}

/// Waits until the complete first page has arrived.
pub(super) async fn wait_for(container: &RunningContainer, port: u16) -> anyhow::Result<()> {
    let mut last_answer = "nothing".to_owned();
    let waiting = async {
        loop {
            match read_to_its_end(container, port).await {
                Ok(Some(StatusCode::OK)) => return,
                Ok(Some(status)) => last_answer = format!("status {}", status.as_u16()),
                Ok(None) => {}
                Err(error) => last_answer = format!("{error:#}"),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    };
    if tokio::time::timeout(TIMEOUT, waiting).await.is_err() {
        bail!(
            "its first page did not come within {} s; the last answer was {last_answer}",
            TIMEOUT.as_secs()
        );
    }
    Ok(())
}

/// The status of the first page. It is fully compiled only once all of it has arrived.
async fn read_to_its_end(
    container: &RunningContainer,
    port: u16,
) -> anyhow::Result<Option<StatusCode>> {
    let Some(response) = request(container, port).await? else {
        return Ok(None);
    };
    let status = response.status();
    let mut body = response.into_body();
    while let Some(piece) = body.frame().await {
        piece?;
    }
    Ok(Some(status))
}
