//! The real server as a process of its own, on a free port.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use codeflow::protocol::{ProjectId, RunState, Workspace};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::{Feed, Model, PATIENCE, http};

/// A running `codeflow serve`; dropped, it is asked to stop and waited for, so that it leaves
/// nothing behind.
pub struct Server {
    child: Child,
    pub port: u16,
    log: Arc<Mutex<String>>,
    http: reqwest::Client,
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
        let mut child = Self::spawn(data, env);
        let log = Arc::new(Mutex::new(String::new()));
        let (listening, heard) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn({
            let log = log.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    if let Some((_, port)) = line.split_once("listening on http://127.0.0.1:") {
                        let _ = listening.send(port.trim().parse::<u16>().unwrap());
                    }
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let Ok(port) = heard.recv_timeout(PATIENCE) else {
            panic!("the server did not start:\n{}", log.lock().unwrap());
        };
        Self {
            child,
            port,
            log,
            http: http(),
        }
    }

    /// The process alone, for one that is expected to end by itself.
    pub fn spawn(data: &Path, env: &[(&str, &str)]) -> Child {
        let kept = ["PATH", "HOME", "LANG", "RUST_LOG"].into_iter();
        let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
        Command::new(env!("CARGO_BIN_EXE_codeflow"))
            .arg("serve")
            .env_clear()
            .envs(kept)
            .env("CODEFLOW_DATA_DIR", data)
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("SANDBOX_POOL_SIZE", "0")
            .env("CHROMIUM_PATH", "off")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it had in use, in bytes (proc_pid_status(5)).
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn died(mut self) -> ExitStatus {
        super::until("the server ends by itself", async || {
            self.child.try_wait().unwrap()
        })
        .await
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate()
    }

    fn terminate(&mut self) -> ExitStatus {
        if let Some(status) = self.child.try_wait().unwrap() {
            return status;
        }
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap()
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
        self.terminate();
        if std::thread::panicking() {
            // The reader thread may be a line behind.
            std::thread::sleep(Duration::from_millis(50));
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}
