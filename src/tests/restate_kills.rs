//! The kill test over Restate: two servers on one PostgreSQL, three Restate nodes, and random ones
//! of them are killed while runs are under way. Every run must finish with one result, and nothing
//! with an effect may happen twice. `CODEFLOW_RESTATE_KILLS` sets the number of kills.

use std::time::{Duration, Instant};

use codeflow::{
    protocol::{MessageKind, ProjectId, RunState},
    store::Store,
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Balancer, Host, Model, Postgres, Reply, Restate, Server, data_dir, free_port, until,
};

/// The number of kills in the short version.
const KILLS: usize = 6;
/// Random moments lie within this time after the last start.
const MOMENTS: Duration = Duration::from_millis(1500);
/// How many times one run is disturbed.
const KILLS_OF_RUN: usize = 6;
const NODES: usize = 3;

fn script() -> Vec<Reply> {
    let mark = |name: &str| {
        (
            "terminal",
            json!({ "command": format!("echo {name} >> marks") }).to_string(),
        )
    };
    let page = json!({ "files": [{ "path": "index.html", "content": "<h1>Whole</h1>" }] });
    let mut replies = vec![Reply::Calls(vec![(
        "createOrUpdateFiles",
        page.to_string(),
    )])];
    replies.extend(MARKS.map(|name| Reply::Calls(vec![mark(name)])));
    replies.push(Reply::done());
    replies
}

const MARKS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

struct Cluster {
    restate: Restate,
    host: Host,
    model: Model,
    postgres: Postgres,
    data: [TempDir; 2],
    ports: [u16; 2],
    _balancer: Balancer,
}

impl Cluster {
    async fn start() -> Self {
        let restate = Restate::cluster().await;
        let ports = [free_port(), free_port()];
        Self {
            host: Host::start().await,
            model: Model::start([("Build", script())]).await,
            postgres: Postgres::start().await,
            data: [data_dir(), data_dir()],
            _balancer: Balancer::start(restate.service_port, ports.to_vec()).await,
            ports,
            restate,
        }
    }

    async fn server(&self, number: usize) -> Server {
        let (of_restate, of_host) = (self.restate.env(), self.host.env());
        let own = of_restate.iter().chain(&of_host);
        let mut env: Vec<(&str, &str)> = own.map(|(name, value)| (*name, &**value)).collect();
        let listen = format!("127.0.0.1:{}", self.ports[number]);
        env.push(("DATABASE_URL", &self.postgres.url));
        env.push(("RESTATE_LISTEN_ADDR", &listen));
        Server::process(self.data[number].path(), &self.model, &env).await
    }
}

/// Whether an unfinished step was begun twice already: a step that dies with its server three times
/// rightly ends the run.
async fn is_worn(store: &Store, project: ProjectId) -> bool {
    let run = store.list_runs(project).await.unwrap()[0].id;
    let steps = store.list_steps(run).await.unwrap();
    steps
        .iter()
        .any(|step| step.output.is_none() && step.attempt >= 2)
}

async fn state(store: &Store, project: ProjectId) -> RunState {
    store.list_runs(project).await.unwrap()[0].state
}

/// Checks a finished run; returns how many effects happened twice, and how many steps were
/// executed beyond one attempt each.
async fn check(store: &Store, server: &Server, project: ProjectId) -> (usize, usize) {
    let run = store.list_runs(project).await.unwrap()[0].clone();
    assert_eq!(run.state, RunState::Succeeded, "{}", server.log());
    let messages = server.workspace(project).await.messages;
    let replies = messages.iter();
    let replies = replies.filter(|message| message.kind != MessageKind::Prompt);
    assert_eq!(replies.count(), 1, "{messages:?}");
    let steps = store.list_steps(run.id).await.unwrap();
    let version = store.latest_version(project).await.unwrap().unwrap();
    let file = |path: &str| {
        let entry = version.entries.iter().find(|entry| entry.path == path)?;
        Some(String::from_utf8_lossy(entry.content()).into_owned())
    };
    assert_eq!(file("index.html").unwrap(), "<h1>Whole</h1>");
    let marks = file("marks").unwrap_or_default();
    let mut repeated = 0;
    for (turn, mark) in MARKS.iter().enumerate() {
        let name = format!("turn-{}-terminal-1", turn + 2);
        let step = steps.iter().find(|step| step.name == name).unwrap();
        let output = step.output.clone().unwrap();
        let count = marks.lines().filter(|line| line == mark).count();
        // A command that was interrupted may not have run at all; one whose end was seen has.
        assert!(
            count >= 1 || output.contains("was interrupted"),
            "{mark} is missing: {output}"
        );
        repeated += usize::from(count > 1);
    }
    let attempts: usize = steps
        .iter()
        .map(|step| usize::try_from(step.attempt).unwrap())
        .sum();
    (repeated, attempts - steps.len())
}

#[tokio::test]
async fn runs_over_restate_survive_kills_of_any_server_and_any_node() {
    let kills =
        std::env::var("CODEFLOW_RESTATE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut cluster = Cluster::start().await;
    let (one, two) = tokio::join!(cluster.server(0), cluster.server(1));
    let mut servers = [Some(one), Some(two)];
    let store = Store::open(&cluster.postgres.url).await.unwrap();
    let (mut killed, mut finished, mut repeated, mut again) = (0, 0, 0, 0);
    let begun = Instant::now();
    while killed < kills {
        let any = servers[finished % 2].as_ref().unwrap();
        let project = any.create("Build").await;
        for _ in 0..KILLS_OF_RUN.min(kills - killed) {
            tokio::time::sleep(MOMENTS.mul_f64(rand::random())).await;
            until("no step is worn", async || {
                let is_final = state(&store, project).await.is_final();
                (is_final || !is_worn(&store, project).await).then_some(())
            })
            .await;
            if state(&store, project).await.is_final() {
                break;
            }
            let victim = rand::random_range(0..servers.len() + NODES);
            match victim.checked_sub(servers.len()) {
                None => {
                    servers[victim].take().unwrap().kill();
                    servers[victim] = Some(cluster.server(victim).await);
                }
                Some(node) => {
                    cluster.restate.kill(node);
                    cluster.restate.start_again(node).await;
                }
            }
            killed += 1;
        }
        until("the run has ended", async || {
            state(&store, project).await.is_final().then_some(())
        })
        .await;
        let server = servers[0].as_ref().unwrap();
        let (twice, more) = check(&store, server, project).await;
        repeated += twice;
        again += more;
        finished += 1;
    }
    println!(
        "{killed} killed over Restate, {finished} finished, {again} attempts at steps again, \
         {repeated} effects repeated, {} s",
        begun.elapsed().as_secs()
    );
    assert_eq!(repeated, 0);
    store.close().await;
    for server in servers.into_iter().flatten() {
        server.stop();
    }
    cluster.host.stop().await;
}
