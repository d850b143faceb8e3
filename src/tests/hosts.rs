//! Several sandbox hosts: a new sandbox goes where there is room, an old one is found again,
//! previews reach it through any server, and projects leave a host that is drained or dies.

use std::{
    collections::HashMap,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use codeflow::{
    config::{RemoteHost, Sandbox as SandboxSettings},
    protocol::{EventKind, MessageKind, PreviewState, ProjectId, RunState},
    sandbox::Client,
    store::Store,
};
use futures::{SinkExt as _, StreamExt as _};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::support::{
    ControlPlane as _, HostProcess, Model, Postgres, Reply, Server, data_dir, http, until,
};

/// Each with its data folder.
struct Hosts {
    one: HostProcess,
    two: HostProcess,
    _data: [TempDir; 2],
}

impl Hosts {
    fn start() -> Self {
        let data = [data_dir(), data_dir()];
        let start = |data: &TempDir| start(data.path(), &[]);
        Self {
            one: start(&data[0]),
            two: start(&data[1]),
            _data: data,
        }
    }

    fn env(&self) -> String {
        [&self.one, &self.two]
            .map(|host| format!("{}=e2b_test", host.url))
            .join(",")
    }

    fn server(&self, data: &Path, model: &Model) -> Server {
        let listed = self.env();
        let env = [
            ("SANDBOX_HOSTS", &*listed),
            ("SANDBOX_HOST_LOST_SECONDS", "3"),
        ];
        Server::start_and(data, model, &env)
    }

    /// The sandboxes of both.
    async fn sandboxes(&self) -> [Vec<String>; 2] {
        [sandboxes(&self.one).await, sandboxes(&self.two).await]
    }

    /// The host that has the only sandbox, and the other one.
    async fn apart(self) -> (HostProcess, HostProcess, [TempDir; 2]) {
        let Self { one, two, _data } = self;
        match sandboxes(&one).await.len() {
            1 => (one, two, _data),
            _ => (two, one, _data),
        }
    }
}

fn start(data: &Path, env: &[(&str, &str)]) -> HostProcess {
    let own = [
        ("SANDBOX_POOL_SIZE", "0"),
        ("SANDBOX_MEMORY_MB", "256"),
        ("SANDBOX_TOTAL_MEMORY_MB", "4096"),
    ];
    HostProcess::start(data, &[&own[..], env].concat())
}

async fn sandboxes(host: &HostProcess) -> Vec<String> {
    let listed = host.get("/v2/sandboxes?state=running,paused").await;
    let listed = listed.as_array().unwrap().iter();
    let ids = listed.map(|sandbox| sandbox["sandboxID"].as_str().unwrap().to_owned());
    ids.collect()
}

fn client(hosts: &[&HostProcess]) -> Client {
    let mut settings = SandboxSettings::of_host("http://127.0.0.1:1", "", "localhost");
    let hosts = hosts.iter().map(|host| RemoteHost {
        url: host.url.clone(),
        key: "e2b_test".into(),
    });
    settings.hosts = hosts.collect();
    settings.lost_after = Duration::from_secs(1);
    Client::new(settings).unwrap()
}

fn signal(host: &HostProcess, signal: Signal) {
    kill(Pid::from_raw(host.id().parse().unwrap()), signal).unwrap();
}

/// The third turn is held.
fn script() -> Vec<Reply> {
    vec![
        Reply::write("index.html", "<h1>Whole</h1>"),
        Reply::write("kept.txt", "by a tool"),
        Reply::append("second").held(),
        Reply::call(
            "readFiles",
            json!({ "files": ["index.html", "kept.txt", "log.txt"] }),
        ),
        Reply::done(),
    ]
}

fn page(text: &str) -> Vec<Reply> {
    let page = format!("<h1>{text}</h1>");
    vec![Reply::write("index.html", &page), Reply::done()]
}

async fn built(server: &Server, prompt: &str) -> ProjectId {
    let project = server.create(prompt).await;
    server.feed(project).await.succeeded(1).await;
    project
}

async fn third_turn(model: &Model) {
    until("the third turn is asked for", async || {
        (model.asked_for(3) == 1).then_some(())
    })
    .await;
}

/// The page at a preview's address, as a browser gets it from the server.
async fn preview(server: &Server, url: &str) -> String {
    let host = url.split('/').nth(2).unwrap();
    until("the preview answers", async || {
        let asked = http().get(server.url()).header("host", host);
        let answer = asked.send().await.ok()?;
        let is_there = answer.status().is_success();
        is_there.then_some(answer.text().await.ok()?)
    })
    .await
}

/// The outcome of the run that lost its host: the notice, and what the files were in the end.
async fn finished_elsewhere(server: &Server, project: ProjectId) {
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let read = feed.tool("turn-4-readFiles-1").output.unwrap();
    for kept in ["Whole", "by a tool"] {
        assert!(read.contains(kept), "{read}");
    }
    let notice = feed
        .find(|kind| match kind {
            EventKind::Notice { text } => Some(text.clone()),
            _ => None,
        })
        .await;
    assert!(
        notice.starts_with("The machine with the sandbox does not answer"),
        "{notice}"
    );
    let workspace = server.workspace(project).await;
    let results = workspace.messages.iter();
    let results = results.filter(|message| message.kind == MessageKind::Result);
    assert_eq!(results.count(), 1);
    assert_eq!(server.states(project).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn new_sandboxes_go_where_there_is_room_and_are_found_again_after_a_restart() {
    let (hosts, data) = (Hosts::start(), data_dir());
    let model = Model::start([("Build", page("Built")), ("Change", page("Changed"))]).await;
    let server = hosts.server(data.path(), &model);
    let mut projects = Vec::new();
    for _ in 0..4 {
        projects.push(built(&server, "Build").await);
    }
    let before = hosts.sandboxes().await;
    assert_eq!(before.each_ref().map(Vec::len), [2, 2]);
    let metrics = server.get("/metrics").await.text().await.unwrap();
    let up = format!("codeflow_sandbox_host_up{{host=\"{}\"}} 1", hosts.one.url);
    assert!(metrics.contains(&up), "{metrics}");
    server.stop();

    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    for project in &projects {
        let sandbox = store.sandbox_of(*project).await.unwrap().unwrap();
        let recorded = store.host_of_sandbox(&sandbox).await.unwrap();
        let has_it = [&hosts.one, &hosts.two]
            .into_iter()
            .zip(&before)
            .find(|(_, sandboxes)| sandboxes.contains(&sandbox));
        assert_eq!(recorded.as_ref(), has_it.map(|(host, _)| &host.url));
    }
    store.close().await;
    let server = hosts.server(data.path(), &model);
    for project in projects {
        server.send(project, "Change").await;
        server.feed(project).await.succeeded(2).await;
    }
    assert_eq!(hosts.sandboxes().await, before);
}

#[tokio::test]
async fn a_waiting_sandbox_is_preferred_and_a_host_that_does_not_answer_or_fit_is_not_chosen() {
    let data = [data_dir(), data_dir()];
    let roomy = start(data[0].path(), &[("SANDBOX_TOTAL_MEMORY_MB", "4500")]);
    let warm = start(data[1].path(), &[("SANDBOX_POOL_SIZE", "1")]);
    until("a sandbox waits", async || {
        let capacity = warm.get("/host/capacity").await;
        (capacity["templates"]["nextjs"] == 1).then_some(())
    })
    .await;
    let client = client(&[&roomy, &warm]);
    let create = async || {
        let timeout = Duration::from_secs(600);
        client.create(timeout, &Default::default()).await
    };
    let first = create().await.unwrap();
    assert_eq!(first.host(), Some(&*warm.url));
    // The key is needed.
    let url = format!("{}/host/capacity", warm.url);
    assert_eq!(http().get(url).send().await.unwrap().status(), 401);

    signal(&warm, Signal::SIGSTOP);
    let second = create().await.unwrap();
    assert_eq!(second.host(), Some(&*roomy.url));
    // Whoever waits for it learns that it is lost, and it is back with its first answer.
    let lost = client.connect(first.id(), Duration::from_secs(600)).await;
    assert!(lost.is_err(), "{lost:?}");
    signal(&roomy, Signal::SIGSTOP);
    let error = create().await.unwrap_err().to_string();
    for host in [&roomy, &warm] {
        assert!(
            error.contains(&format!("{} does not answer", host.url)),
            "{error}"
        );
        signal(host, Signal::SIGCONT);
    }
    until("the sandbox is found again", async || {
        let timeout = Duration::from_secs(600);
        client.connect(first.id(), timeout).await.ok()
    })
    .await;
    until("both hosts are listed", async || {
        let listed = client.list().await.ok()?;
        (listed.len() == 2).then_some(())
    })
    .await;
    client.kill(second.id()).await.unwrap();
    assert_eq!(sandboxes(&roomy).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_run_goes_on_elsewhere_when_the_host_of_its_sandbox_is_killed() {
    let (hosts, data) = (Hosts::start(), data_dir());
    let model = Model::start([("Build", script())]).await;
    let server = hosts.server(data.path(), &model);
    let project = server.create("Build").await;
    third_turn(&model).await;
    let (killed, left, _data) = hosts.apart().await;
    killed.kill();
    model.release();
    finished_elsewhere(&server, project).await;
    assert_eq!(sandboxes(&left).await.len(), 1);
    // Whoever looks sees the app there.
    let url = until("the new preview is published", async || {
        match server.workspace(project).await.preview {
            PreviewState::Ready { url, .. } => Some(url),
            _ => None,
        }
    })
    .await;
    assert!(preview(&server, &url).await.contains("Whole"));
    // The next host on the machine ends what the killed one left running.
    let data = data_dir();
    start(data.path(), &[]);
}

#[tokio::test]
async fn a_run_goes_on_elsewhere_when_the_host_of_its_sandbox_hangs() {
    let (hosts, data) = (Hosts::start(), data_dir());
    let model = Model::start([("Build", script())]).await;
    let server = hosts.server(data.path(), &model);
    let project = server.create("Build").await;
    third_turn(&model).await;
    let (hung, left, _data) = hosts.apart().await;
    signal(&hung, Signal::SIGSTOP);
    model.release();
    finished_elsewhere(&server, project).await;
    assert_eq!(sandboxes(&left).await.len(), 1);
    signal(&hung, Signal::SIGCONT);
    // It is back with a sandbox that no project has; the sweep ends it after an hour.
    let client = client(&[&hung]);
    until("it lists its sandbox", async || {
        let listed = client.list().await.ok()?;
        (listed.len() == 1).then_some(())
    })
    .await;
}

/// Runs `codeflow sandbox-host` with this argument on the running host.
fn ask(host: &HostProcess, what: &str, key: Option<&str>) -> Output {
    let address = host.url.strip_prefix("http://").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeflow"));
    command
        .args(["sandbox-host", what])
        .env("SANDBOX_HOST_ADDR", address)
        .env_remove("SANDBOX_HOST_KEY");
    command.envs(key.map(|key| ("SANDBOX_HOST_KEY", key)));
    command.output().unwrap()
}

#[tokio::test]
async fn a_host_that_stands_still_keeps_no_new_sandbox_waiting() {
    let hosts = Hosts::start();
    let client = client(&[&hosts.one, &hosts.two]);
    let answering = async |count: usize| {
        until("the client knows which hosts answer", async || {
            let answering = client.hosts().iter().filter(|host| host.answers).count();
            (answering == count).then_some(())
        })
        .await;
    };
    answering(2).await;
    signal(&hosts.one, Signal::SIGSTOP);
    answering(1).await;
    let begun = Instant::now();
    let sandbox = client
        .create(Duration::from_secs(60), &HashMap::new())
        .await
        .unwrap();
    // It would be waited for 3 seconds.
    assert!(
        begun.elapsed() < Duration::from_millis(2500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(sandboxes(&hosts.two).await, [sandbox.id()]);
    signal(&hosts.one, Signal::SIGCONT);
}

#[tokio::test]
async fn projects_leave_a_host_that_is_drained_with_their_unsaved_files() {
    let (hosts, data) = (Hosts::start(), data_dir());
    let read = Reply::call("readFiles", json!({ "files": ["index.html", "log.txt"] }));
    let write = vec![
        Reply::write("index.html", "<h1>Built</h1>"),
        Reply::append("first"),
    ];
    let failing = vec![Reply::append("unsaved"), Reply::Status(401, "bad key")];
    let model = Model::start([
        ("Build", [write, vec![Reply::done()]].concat()),
        ("Fail", failing),
        ("Read", vec![read, Reply::done()]),
    ])
    .await;
    let server = hosts.server(data.path(), &model);
    let project = built(&server, "Build").await;
    server.send(project, "Fail").await;
    server.feed(project).await.failed(2).await;
    let (drained, other, _data) = hosts.apart().await;
    let left = sandboxes(&drained).await;

    let refused = ask(&drained, "drain", None);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("SANDBOX_HOST_KEY"));
    assert!(!ask(&drained, "drain", Some("e2b_wrong")).status.success());
    let asked = ask(&drained, "drain", Some("e2b_test"));
    assert!(asked.status.success(), "{asked:?}");
    let new = json!({ "templateID": "nextjs", "timeout": 300 });
    let (status, refusal) = drained.answer("/v2/sandboxes", &new).await;
    assert_eq!(status, 503, "{refusal}");
    until("the server knows", async || {
        let metrics = server.get("/metrics").await.text().await.unwrap();
        let draining = format!(
            "codeflow_sandbox_host_draining{{host=\"{}\"}} 1",
            drained.url
        );
        metrics.contains(&draining).then_some(())
    })
    .await;

    server.send(project, "Read").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(3).await;
    let read = feed.tool("turn-1-readFiles-1").output.unwrap();
    assert!(
        read.contains("Built") && read.contains("first\nunsaved"),
        "{read}"
    );
    let there = sandboxes(&other).await;
    assert_eq!((there.len(), there == left), (1, false));
    until("the old sandbox is ended", async || {
        sandboxes(&drained).await.is_empty().then_some(())
    })
    .await;
    // It moved in good order, so nothing was lost.
    let notices = feed.events.iter();
    let notices = notices.filter(|event| matches!(event.kind, EventKind::Notice { .. }));
    assert_eq!(notices.count(), 0);

    assert!(ask(&drained, "undrain", Some("e2b_test")).status.success());
    drained.post("/v2/sandboxes", &new).await;
}

#[tokio::test]
async fn previews_of_two_hosts_are_served_through_any_server() {
    let (hosts, postgres) = (Hosts::start(), Postgres::start().await);
    let (data, other) = (data_dir(), data_dir());
    let model = Model::start([("One", page("One")), ("Two", page("Two"))]).await;
    let listed = hosts.env();
    let env = [
        ("DATABASE_URL", &*postgres.url),
        ("SANDBOX_HOSTS", &*listed),
    ];
    let (here, there) = (
        Server::process(data.path(), &model, &env).await,
        Server::process(other.path(), &model, &env).await,
    );
    for prompt in ["One", "Two"] {
        let project = built(&here, prompt).await;
        let url = here.feed(project).await.preview().await;
        for server in [&here, &there] {
            let page = preview(server, &url).await;
            assert!(page.contains(&format!("<h1>{prompt}</h1>")), "{page}");
            assert_eq!(echo(server, &url).await, "hello");
        }
    }
    assert_eq!(hosts.sandboxes().await.each_ref().map(Vec::len), [1, 1]);
    let absent = http()
        .get(here.url())
        .header("host", "3000-inone.localhost");
    assert_eq!(absent.send().await.unwrap().status(), 404);
    here.stop();
    there.stop();
}

/// What comes back over a WebSocket of the preview.
async fn echo(server: &Server, url: &str) -> String {
    let address = format!("ws://127.0.0.1:{}/socket", server.port);
    let mut request = address.into_client_request().unwrap();
    let host = url.split('/').nth(2).unwrap();
    request.headers_mut().insert("host", host.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    let said = socket.next().await.unwrap().unwrap();
    said.into_text().unwrap().to_string()
}
