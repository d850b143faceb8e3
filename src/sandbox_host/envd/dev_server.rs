//! The template's start command: kept running, with what it prints in a file of bounded size. What
//! stands in its way is removed here where that is possible (it was stopped, something else has its
//! port, a named pipe holds it up), and reported to the host.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::{Child, Command},
    sync::Notify,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    process::{MARK, prefer_to_lose},
    procfs,
};
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
/// Between two looks for processes of it that were stopped.
const LOOK: Duration = Duration::from_secs(2);
/// How much of its last words is reported, in characters.
const MAX_WORDS: usize = 600;

/// The dev server, as a cheap handle.
#[derive(Clone, Default)]
pub(super) struct DevServer {
    report: Arc<Mutex<Report>>,
    restart: Arc<Notify>,
}

/// How the dev server fares, for the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox_host) struct Report {
    /// How many times it has ended without being asked to, since the sandbox was started.
    pub ends: u32,
    /// How many of these came one after the other, each within 30 seconds of its start.
    pub ends_in_a_row: u32,
    /// How it ended last, such as `exit code 1`.
    pub last_end: String,
    /// What it had printed before, a few lines.
    pub last_words: String,
    /// It said that it ran out of memory.
    pub out_of_memory: bool,
    /// How many times processes of it were found stopped (`SIGSTOP`), and were continued.
    pub continued: u32,
    /// The programs that had its port, as command lines; they were ended.
    pub port_takers: Vec<String>,
    /// Named pipes in the app's folder, when they were asked for.
    pub pipes: Vec<String>,
}

/// What the host wants to know beyond the report.
#[derive(Deserialize)]
struct Wanted {
    /// A request has been without an answer for some time: named pipes may be why.
    waiting: bool,
}

pub(super) fn router(dev_server: DevServer) -> Router {
    Router::new()
        .route("/codeflow/dev-server", get(report))
        .route("/codeflow/dev-server/restart", post(restart))
        .with_state(dev_server)
}

async fn report(State(dev_server): State<DevServer>, Query(wanted): Query<Wanted>) -> Json<Report> {
    let mut report = dev_server.lock().clone();
    if wanted.waiting {
        let pipes = tokio::task::spawn_blocking(|| procfs::release_pipes(Path::new(HOME))).await;
        let relative = |path: &std::path::PathBuf| {
            path.strip_prefix(HOME)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        report.pipes = pipes.unwrap_or_default().iter().map(relative).collect();
    }
    Json(report)
}

async fn restart(State(dev_server): State<DevServer>) -> StatusCode {
    dev_server.restart.notify_one();
    StatusCode::NO_CONTENT
}

impl DevServer {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the command, again and again, until `stop` is cancelled.
    pub(super) async fn keep_running(
        self,
        command: String,
        port: u16,
        env: Arc<HashMap<String, String>>,
        stop: CancellationToken,
    ) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            match start(&command, &env) {
                Ok((mut child, output)) => {
                    let group = child
                        .id()
                        .and_then(|id| i32::try_from(id).ok())
                        .map(Pid::from_raw);
                    let mut log = tokio::spawn(keep(output));
                    let ended = tokio::select! {
                        ended = self.attend(&mut child, group) => Some(ended),
                        () = self.restart.notified() => {
                            end(&mut child).await;
                            None
                        }
                        () = stop.cancelled() => {
                            end(&mut child).await;
                            None
                        }
                    };
                    // What it left behind would keep its port.
                    if let Some(group) = group {
                        let _ = killpg(group, Signal::SIGKILL);
                    }
                    // What it started elsewhere may hold the pipe open.
                    if tokio::time::timeout(LAST_WORDS, &mut log).await.is_err() {
                        log.abort();
                    }
                    match ended {
                        Some(ended) => self.note_end(&ended, begun.elapsed(), port).await,
                        None => pause = FIRST_PAUSE,
                    }
                }
                Err(error) => {
                    let _ = fs::write(LOG, format!("the start command can't be run: {error}\n"));
                    self.lock().ends_in_a_row += 1;
                }
            }
            if begun.elapsed() > HEALTHY {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.restart.notified() => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for its end, and continues what is stopped meanwhile.
    async fn attend(&self, child: &mut Child, group: Option<Pid>) -> ExitStatus {
        loop {
            tokio::select! {
                ended = child.wait() => return ended.unwrap_or_else(|_| ExitStatus::from_raw(0)),
                () = tokio::time::sleep(LOOK) => {}
            }
            let Some(group) = group else {
                continue;
            };
            if procfs::processes()
                .iter()
                .any(|process| process.is_stopped() && process.group == group.as_raw())
            {
                let _ = killpg(group, Signal::SIGCONT);
                self.lock().continued += 1;
            }
        }
    }

    /// Notes an end that nobody asked for, and ends who has the port.
    async fn note_end(&self, ended: &ExitStatus, lasted: Duration, port: u16) {
        let log = fs::read(LOG).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(8 << 10)..]).into_owned();
        let takers = if lasted < HEALTHY {
            procfs::listeners(port)
        } else {
            Vec::new()
        };
        for (process, _) in &takers {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        let mut report = self.lock();
        report.ends += 1;
        report.ends_in_a_row = if lasted < HEALTHY {
            report.ends_in_a_row + 1
        } else {
            1
        };
        report.last_end = match (ended.code(), ended.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".to_owned(),
        };
        report.out_of_memory = log.contains("heap out of memory");
        report.last_words = last_lines(&log);
        report.port_takers = takers.into_iter().map(|(_, line)| line).collect();
    }
}

/// The last lines of a log that fit.
fn last_lines(log: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut length = 0;
    for line in log
        .trim_end()
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
    {
        length += line.chars().count() + 1;
        if length > MAX_WORDS || lines.len() == 6 {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
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

/// Keeps what it says, and reads it where that is not possible, such as on a full disk: it would
/// end of a pipe that nobody reads.
async fn keep(mut output: pipe::Receiver) {
    if keep_log(&mut output).await.is_err() {
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
}

async fn keep_log(output: &mut pipe::Receiver) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(LOG)
        .await?;
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
    let Some(group) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
    else {
        return;
    };
    let _ = killpg(group, Signal::SIGTERM);
    // One that is stopped hears nothing before it goes on.
    let _ = killpg(group, Signal::SIGCONT);
    if tokio::time::timeout(STOP, child.wait()).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_few() {
        assert_eq!(last_lines("a\n\nb\n"), "a\nb");
        assert_eq!(last_lines(""), "");
        let many = (0..100)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(last_lines(&many), "94\n95\n96\n97\n98\n99");
        let long = format!("{}\nend", "x".repeat(5000));
        assert_eq!(last_lines(&long), "end");
    }
}
