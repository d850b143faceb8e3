//! The template's start command: kept running, with its output in a log of limited size. Obstacles
//! (a stopped process, another program on its port, a named pipe that blocks it) are removed here
//! if possible, and reported to the host.

use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::{Child, Command},
    sync::Notify,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{process::MARK, procfs};
use crate::sandbox_host::{bundle::HOME, oom};

/// The log file.
const LOG: &str = "/tmp/dev-server.log";
/// The log is rotated above this size, in bytes; the previous one stays beside it.
const MAX_LOG: u64 = 1 << 20;
/// The pause between its end and its next start, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// After running this long it counts as healthy.
const HEALTHY: Duration = Duration::from_secs(30);
/// How long it may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);
/// How long writing its last output may take.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);
/// The interval between two checks for stopped processes.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// After this long without a successful start, the sandbox is ended, so that its next start has all
/// processes and files available again. A command may be at the limit for some seconds, and ends by
/// itself.
const MAX_REFUSED: Duration = Duration::from_secs(15);
/// How many characters of its last output are reported.
const MAX_WORDS: usize = 600;

/// The dev server; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct DevServer {
    report: Arc<Mutex<Report>>,
    restart: Arc<Notify>,
}

/// The dev server's state, for the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox_host) struct Report {
    /// How many times it has ended by itself since the sandbox started.
    pub ends: u32,
    /// How many of these ends were consecutive, each within 30 seconds of its start.
    pub ends_in_a_row: u32,
    /// The reason of its last end, such as `exit code 1`.
    pub last_end: String,
    /// The last few lines before that.
    pub last_words: String,
    /// Whether its output says that it ran out of memory.
    pub out_of_memory: bool,
    /// How many times stopped processes (`SIGSTOP`) of it were found and continued.
    pub continued: u32,
    /// The command lines of programs that had taken its port; they were ended.
    pub port_takers: Vec<String>,
    /// Named pipes in the app's folder, if the host asked for them.
    pub pipes: Vec<String>,
}

/// The host's additional questions.
#[derive(Deserialize)]
struct ReportQuery {
    /// A request has been waiting for some time, possibly because of a named pipe.
    waiting: bool,
}

pub(super) fn router(dev_server: DevServer) -> Router {
    Router::new()
        .route("/codeflow/dev-server", get(report))
        .route("/codeflow/dev-server/restart", post(restart))
        .with_state(dev_server)
}

async fn report(
    State(dev_server): State<DevServer>,
    Query(wanted): Query<ReportQuery>,
) -> Json<Report> {
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
        self.report.lock()
    }

    /// Runs the command again and again until `stop` is cancelled. Cancels it if no process can be
    /// started any more.
    pub(super) async fn keep_running(
        self,
        command: String,
        port: u16,
        env: Arc<HashMap<String, String>>,
        stop: CancellationToken,
    ) {
        let (mut pause, mut refused_since) = (FIRST_PAUSE, None);
        while !stop.is_cancelled() {
            let begun = Instant::now();
            match start(&command, &env) {
                Ok((mut child, output)) => {
                    refused_since = None;
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
                    // Its remaining processes would keep the port.
                    if let Some(group) = group {
                        let _ = killpg(group, Signal::SIGKILL);
                    }
                    // A process outside its group may hold the pipe open.
                    if tokio::time::timeout(OUTPUT_TIMEOUT, &mut log)
                        .await
                        .is_err()
                    {
                        log.abort();
                    }
                    match ended {
                        Some(ended) => self.note_end(&ended, begun.elapsed(), port).await,
                        None => pause = FIRST_PAUSE,
                    }
                }
                Err(error) => {
                    self.note_failed_start(&error);
                    if is_exhausted(&error)
                        && refused_since.get_or_insert(begun).elapsed() > MAX_REFUSED
                    {
                        stop.cancel();
                    }
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
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Waits for its end, and continues stopped processes meanwhile.
    async fn attend(&self, child: &mut Child, group: Option<Pid>) -> ExitStatus {
        loop {
            tokio::select! {
                ended = child.wait() => return ended.unwrap_or_else(|_| ExitStatus::from_raw(0)),
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
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

    /// Records a failed start as an end.
    fn note_failed_start(&self, error: &io::Error) {
        let said = format!("the start command can't be run: {error}");
        let _ = fs::write(LOG, format!("{said}\n"));
        let mut report = self.lock();
        report.ends += 1;
        report.ends_in_a_row += 1;
        report.last_end = "no start".to_owned();
        report.out_of_memory = false;
        report.last_words = said;
        report.port_takers = Vec::new();
    }

    /// Records an unexpected end, and kills the program that has taken the port.
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

/// Whether the cause is a lack of processes, files or memory.
fn is_exhausted(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EAGAIN | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)
    )
}

/// The last lines of a log, as many as fit.
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
        // Its processes belong to no command.
        .env(MARK, "dev-server")
        .current_dir(HOME)
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer.as_fd().try_clone_to_owned()?))
        .stderr(Stdio::from(OwnedFd::from(writer)))
        .process_group(0)
        .spawn()?;
    oom::kill_first(child.id());
    Ok((child, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

/// Writes its output to the log, and keeps reading even if that fails, for example on a full disk:
/// a closed pipe would kill it.
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

/// Ends it with everything it started: with SIGTERM first, so that its caches on disk stay intact.
async fn end(child: &mut Child) {
    let Some(group) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
    else {
        return;
    };
    let _ = killpg(group, Signal::SIGTERM);
    // A stopped process handles no signal before it is continued.
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
