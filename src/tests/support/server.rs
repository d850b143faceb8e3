//! The real server on a free port: in this process, with its own runtime and log, or as a separate
//! process, for tests that kill it or set variables that aren't settings.

mod process;

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use codeflow::{
    boot::Service,
    config::{Env, Settings},
    listener::raise_open_files,
    protocol::{ProjectId, RunDetails, RunId, RunState, Workspace},
    server,
};
use parking_lot::Mutex;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;

use super::{Feed, Model, PATIENCE, http, ports::ready_port, secrets};

/// Variables that only a separate process can have.
const OF_PROCESSES: [&str; 2] = ["TMPDIR", "CODEFLOW_CRASH_AT"];

/// A running server; when dropped, it is asked to stop and waited for, so that it leaves nothing
/// behind.
pub struct Server {
    home: Home,
    pub port: u16,
    log: Log,
    http: reqwest::Client,
    data: PathBuf,
}

enum Home {
    Thread {
        shutdown: CancellationToken,
        /// Taken when it has stopped.
        thread: Option<JoinHandle<()>>,
    },
    Process(Child),
}

impl Server {
    /// Starts it on the data folder with the model.
    pub fn start(data: &Path, model: &Model) -> Self {
        Self::start_and(data, model, &[])
    }

    /// Starts it with the model and these variables, the later of two with one name.
    pub fn start_and(data: &Path, model: &Model, env: &[(&str, &str)]) -> Self {
        Self::start_with(data, &[&model.env()[..], env].concat())
    }

    /// Starts it with these variables and no others that it reads.
    pub fn start_with(data: &Path, env: &[(&str, &str)]) -> Self {
        for name in OF_PROCESSES {
            assert!(
                env.iter().all(|(set, _)| *set != name),
                "{name}: use a process"
            );
        }
        let own = process::variables(data);
        let env = Env::of(
            own.iter().chain(env).copied(),
            env!("CARGO_BIN_EXE_codeflow"),
        );
        let http = http();
        raise_open_files();
        let (log, shutdown) = (Log::default(), CancellationToken::new());
        let (started, starts) = mpsc::channel();
        let thread = std::thread::spawn({
            let (log, shutdown) = (log.dispatch(), shutdown.clone());
            move || {
                let served = tracing::dispatcher::with_default(&log, || {
                    runtime(&log).block_on(serve(&env, shutdown, |port| {
                        let _ = started.send(port);
                    }))
                });
                served.unwrap();
            }
        });
        let Ok(port) = starts.recv_timeout(PATIENCE) else {
            panic!("the server did not start:\n{}", log.text());
        };
        Self {
            home: Home::Thread {
                shutdown,
                thread: Some(thread),
            },
            port,
            log,
            http,
            data: data.to_owned(),
        }
    }

    /// Starts it as a process, with the model and these variables.
    pub async fn process(data: &Path, model: &Model, env: &[(&str, &str)]) -> Self {
        Self::of(data, Self::spawn(data, &[&model.env()[..], env].concat())).await
    }

    /// Starts it by a command that becomes its process, with the model and these variables.
    pub async fn process_by(
        command: &mut Command,
        data: &Path,
        model: &Model,
        env: &[(&str, &str)],
    ) -> Self {
        let env = [&model.env()[..], env].concat();
        Self::of(data, process::run(command, data, &env)).await
    }

    /// Waits until the process listens.
    async fn of(data: &Path, mut child: Child) -> Self {
        let log = Log::default();
        log.collect(child.stderr.take().unwrap());
        let pid = child.id();
        let ready = super::until("the server listens", async || {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the server did not start:\n{}",
                log.text()
            );
            // On a thread of its own: the model may have to answer meanwhile.
            let port = tokio::task::spawn_blocking(move || ready_port(pid, "/healthz"));
            port.await.unwrap()
        });
        Self {
            port: ready.await,
            home: Home::Process(child),
            log,
            http: http(),
            data: data.to_owned(),
        }
    }

    /// The process alone, for one that is expected to end by itself.
    pub fn spawn(data: &Path, env: &[(&str, &str)]) -> Child {
        process::spawn(data, env)
    }

    /// Its process's id.
    pub fn pid(&self) -> u32 {
        match &self.home {
            Home::Process(child) => child.id(),
            Home::Thread { .. } => panic!("it has no process of its own"),
        }
    }

    /// The most memory that its process had in use, in bytes (proc_pid_status(5)).
    pub fn peak_memory(&self) -> u64 {
        super::memory_of(self.pid(), "VmHWM")
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.log.text()
    }

    fn child(&mut self) -> &mut Child {
        match &mut self.home {
            Home::Process(child) => child,
            Home::Thread { .. } => panic!("only a process ends by a crash"),
        }
    }

    /// Kills its process, as a crash does.
    pub fn kill(mut self) {
        self.child().kill().unwrap();
        self.child().wait().unwrap();
    }

    /// Waits until its process has ended by itself.
    pub async fn died(mut self) -> ExitStatus {
        super::until("the server ends by itself", async || {
            self.child().try_wait().unwrap()
        })
        .await
    }

    /// Asks it to stop, and waits until it has ended well.
    pub fn stop(mut self) {
        assert!(self.end(), "{}", self.log());
    }

    /// Whether it ended well.
    fn end(&mut self) -> bool {
        match &mut self.home {
            Home::Thread { shutdown, thread } => {
                shutdown.cancel();
                thread.take().is_none_or(|thread| thread.join().is_ok())
            }
            Home::Process(child) => {
                if let Some(status) = child.try_wait().unwrap() {
                    return status.success();
                }
                let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
                child.wait().unwrap().success()
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.url()))
            .send()
            .await
            .unwrap()
    }

    /// Calls a server function that takes a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.url()))
            .header("accept", "application/json")
            .form(form);
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    /// Uploads a file as an image.
    pub async fn upload(&self, file: Vec<u8>) -> (StatusCode, Value) {
        let request = self
            .http
            .post(format!("{}/api/images", self.url()))
            .body(file);
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    /// Makes a project.
    pub async fn create(&self, prompt: &str) -> ProjectId {
        let (status, id) = self
            .post("/api/projects/create", &[("prompt", prompt)])
            .await;
        assert!(
            status.is_success() || status.is_redirection(),
            "{status} {id}"
        );
        serde_json::from_value(id).unwrap()
    }

    /// Sends a further message.
    pub async fn send(&self, project: ProjectId, text: &str) {
        let (status, answer) = self
            .post(
                "/api/messages/send",
                &[("project", &project.to_string()), ("text", text)],
            )
            .await;
        assert!(status.is_success(), "{status} {answer}");
    }

    /// What the page shows of the project.
    pub async fn workspace(&self, project: ProjectId) -> Workspace {
        self.get(&format!("/api/projects/workspace?project={project}"))
            .await
            .json()
            .await
            .unwrap()
    }

    /// What the dashboard shows of the run.
    pub async fn details(&self, run: RunId) -> RunDetails {
        self.get(&format!("/api/runs/details?run={run}"))
            .await
            .json()
            .await
            .unwrap()
    }

    /// The states of the project's runs, oldest first.
    pub async fn states(&self, project: ProjectId) -> Vec<RunState> {
        self.workspace(project)
            .await
            .runs
            .iter()
            .map(|run| run.state)
            .collect()
    }

    /// The project's feed from its beginning.
    pub async fn feed(&self, project: ProjectId) -> Feed {
        Feed::open(self, &format!("/ws/projects/{project}?after=0")).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            // The reader of a process may be a line behind.
            std::thread::sleep(Duration::from_millis(50));
            eprintln!("the server's log:\n{}", self.log());
            return;
        }
        let leaked = secrets::find(&self.log(), &self.data);
        assert_eq!(leaked, None, "a secret was kept");
    }
}

/// A runtime whose threads log to this dispatch.
fn runtime(log: &Dispatch) -> tokio::runtime::Runtime {
    let log = log.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // Until the thread ends.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&log)))
        .build()
        .unwrap()
}

/// Serves until the shutdown; `started` is called with the port.
async fn serve(
    env: &Env,
    shutdown: CancellationToken,
    started: impl FnOnce(u16),
) -> anyhow::Result<()> {
    let settings = Settings::from_env(env).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let service = Service::start(settings, server::site()?, listener, shutdown).await?;
    started(service.address().port());
    service.run().await;
    Ok(())
}

/// What a server has logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    pub fn text(&self) -> String {
        self.0.lock().clone()
    }

    /// Where a server in this process logs to it, as it would to standard error.
    fn dispatch(&self) -> Dispatch {
        let log = self.clone();
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let logging = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || log.clone());
        Dispatch::new(logging.finish())
    }

    /// Takes what a process writes, until it ends.
    pub fn collect(&self, mut output: impl io::Read + Send + 'static) {
        let mut log = self.clone();
        std::thread::spawn(move || io::copy(&mut output, &mut log));
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
