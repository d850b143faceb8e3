//! A sandbox host in the test's own process, and what it may leave on the machine.

use std::{fs, path::Path, sync::Arc};

use codeflow::{
    config,
    sandbox::{Client, Sandbox},
    sandbox_host::SandboxHost,
};
use reqwest::{Method, RequestBuilder};

use super::{PATIENCE, data_dir, http};

/// A running host on a data folder of its own.
pub struct Host {
    pub host: Arc<SandboxHost>,
    pub client: Client,
    pub http: reqwest::Client,
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

    pub async fn start_on(data: tempfile::TempDir, change: impl FnOnce(&mut config::SandboxHost)) -> Self {
        let http = http();
        let mut settings = settings(data.path());
        change(&mut settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = SandboxHost::start(settings, listener).await.unwrap();
        let mut reached = config::Sandbox {
            provider: config::SandboxProvider::Local,
            api_url: String::new(),
            sandbox_url: String::new(),
            domain: String::new(),
            api_key: String::new(),
            template: "nextjs".to_owned(),
        };
        reached.use_host(&host.url(), host.key(), host.domain());
        Self {
            client: Client::new(reached).unwrap(),
            host: Arc::new(host),
            http,
            data: Some(data),
        }
    }

    /// A new sandbox.
    pub async fn create(&self) -> Sandbox {
        self.client.create(PATIENCE, &Default::default()).await.unwrap()
    }

    /// A request to the control plane with the right key.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.host.url()))
            .header("x-api-key", self.host.key())
    }

    /// A request to a port of a sandbox, by host name as browsers make it.
    pub fn preview(&self, sandbox: &str, port: u16, path: &str) -> RequestBuilder {
        self.http
            .get(format!("{}{path}", self.host.url()))
            .header("host", format!("{port}-{sandbox}.{}", self.host.domain()))
    }

    /// A sandbox's state as the control plane tells it.
    pub async fn state(&self, sandbox: &str) -> String {
        let detail: serde_json::Value = self
            .api(Method::GET, &format!("/sandboxes/{sandbox}"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        detail["state"].as_str().unwrap_or_default().to_owned()
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
        if self.data.is_none() {
            return;
        }
        let host = self.host.clone();
        let stopping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(host.shutdown());
        });
        let _ = stopping.join();
    }
}

/// The default settings on a data folder, with the real binary as the sandboxes' init.
pub fn settings(data: &Path) -> config::SandboxHost {
    let mut settings = config::SandboxHost::from_env().unwrap();
    settings.data_dir = data.to_owned();
    settings.pool_size = 0;
    settings.envd = env!("CARGO_BIN_EXE_codeflow").into();
    settings
}

/// What of this sandbox the machine knows: control groups, processes, mounts.
pub fn traces(sandbox: &str) -> Vec<String> {
    let mut found = Vec::new();
    let groups = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
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
        // One that has ended and that the machine's init has yet to take note of is no more.
        if read("cgroup").contains(sandbox) && !read("stat").contains(") Z ") {
            found.push(process.path().display().to_string());
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    found.extend(mounts.lines().filter(|mount| mount.contains(sandbox)).map(str::to_owned));
    found
}
