//! A connection that a sandbox opened by CONNECT: TLS to the server it named, or plain HTTP on port
//! 80.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    time::timeout,
};

use super::hello::{HANDSHAKE, HelloReader, MAX_HELLO, NO_TLS, Step};

/// How long a client may take to send its first byte.
const HELLO_TIMEOUT: Duration = Duration::from_secs(15);
/// The length of a record's type, version and length, in bytes.
const RECORD_HEAD: usize = 5;
/// The maximum size of a record, in bytes (RFC 5246, 6.2.3).
const MAX_RECORD: usize = (16 << 10) + 2048;
/// The major version in all records since SSL 3.
const MAJOR: u8 = 3;
/// How many bytes of one message are held back; with minimal records, their headers count too.
const MAX_HELD: usize = 6 * MAX_HELLO;
/// A fatal alert, `unrecognized_name`, in TLS 1.2's and 1.3's plain text form.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The reason for a connection's end.
#[derive(Debug)]
pub(super) enum End {
    /// One side disconnected, or both finished.
    Closed,
    /// Refused for this reason.
    Refused(String),
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}

/// The client's first byte; `None` if none arrives in time.
pub(super) async fn first_byte(client: &mut (impl AsyncRead + Unpin)) -> Option<u8> {
    timeout(HELLO_TIMEOUT, client.read_u8()).await.ok()?.ok()
}

/// Whether a connection with this first byte is TLS.
pub(super) fn is_tls(first: u8) -> bool {
    first == HANDSHAKE
}

/// Carries a TLS connection, whose first byte was already read, between a client and the allowed
/// host.
pub(super) async fn carry(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    host: &str,
    first: u8,
) -> End {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let mut records = Records::new(host, first);
    let hello = timeout(HELLO_TIMEOUT, records.next(&mut from_client)).await;
    let hello = hello.unwrap_or_else(|_| {
        Err(End::Refused(
            "its ClientHello did not come within 15 seconds".to_owned(),
        ))
    });
    let mut last = match hello {
        Ok(last) => last,
        Err(end) => {
            if matches!(end, End::Refused(_)) {
                let _ = to_client.write_all(&ALERT).await;
                let _ = to_client.shutdown().await;
            }
            return end;
        }
    };
    let up = async {
        loop {
            to_server.write_all(&records.held).await?;
            records.held.clear();
            if last {
                break;
            }
            last = records.next(&mut from_client).await?;
        }
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await?;
        Ok::<(), End>(())
    };
    let down = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await?;
        Ok(())
    };
    match tokio::try_join!(up, down) {
        Ok(_) => End::Closed,
        Err(end) => end,
    }
}

/// A client's records, held back until they may pass.
struct Records {
    hello: HelloReader,
    first: Option<u8>,
    held: Vec<u8>,
}

impl Records {
    fn new(host: &str, first: u8) -> Self {
        Self {
            hello: HelloReader::new(host),
            first: Some(first),
            held: Vec::new(),
        }
    }

    /// Reads until the held records may pass; `true` if everything that follows may pass, too.
    async fn next(&mut self, client: &mut (impl AsyncRead + Unpin)) -> Result<bool, End> {
        loop {
            let mut head = [0; RECORD_HEAD];
            let begun = self.first.take().map_or(0, |first| {
                head[0] = first;
                1
            });
            client.read_exact(&mut head[begun..]).await?;
            let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
            if head[1] != MAJOR || length == 0 || length > MAX_RECORD || self.held.len() > MAX_HELD
            {
                return Err(End::Refused(NO_TLS.to_owned()));
            }
            self.held.extend(head);
            let begin = self.held.len();
            self.held.resize(begin + length, 0);
            client.read_exact(&mut self.held[begin..]).await?;
            match self
                .hello
                .record(head[0], &self.held[begin..])
                .map_err(End::Refused)?
            {
                Step::Hold => {}
                Step::Pass => return Ok(false),
                Step::Done => return Ok(true),
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokio::io::duplex;

    use super::{super::hello::tests::hello, *};

    /// A handshake message in records of at most `most` bytes.
    fn records(message: &[u8], most: usize) -> Vec<u8> {
        let record = |piece: &[u8]| {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            [&[HANDSHAKE, 3, 1], &length[..], piece].concat()
        };
        message.chunks(most).flat_map(record).collect()
    }

    /// A connection to `a.com` on which the client sends `sent` in pieces, and the server `hi`: the
    /// outcome, and what server and client received.
    async fn carried(sent: &[u8], piece: usize) -> (End, Vec<u8>, Vec<u8>) {
        let ((client, mut inside), (outside, mut server)) = (duplex(64), duplex(64));
        let (mut from, mut to) = split(client);
        let say = async {
            for piece in sent.chunks(piece) {
                if to.write_all(piece).await.is_err() {
                    break;
                }
            }
            let _ = to.shutdown().await;
        };
        let listen = async {
            let mut got = Vec::new();
            let _ = from.read_to_end(&mut got).await;
            got
        };
        let serve = async {
            let _ = server.write_all(b"hi").await;
            let _ = server.shutdown().await;
            let mut got = Vec::new();
            let _ = server.read_to_end(&mut got).await;
            got
        };
        let carry = async {
            let first = first_byte(&mut inside).await.unwrap();
            carry(inside, outside, "a.com", first).await
        };
        let (end, got_by_server, got_by_client, ()) = tokio::join!(carry, serve, listen, say);
        (end, got_by_server, got_by_client)
    }

    #[tokio::test]
    async fn an_allowed_connection_is_carried_unchanged_however_it_is_cut() {
        let data = [23, 3, 3, 0, 1, 7, 1, 2, 3];
        for (most, piece) in [(4000, 4000), (100, 7), (1, 4000), (5, 1)] {
            let sent = [records(&hello("a.com"), most), data.to_vec()].concat();
            let (end, got_by_server, got_by_client) = carried(&sent, piece).await;
            assert!(matches!(end, End::Closed), "{end:?}");
            assert_eq!(got_by_server, sent);
            assert_eq!(got_by_client, b"hi");
        }
    }

    #[tokio::test]
    async fn of_a_refused_one_the_server_gets_nothing_and_the_client_an_alert() {
        let other = hello("b.com");
        let zeros = [HANDSHAKE, 3, 1, 0, 0].repeat(50_000);
        for sent in [
            records(&other, 4000),
            records(&other, 3),
            zeros,
            b"\x16\x03\x01\xff\xffGET / HTTP/1.1".to_vec(),
        ] {
            let (end, got_by_server, got_by_client) = carried(&sent, 4000).await;
            assert!(matches!(end, End::Refused(_)), "{end:?}");
            assert!(got_by_server.is_empty());
            assert_eq!(got_by_client, ALERT);
        }
    }
}
