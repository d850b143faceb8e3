//! Under a runtime that passes no listening sockets on (gVisor's), envd dials the host: one
//! connection waits for the host's next request, and when that comes, another one is opened.

use std::{fs, io, os::unix::fs::FileTypeExt, time::Duration};

use axum::serve::Listener;
use tokio::net::UnixStream;

use crate::sandbox_host::bundle::ENVD_SOCKET;

/// The wait after a connection failed.
const REDIAL: Duration = Duration::from_millis(50);

pub(super) struct Dialler;

impl Dialler {
    /// The dialler, if the host has mounted a socket to dial.
    pub(super) fn find() -> Option<Self> {
        let file = fs::metadata(ENVD_SOCKET).ok()?;
        file.file_type().is_socket().then_some(Self)
    }
}

impl Listener for Dialler {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            let waiting = async {
                let stream = UnixStream::connect(ENVD_SOCKET).await?;
                stream.readable().await?;
                io::Result::Ok(stream)
            };
            match waiting.await {
                Ok(stream) => return (stream, ()),
                Err(_) => tokio::time::sleep(REDIAL).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
