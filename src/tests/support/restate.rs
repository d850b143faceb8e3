//! A Restate server for one test, from the npm packages, and a balancer in front of the servers
//! that it calls.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{http, until};

/// The package with the server: one static program.
const PROGRAM: &str = "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

/// A free port, from below those that the kernel gives to connections and listeners meanwhile; no
/// other one of this process.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 200).unwrap() * 50;
    loop {
        let port = 20_000 + (own + TAKEN.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn on_loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// A Restate server, or a cluster of them, whose nodes may be killed and started again; when
/// dropped, they are killed.
pub struct Restate {
    nodes: Vec<Node>,
    folder: tempfile::TempDir,
    ingress_port: u16,
    admin_port: u16,
    /// Where it calls the server under test.
    pub service_port: u16,
    /// In front of a cluster.
    _balancers: Vec<Balancer>,
}

struct Node {
    child: Option<Child>,
    port: u16,
    ingress_port: u16,
    admin_port: u16,
}

impl Restate {
    /// One node.
    pub async fn start() -> Self {
        Self::of(1).await
    }

    /// Three nodes that replicate to two.
    pub async fn cluster() -> Self {
        Self::of(3).await
    }

    async fn of(count: usize) -> Self {
        let nodes: Vec<Node> = (0..count)
            .map(|_| Node {
                child: None,
                port: free_port(),
                ingress_port: free_port(),
                admin_port: free_port(),
            })
            .collect();
        let (mut ingress_port, mut admin_port) = (nodes[0].ingress_port, nodes[0].admin_port);
        let mut balancers = Vec::new();
        if count > 1 {
            (ingress_port, admin_port) = (free_port(), free_port());
            let ingresses = nodes.iter().map(|node| node.ingress_port).collect();
            balancers.push(Balancer::start(ingress_port, ingresses).await);
            let admins = nodes.iter().map(|node| node.admin_port).collect();
            balancers.push(Balancer::start(admin_port, admins).await);
        }
        let mut restate = Self {
            nodes,
            folder: tempfile::tempdir().unwrap(),
            ingress_port,
            admin_port,
            service_port: free_port(),
            _balancers: balancers,
        };
        for node in 0..count {
            restate.spawn(node);
        }
        for node in 0..count {
            restate.answers(node).await;
        }
        restate
    }

    /// Starts a killed node on its folder and its ports.
    pub async fn start_again(&mut self, node: usize) {
        self.spawn(node);
        self.answers(node).await;
    }

    fn spawn(&mut self, node: usize) {
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
        assert!(
            program.exists(),
            "{PROGRAM} is missing; run script/setup, which installs the npm packages"
        );
        let replication = self.nodes.len().min(2).to_string();
        let addresses: Vec<String> = self.nodes.iter().map(Node::address).collect();
        let of_node = &mut self.nodes[node];
        let name = format!("n{}", node + 1);
        let log = self.folder.path().join(format!("{name}.log"));
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = Command::new(program)
            .env_clear()
            .env("RESTATE_CLUSTER_NAME", "test")
            .env("RESTATE_NODE_NAME", &name)
            .env("RESTATE_AUTO_PROVISION", (node == 0).to_string())
            .env("RESTATE_DEFAULT_REPLICATION", replication)
            .env("RESTATE_DEFAULT_NUM_PARTITIONS", "2")
            .env("RESTATE_BASE_DIR", self.folder.path().join(&name))
            .env("RESTATE_LISTEN_MODE", "tcp")
            .env("RESTATE_BIND_ADDRESS", on_loopback(of_node.port))
            .env("RESTATE_ADVERTISED_ADDRESS", of_node.address())
            .env(
                "RESTATE_METADATA_CLIENT__ADDRESSES",
                json!(addresses).to_string(),
            )
            .env(
                "RESTATE_ADMIN__BIND_ADDRESS",
                on_loopback(of_node.admin_port),
            )
            .env(
                "RESTATE_INGRESS__BIND_ADDRESS",
                on_loopback(of_node.ingress_port),
            )
            .env(
                "RESTATE_TOKIO_CONSOLE_BIND_ADDRESS",
                on_loopback(free_port()),
            )
            .env("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "128MiB")
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        of_node.child = Some(child);
    }

    async fn answers(&self, node: usize) {
        let node = &self.nodes[node];
        let http = http();
        let health = [
            format!("http://{}/health", on_loopback(node.admin_port)),
            format!("http://{}/restate/health", on_loopback(node.ingress_port)),
        ];
        until("Restate answers", async || {
            for url in &health {
                let answer = http.get(url).send().await.ok()?;
                answer.status().is_success().then_some(())?;
            }
            Some(())
        })
        .await;
    }

    /// Kills a node's process, as a crash does.
    pub fn kill(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills its only node and removes what it had.
    pub fn lose_data(&mut self) {
        self.kill(0);
        std::fs::remove_dir_all(self.folder.path().join("n1")).unwrap();
    }

    /// The variables that make a server use it.
    pub fn env(&self) -> [(&'static str, String); 4] {
        let url = |port| format!("http://{}", on_loopback(port));
        [
            ("RUN_ENGINE", "restate".to_owned()),
            ("RESTATE_INGRESS_URL", url(self.ingress_port)),
            ("RESTATE_ADMIN_URL", url(self.admin_port)),
            ("RESTATE_SERVICE_URL", url(self.service_port)),
        ]
    }

    /// The rows that a query of its tables finds.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.admin("POST", "/query", json!({ "query": query }));
        answer.await["rows"].as_array().unwrap().clone()
    }

    /// A request to the admin API, which must succeed.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("http://{}{path}", on_loopback(self.admin_port));
        let request = http().request(method.parse().unwrap(), url);
        let request = request.header("accept", "application/json").json(&body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Drop for Restate {
    fn drop(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node);
        }
        if std::thread::panicking() {
            let log = self.folder.path().join("n1.log");
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let end = log.len().saturating_sub(4000);
            eprintln!("Restate's log ends:\n{}", log.get(end..).unwrap_or(&log));
        }
    }
}

impl Node {
    fn address(&self) -> String {
        format!("http://{}/", on_loopback(self.port))
    }
}

/// Passes each connection to the next of the servers that accepts it.
pub struct Balancer(tokio::task::JoinHandle<()>);

impl Balancer {
    pub async fn start(port: u16, targets: Vec<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let turn = Arc::new(AtomicUsize::new(0));
        Self(tokio::spawn(async move {
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                let (targets, turn) = (targets.clone(), turn.clone());
                tokio::spawn(async move {
                    for _ in &targets {
                        let next = turn.fetch_add(1, Ordering::Relaxed) % targets.len();
                        let Ok(mut to) = TcpStream::connect(("127.0.0.1", targets[next])).await
                        else {
                            continue;
                        };
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                        return;
                    }
                });
            }
        }))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
