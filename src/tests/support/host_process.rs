//! A sandbox host as a separate process, which can be killed or run as another user.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use codeflow::sandbox::{Client, Sandbox};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Method, RequestBuilder};

use super::{ControlPlane, PATIENCE, host::client, http, ports::ready_port, server::Log};

const KEY: &str = "e2b_test";

/// A running `codeflow sandbox-host`; when dropped, it is asked to stop and waited for.
pub struct HostProcess {
    child: Child,
    pub url: String,
    pub client: Client,
    http: reqwest::Client,
    log: Log,
}

impl HostProcess {
    pub fn start(data: &Path, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_codeflow"));
        command
            .arg("sandbox-host")
            .env("CODEFLOW_DATA_DIR", data)
            .envs(env.iter().copied());
        Self::of(&mut command)
    }

    /// Starts it by a command that has its data folder, and that becomes the host.
    pub fn of(command: &mut Command) -> Self {
        let http = http();
        let mut child = command
            .env("SANDBOX_HOST_ADDR", "127.0.0.1:0")
            .env("SANDBOX_HOST_KEY", KEY)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::default();
        log.collect(child.stderr.take().unwrap());
        let begun = Instant::now();
        let port = loop {
            if let Some(port) = ready_port(child.id(), "/health") {
                break port;
            }
            let ended = child.try_wait().unwrap().is_some();
            assert!(
                !ended && begun.elapsed() < PATIENCE,
                "it did not begin to listen:\n{}",
                log.text()
            );
            thread::sleep(Duration::from_millis(10));
        };
        let url = format!("http://127.0.0.1:{port}");
        Self {
            child,
            client: client(&url, KEY, "localhost"),
            url,
            http,
            log,
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it has logged a line with these words.
    pub async fn logged(&self, words: &str) {
        super::until(&format!("it logs “{words}”"), async || {
            self.log().contains(words).then_some(())
        })
        .await;
    }

    /// A sandbox of its default template.
    pub async fn create(&self) -> Sandbox {
        self.client
            .create(PATIENCE, &Default::default())
            .await
            .unwrap()
    }

    /// Its process's id.
    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// The kernel's status of its process.
    pub fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.id()).join(name)
    }

    /// Its memory in bytes.
    pub fn memory(&self) -> u64 {
        super::memory_of(self.id(), "VmRSS")
    }

    /// Ends it at once, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl ControlPlane for HostProcess {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn preview(&self, sandbox: &str, port: u16, path: &str) -> RequestBuilder {
        let listens = self.url.rsplit(':').next().unwrap();
        self.http
            .get(format!("{}{path}", self.url))
            .header("host", format!("{port}-{sandbox}.localhost:{listens}"))
    }

    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .header("x-api-key", KEY)
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
            // One that a test has stopped hears nothing before it goes on.
            for signal in [Signal::SIGTERM, Signal::SIGCONT] {
                let _ = kill(pid, signal);
            }
            let _ = self.child.wait();
        }
    }
}
