//! A server that the benches measure: the release binary (`CODEFLOW_BIN`) as a process, with its
//! own data folder.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use codeflow::{protocol::ProjectId, store::Store};

use super::{model::Model, ports, runs, soak};

/// The variables that make a server use the stand-ins for sandboxes at this address.
fn stand_ins(e2b: &str) -> [(&str, &str); 5] {
    [
        ("SANDBOX_PROVIDER", "e2b"),
        ("E2B_API_URL", e2b),
        ("E2B_SANDBOX_URL", e2b),
        // Browsers ask for E2B's own domain by https, whatever the data plane is.
        ("E2B_DOMAIN", "localhost"),
        ("E2B_API_KEY", "e2b_pretend"),
    ]
}

/// The release binary with its own data folder.
pub struct Server {
    child: Child,
    pub port: u16,
    data: tempfile::TempDir,
    pub http: reqwest::Client,
    /// The PostgreSQL database that it shares.
    database: Option<String>,
}

impl Server {
    /// Starts it with stand-ins for sandboxes. Pages are loaded in a browser only with
    /// `checks_pages`: the app is what is measured.
    pub fn start(model: &Model, e2b: &str, checks_pages: bool) -> Self {
        let runs = runs().to_string();
        let mut env = vec![("RUNS_MAX_CONCURRENT", &*runs)];
        env.extend(stand_ins(e2b));
        if !checks_pages {
            env.push(("CHROMIUM_PATH", "off"));
        }
        Self::spawn(tempfile::tempdir().unwrap(), model, &env)
    }

    /// Starts it with real sandboxes that sleep soon, and frequent sweeps.
    pub fn start_local(data: tempfile::TempDir, model: &Model) -> Self {
        let env = [
            ("SANDBOX_POOL_SIZE", "0"),
            ("SANDBOX_IDLE_SECONDS", "5"),
            ("SANDBOX_FROZEN_SECONDS", "0"),
            ("SANDBOX_MEMORY_MB", "256"),
            ("SWEEP_SECONDS", "2"),
            // What is measured is what stays; the pages are asked for as their users would.
            ("CHROMIUM_PATH", "off"),
        ];
        Self::spawn(data, model, &env)
    }

    fn spawn(data: tempfile::TempDir, model: &Model, env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = model.env().into_iter().chain(env.iter().copied()).collect();
        Self::run(data, &env, |line| eprintln!("{line}"))
    }

    /// Starts it with these variables; `warned` gets the lines of its log that warn.
    pub fn run(
        data: tempfile::TempDir,
        env: &[(&str, &str)],
        warned: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let mut child = Command::new(
            std::env::var_os("CODEFLOW_BIN").expect("CODEFLOW_BIN is the release binary"),
        )
        .arg("serve")
        .env("CODEFLOW_DATA_DIR", data.path())
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .envs(env.iter().copied())
        .env("RUST_LOG", "warn,codeflow=info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let lines = log.lines().map_while(Result::ok);
            for line in lines.filter(|line| line.contains("WARN") || line.contains("ERROR")) {
                warned(&line);
            }
        });
        let port = loop {
            if let Some(port) = ports::ready_port(child.id(), "/healthz") {
                break port;
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server did not start: {status}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            child,
            port,
            data,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            database: None,
        }
    }

    /// Starts it with stand-ins for sandboxes, on a database that it shares with others.
    pub fn start_shared(model: &Model, e2b: &str, database: &str) -> Self {
        Self::start_shared_and(model, e2b, database, &[])
    }

    /// The same with further variables.
    pub fn start_shared_and(
        model: &Model,
        e2b: &str,
        database: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let mut env = vec![("DATABASE_URL", database), ("CHROMIUM_PATH", "off")];
        env.extend(stand_ins(e2b));
        env.extend(more);
        let mut server = Self::spawn(tempfile::tempdir().unwrap(), model, &env);
        server.database = Some(database.to_owned());
        server
    }

    /// Asks it to stop, without waiting.
    pub fn ask_to_stop(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn create(&self, prompt: &str) -> ProjectId {
        let request = self.http.post(format!(
            "http://127.0.0.1:{}/api/projects/create",
            self.port
        ));
        let request = request
            .header("accept", "application/json")
            .form(&[("prompt", prompt)]);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub async fn delete(&self, project: ProjectId) {
        let url = format!("http://127.0.0.1:{}/api/projects/delete", self.port);
        let request = self.http.post(url).header("accept", "application/json");
        let request = request.form(&[("project", project.to_string())]);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    pub async fn store(&self) -> Store {
        if let Some(url) = &self.database {
            return Store::open(url).await.unwrap();
        }
        Store::open_file(&self.data.path().join("codeflow.sqlite"))
            .await
            .unwrap()
    }

    pub fn data_path(&self) -> &Path {
        self.data.path()
    }

    /// Opens a second connection to its database.
    pub async fn database(&self) -> sea_orm::DatabaseConnection {
        soak::connect(&self.data.path().join("codeflow.sqlite")).await
    }

    /// What the app in a sandbox shows.
    pub async fn preview(&self, sandbox: &str) -> String {
        let request = self.http.get(format!("http://127.0.0.1:{}/", self.port));
        let request = request.header("host", format!("3000-{sandbox}.localhost:{}", self.port));
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Its peak memory so far, in MB.
    pub fn peak_memory(&self) -> f64 {
        self.status("VmHWM:")
    }

    /// Its current memory, in MB.
    pub fn memory(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The processor time that it has used so far, in seconds (proc_pid_stat(5)).
    pub fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name in brackets, which may contain spaces: fields 3 and following.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
        f64::from(ticks) / a_second.unwrap().unwrap() as f64
    }

    /// What it has written to disk so far, in MB (proc_pid_io(5)).
    pub fn written(&self) -> f64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let line = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        line.unwrap().parse::<f64>().unwrap() / 1e6
    }

    fn status(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .unwrap();
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            * 1.024
            / 1000.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.ask_to_stop();
            let _ = self.child.wait();
        }
    }
}
