//! A connection that counts its bytes, and ends when the sandbox's allowance is used up.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How many bytes a sandbox may send and receive while it runs.
pub(super) const MAX_BYTES: u64 = 8 << 30;

/// A connection of a sandbox to the outside.
pub(super) struct Metered {
    stream: TcpStream,
    /// The bytes carried by all connections of the sandbox.
    carried: Arc<AtomicU64>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, carried: Arc<AtomicU64>) -> Self {
        Self { stream, carried }
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let before = self.carried.fetch_add(bytes as u64, Ordering::Relaxed);
        if before >= MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the sandbox's allowance is used up",
            ));
        }
        Ok(())
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, buffer))?;
        Poll::Ready(self.count(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn both_directions_count_and_the_end_of_the_allowance_ends_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        let carried = Arc::new(AtomicU64::new(0));
        let mut metered = Metered::new(stream, carried.clone());
        metered.write_all(b"four").await.unwrap();
        other.write_all(b"sixsix").await.unwrap();
        metered.read_exact(&mut [0; 6]).await.unwrap();
        assert_eq!(carried.load(Ordering::Relaxed), 10);
        carried.store(MAX_BYTES, Ordering::Relaxed);
        assert_eq!(
            metered.write_all(b"more").await.unwrap_err().kind(),
            io::ErrorKind::QuotaExceeded
        );
    }
}
