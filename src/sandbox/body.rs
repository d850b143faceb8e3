//! Response bodies, read no further than needed.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Response;

/// How long to read the body of an app's page.
const PAGE_BODY: Duration = Duration::from_secs(3);

/// The whole body; `None` if it is longer than `limit` bytes.
pub(super) async fn whole(response: Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let body = beginning(response, limit + 1).await?;
    Ok((body.len() <= limit).then_some(body))
}

/// The part of the body that arrives in time, at most `limit` bytes.
pub(super) async fn beginning_in_time(
    response: Response,
    limit: usize,
) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = read_beginning(response, limit, &mut body);
    tokio::time::timeout(PAGE_BODY, read)
        .await
        .unwrap_or(Ok(()))?;
    Ok(body)
}

/// At most `limit` bytes of the body.
pub(super) async fn beginning(response: Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    read_beginning(response, limit, &mut body).await?;
    Ok(body)
}

async fn read_beginning(
    response: Response,
    limit: usize,
    body: &mut Vec<u8>,
) -> reqwest::Result<()> {
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        let room = limit - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if body.len() == limit {
            break;
        }
    }
    Ok(())
}
