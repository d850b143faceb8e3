//! Copies both directions between two connections, such as a WebSocket and its app.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};

/// How long one side may continue after the other has ended. A client that has disconnected reads
/// nothing more, and many apps never notice: without a limit, each would hold a connection for as
/// long as the app runs.
const HALF_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Copies both directions until both have ended, or one did a while ago.
pub async fn carry(
    ours: impl AsyncRead + AsyncWrite + Unpin,
    theirs: impl AsyncRead + AsyncWrite + Unpin,
) {
    carry_with(ours, theirs, HALF_CLOSE_TIMEOUT).await;
}

async fn carry_with(
    ours: impl AsyncRead + AsyncWrite + Unpin,
    theirs: impl AsyncRead + AsyncWrite + Unpin,
    last_words: Duration,
) {
    let ((mut our_read, mut our_write), (mut their_read, mut their_write)) =
        (split(ours), split(theirs));
    let up = async {
        let _ = copy(&mut our_read, &mut their_write).await;
        let _ = their_write.shutdown().await;
    };
    let down = async {
        let _ = copy(&mut their_read, &mut our_write).await;
        let _ = our_write.shutdown().await;
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => drop(tokio::time::timeout(last_words, down).await),
        () = &mut down => drop(tokio::time::timeout(last_words, up).await),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn last_words_arrive_and_a_side_that_never_ends_is_cut_off() {
        let ((mut client, ours), (theirs, mut app)) = (duplex(64), duplex(64));
        let carrying = tokio::spawn(carry_with(ours, theirs, Duration::from_secs(1)));
        client.write_all(b"bye").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = [0; 3];
        app.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"bye");
        assert_eq!(
            app.read(&mut heard).await.unwrap(),
            0,
            "the client has ended"
        );
        // The other side continues, and still sends something.
        app.write_all(b"ok!").await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ok!");
        carrying.await.unwrap();
        assert_eq!(client.read(&mut heard).await.unwrap(), 0);
        assert!(app.write_all(b"more").await.is_err());
    }
}
