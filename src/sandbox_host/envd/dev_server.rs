//! The template's start command: kept running, with what it prints in a file of bounded size.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::{Child, Command},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::process::{MARK, prefer_to_lose};
use crate::sandbox_host::bundle::HOME;

/// Where it is read.
const LOG: &str = "/tmp/dev-server.log";
/// The log starts anew when it is larger, in bytes; the one before stays beside it.
const MAX_LOG: u64 = 1 << 20;
/// Between its end and its next start, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Having run this long, it counts as one that works.
const HEALTHY: Duration = Duration::from_secs(30);
/// How long it may take to end when asked to.
const STOP: Duration = Duration::from_secs(5);
/// How long what it said last may take to be written.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs the command, again and again, until told to stop.
pub(super) async fn keep_running(command: String, env: Arc<HashMap<String, String>>, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let begun = Instant::now();
        match start(&command, &env) {
            Ok((mut child, output)) => {
                let mut log = tokio::spawn(keep(output));
                tokio::select! {
                    _ = child.wait() => {}
                    () = stop.cancelled() => end(&mut child).await,
                }
                // What it started may hold the pipe open.
                if tokio::time::timeout(LAST_WORDS, &mut log).await.is_err() {
                    log.abort();
                }
            }
            Err(error) => {
                let _ = fs::write(LOG, format!("the start command can't be run: {error}\n"));
            }
        }
        if begun.elapsed() > HEALTHY {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn start(command: &str, env: &HashMap<String, String>) -> io::Result<(Child, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let child = Command::new("/bin/bash")
        .args(["-c", command])
        .env_clear()
        .envs(env)
        // What it starts is no command's.
        .env(MARK, "dev-server")
        .current_dir(HOME)
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer.as_fd().try_clone_to_owned()?))
        .stderr(Stdio::from(OwnedFd::from(writer)))
        .process_group(0)
        .spawn()?;
    prefer_to_lose(child.id());
    Ok((child, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

/// Keeps what it says, and reads it where that is not possible, such as on a full disk: it would end of a pipe that nobody reads.
async fn keep(mut output: pipe::Receiver) {
    if keep_log(&mut output).await.is_err() {
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
}

async fn keep_log(output: &mut pipe::Receiver) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(LOG).await?;
    let mut length = file.metadata().await?.len();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = output.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if length > MAX_LOG {
            tokio::fs::rename(LOG, format!("{LOG}.1")).await?;
            file = tokio::fs::File::create(LOG).await?;
            length = 0;
        }
        file.write_all(&buffer[..read]).await?;
        file.flush().await?;
        length += read as u64;
    }
}

/// Ends it with all it started: first by asking, so that its caches on disk are whole.
async fn end(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else {
        return;
    };
    let _ = killpg(group, Signal::SIGTERM);
    if tokio::time::timeout(STOP, child.wait()).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
    }
}
