//! A sandbox host in the test's process, and checks for what it leaves on the machine.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use codeflow::{
    config,
    sandbox::{Client, RunOptions, Sandbox},
    sandbox_host::SandboxHost,
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    runtime::{self, Runtime},
};

use super::{Model, PATIENCE, Server, data_dir, http};

/// A client of the host's REST API.
pub trait ControlPlane {
    /// Its address, as `http://127.0.0.1:<port>`.
    fn url(&self) -> String;

    /// A request with the host's key.
    fn api(&self, method: Method, path: &str) -> RequestBuilder;

    /// A request to a port of a sandbox, by host name as browsers make it.
    fn preview(&self, sandbox: &str, port: u16, path: &str) -> RequestBuilder;

    /// The answer to `GET`.
    async fn get(&self, path: &str) -> Value {
        self.api(Method::GET, path)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// The answer to `POST`: the status and the body.
    async fn answer(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .api(Method::POST, path)
            .json(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The answer to `POST`, which must succeed and have a body.
    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.answer(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// The status of an answer.
    async fn status(&self, method: Method, path: &str) -> u16 {
        self.api(method, path)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// The status of a pause's answer; `{}` keeps the memory.
    async fn pause(&self, sandbox: &str, body: Value) -> u16 {
        let request = self.api(Method::POST, &format!("/sandboxes/{sandbox}/pause"));
        request.json(&body).send().await.unwrap().status().as_u16()
    }

    /// The API's whole description of a sandbox.
    async fn detail(&self, sandbox: &str) -> Value {
        self.get(&format!("/sandboxes/{sandbox}")).await
    }

    /// A sandbox's state.
    async fn state(&self, sandbox: &str) -> String {
        self.detail(sandbox).await["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl ControlPlane for Host {
    fn url(&self) -> String {
        self.host.url()
    }

    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.host.url()))
            .header("x-api-key", self.host.key())
    }

    fn preview(&self, sandbox: &str, port: u16, path: &str) -> RequestBuilder {
        Host::preview(self, sandbox, port, path)
    }
}

/// The default options of a command.
pub fn options() -> RunOptions {
    RunOptions {
        cwd: "/home/user".to_owned(),
        envs: Default::default(),
        timeout: Duration::from_secs(30),
    }
}

/// A command's exit code, and both its outputs.
pub async fn run(sandbox: &Sandbox, command: &str) -> (i32, String) {
    let output = sandbox.run(command, &options()).await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.exit_code, said)
}

/// A client of the host at this address.
pub fn client(url: &str, key: &str, domain: &str) -> Client {
    Client::new(config::Sandbox::of_host(url, key, domain)).unwrap()
}

/// A running host with its own data folder.
pub struct Host {
    pub host: Arc<SandboxHost>,
    pub client: Client,
    pub http: reqwest::Client,
    /// Its own runtime: a test's runtime stands still while the test ends.
    runtime: Option<Runtime>,
    /// Taken when it is stopped.
    data: Option<tempfile::TempDir>,
}

impl Host {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts it with changed settings.
    pub async fn start_with(change: impl FnOnce(&mut config::SandboxHost)) -> Self {
        Self::start_on(data_dir(), change).await
    }

    pub async fn start_on(
        data: tempfile::TempDir,
        change: impl FnOnce(&mut config::SandboxHost),
    ) -> Self {
        let http = http();
        let mut settings = settings(data.path());
        change(&mut settings);
        let starting = tokio::task::spawn_blocking(move || {
            let runtime = runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let host = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                SandboxHost::start(settings, listener).await.unwrap()
            });
            (runtime, host)
        });
        let (runtime, host) = starting.await.unwrap();
        Self {
            client: client(&host.url(), host.key(), host.domain()),
            host: Arc::new(host),
            http,
            runtime: Some(runtime),
            data: Some(data),
        }
    }

    /// A new sandbox.
    pub async fn create(&self) -> Sandbox {
        self.client
            .create(PATIENCE, &Default::default())
            .await
            .unwrap()
    }

    /// A request to a port of a sandbox, by host name as browsers make it.
    pub fn preview(&self, sandbox: &str, port: u16, path: &str) -> RequestBuilder {
        self.http
            .get(format!("{}{path}", self.host.url()))
            .header("host", format!("{port}-{sandbox}.{}", self.host.domain()))
    }

    /// Starts a server that uses this host.
    pub fn serve(&self, data: &Path, model: &Model) -> Server {
        let env = self.env();
        Server::start_and(
            data,
            model,
            &env.each_ref().map(|(name, value)| (*name, &**value)),
        )
    }

    /// The variables that make a server use this host.
    pub fn env(&self) -> [(&'static str, String); 4] {
        [
            ("SANDBOX_PROVIDER", "e2b".to_owned()),
            ("E2B_API_URL", self.url()),
            ("E2B_SANDBOX_URL", self.url()),
            ("E2B_API_KEY", self.host.key().to_owned()),
        ]
    }

    /// Stops it and returns its data folder.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.host.shutdown().await;
        self.data.take().unwrap()
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        self.data.as_ref().unwrap().path()
    }
}

impl Drop for Host {
    /// A test that fails before it stops its host leaves nothing behind either.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if self.data.is_some() {
            let (host, (stopped, stopping)) = (self.host.clone(), mpsc::channel::<()>());
            runtime.spawn(async move {
                host.shutdown().await;
                drop(stopped);
            });
            let _ = stopping.recv_timeout(PATIENCE);
        }
        runtime.shutdown_background();
    }
}

/// The default settings on a data folder, with the real binary as the sandboxes' init.
pub fn settings(data: &Path) -> config::SandboxHost {
    let mut settings = config::SandboxHost::from_env(&config::Env::of_process()).unwrap();
    settings.data_dir = data.to_owned();
    settings.pool_size = 0;
    settings.envd = env!("CARGO_BIN_EXE_codeflow").into();
    settings
}

/// Traces of this sandbox on the machine: control groups, processes, mounts.
pub fn traces(sandbox: &str) -> Vec<String> {
    let mut found = Vec::new();
    let groups = fs::read_dir("/sys/fs/cgroup")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    for hierarchy in groups.chain(["/sys/fs/cgroup".into()]) {
        for above in fs::read_dir(&hierarchy).into_iter().flatten().flatten() {
            let group = above.path().join(sandbox);
            if group.is_dir() {
                found.push(group.display().to_string());
            }
        }
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
        // A process that has ended but not been reaped doesn't count.
        if read("cgroup").contains(sandbox) && !read("stat").contains(") Z ") {
            found.push(process.path().display().to_string());
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(
        mounts
            .lines()
            .filter(|mount| mount.contains(sandbox))
            .map(str::to_owned),
    );
    found
}
