//! Runs over a real Restate server: the same steps as with the embedded engine, in order, across
//! crashes of either side.

use std::path::Path;

use codeflow::{
    protocol::{MessageKind, ProjectId, RunState},
    store::Store,
};
use serde_json::json;

use crate::{
    start_up::failure,
    support::{
        Balancer, Host, Model, Postgres, Reply, Restate, Server, data_dir, free_port, until,
    },
};

/// The third answer is held.
fn script() -> Vec<Reply> {
    vec![
        Reply::append("first"),
        Reply::Calls(vec![
            (
                "createOrUpdateFiles",
                json!({ "files": [{ "path": "index.html", "content": "<h1>Whole</h1>" }] })
                    .to_string(),
            ),
            ("readFiles", json!({ "files": ["log.txt"] }).to_string()),
            ("listFiles", json!({ "path": "." }).to_string()),
        ]),
        Reply::append("second").held(),
        Reply::call("readFiles", json!({ "files": ["log.txt"] })),
        Reply::done(),
    ]
}

/// A server that uses Restate, and sandboxes that outlive it.
async fn server(restate: &Restate, host: &Host, model: &Model, data: &Path) -> Server {
    server_and(restate, host, model, data, &[]).await
}

async fn server_and(
    restate: &Restate,
    host: &Host,
    model: &Model,
    data: &Path,
    more: &[(&str, &str)],
) -> Server {
    let (of_restate, of_host) = (restate.env(), host.env());
    let own = of_restate.iter().chain(&of_host);
    let mut env: Vec<(&str, &str)> = own.map(|(name, value)| (*name, &**value)).collect();
    env.extend(more);
    Server::process(data, model, &env).await
}

async fn third_turn(model: &Model, times: usize) {
    until("the third turn is asked for", async || {
        (model.asked_for(3) == times).then_some(())
    })
    .await;
}

/// Waits until the project's run has ended, as it should.
async fn succeeds(server: &Server, project: ProjectId) {
    let (state, _) = server.feed(project).await.ended(1).await;
    assert_eq!(state, RunState::Succeeded);
}

/// The run's steps, with their attempts.
async fn steps(store: &Store, project: ProjectId) -> Vec<(String, i32)> {
    let runs = store.list_runs(project).await.unwrap();
    let steps = store.list_steps(runs[0].id).await.unwrap();
    let mut steps: Vec<_> = steps
        .into_iter()
        .map(|step| (step.name, step.attempt))
        .collect();
    // Those of one turn begin at once.
    steps.sort();
    steps
}

async fn of_file(data: &Path) -> Store {
    Store::open_file(&data.join("codeflow.sqlite"))
        .await
        .unwrap()
}

/// Checks the run after its third turn was interrupted: it alone has begun twice.
async fn only_the_third_turn_was_repeated(store: &Store, server: &Server, project: ProjectId) {
    for (step, attempt) in steps(store, project).await {
        let expected = if step == "turn-3" { 2 } else { 1 };
        assert_eq!(attempt, expected, "{step}");
    }
    let workspace = server.workspace(project).await;
    let messages = workspace.messages.iter();
    let results = messages.filter(|message| message.kind == MessageKind::Result);
    assert_eq!(results.count(), 1, "{:?}", workspace.messages);
    let asked = workspace.messages[0].id;
    let log = store.step_output(asked, "turn-4-readFiles-1").await;
    assert!(log.unwrap().unwrap().contains("first\\nsecond"));
}

/// Waits until Restate has nothing left to do.
async fn nothing_is_left(restate: &Restate) {
    until("Restate has ended every invocation", async || {
        let left = restate.query("SELECT id FROM sys_invocation WHERE status <> 'completed'");
        left.await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn runs_over_restate_have_the_same_steps_are_worked_on_in_order_and_can_be_stopped() {
    let questions = [
        ("Build", script()),
        ("And then", vec![Reply::done()]),
        (
            "Stop me",
            vec![Reply::call("terminal", json!({ "command": "sleep 600" }))],
        ),
        ("Last", vec![Reply::done()]),
    ];
    let model = Model::start(questions).await;
    let (host, restate) = (Host::start().await, Restate::start().await);
    let (data, other) = (data_dir(), data_dir());
    let server = server(&restate, &host, &model, data.path()).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    third_turn(&model, 1).await;
    // It waits for the first.
    server.send(project, "And then").await;
    let states = [RunState::Running, RunState::Queued];
    assert_eq!(server.states(project).await, states);
    assert_eq!(model.turns_of("And then").len(), 0);

    // Restate knows which steps there are, and nothing of what they put out.
    let recorded = ["get-prev-messages", "turn-1-terminal-1", "turn-2"];
    let references = recorded.map(|step| format!(r#""step":"{step}""#));
    let journal = until("Restate has recorded these steps", async || {
        let journal = restate.query("SELECT raw FROM sys_journal").await;
        let entries = journal.iter().map(|entry| {
            let raw = hex::decode(entry["raw"].as_str().unwrap()).unwrap();
            String::from_utf8_lossy(&raw).into_owned()
        });
        let journal: String = entries.collect();
        let mut references = references.iter();
        let has_all = references.all(|reference| journal.contains(reference));
        has_all.then_some(journal)
    })
    .await;
    for content in ["turn-3", "Build", "first", "Whole", "index.html"] {
        assert!(!journal.contains(content), "{content}: {journal}");
    }
    let of_project = until("Restate has both runs", async || {
        let found = restate
            .query("SELECT target, status FROM sys_invocation")
            .await;
        (found.len() == 2).then_some(found)
    })
    .await;
    for invocation in &of_project {
        assert_eq!(invocation["target"], format!("Project/{project}/run"));
    }

    model.release();
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    assert_eq!(feed.ended(2).await.0, RunState::Succeeded);

    model.hold_again();
    server.send(project, "Stop me").await;
    let stopped = until("the third run works", async || {
        let run = server.workspace(project).await.runs.last()?.clone();
        (run.state == RunState::Running && model.turns_of("Stop me").len() == 1).then_some(run.id)
    })
    .await;
    server.send(project, "Last").await;
    let form = [("run", &*stopped.to_string())];
    assert!(server.post("/api/runs/cancel", &form).await.0.is_success());
    assert_eq!(feed.ended(3).await.0, RunState::Cancelled);
    assert_eq!(feed.ended(4).await.0, RunState::Succeeded);
    nothing_is_left(&restate).await;

    // The same run by the embedded engine.
    let embedded = Server::start_and(other.path(), &model, &[]);
    let same = embedded.create("Build").await;
    third_turn(&model, 2).await;
    model.release();
    succeeds(&embedded, same).await;
    let (of_restate, of_embedded) = (of_file(data.path()).await, of_file(other.path()).await);
    assert_eq!(
        steps(&of_restate, project).await,
        steps(&of_embedded, same).await
    );
    of_restate.close().await;
    of_embedded.close().await;
    embedded.stop();
    server.stop();
    host.stop().await;
}

#[tokio::test]
async fn a_killed_server_and_a_killed_restate_cost_only_the_step_under_way() {
    let model = Model::start([
        ("Build", script()),
        ("Again", script()),
        ("Later", vec![Reply::done()]),
    ])
    .await;
    let (host, mut restate) = (Host::start().await, Restate::start().await);
    let data = data_dir();
    let one = server(&restate, &host, &model, data.path()).await;
    let project = one.create("Build").await;
    third_turn(&model, 1).await;
    one.kill();
    let one = server(&restate, &host, &model, data.path()).await;
    third_turn(&model, 2).await;
    model.release();
    succeeds(&one, project).await;
    let store = of_file(data.path()).await;
    only_the_third_turn_was_repeated(&store, &one, project).await;

    model.hold_again();
    let again = one.create("Again").await;
    third_turn(&model, 3).await;
    restate.kill(0);
    // What is sent meanwhile is taken, and waits.
    let later = one.create("Later").await;
    until("the server says so", async || {
        one.log()
            .contains("runs can't be handed over")
            .then_some(())
    })
    .await;
    assert_eq!(one.states(later).await, [RunState::Queued]);
    let figures = one.get("/metrics").await.text().await.unwrap();
    // The interrupted run waits for Restate, too.
    let waiting = ["1", "2"].map(|count| format!("codeflow_runs_not_handed_over {count}\n"));
    assert!(
        waiting.iter().any(|figure| figures.contains(figure)),
        "{figures}"
    );
    restate.start_again(0).await;
    third_turn(&model, 4).await;
    model.release();
    succeeds(&one, again).await;
    succeeds(&one, later).await;
    only_the_third_turn_was_repeated(&store, &one, again).await;
    nothing_is_left(&restate).await;
    store.close().await;
    one.stop();
    host.stop().await;
}

#[tokio::test]
async fn a_restate_that_has_lost_its_data_is_given_the_runs_again() {
    let model = Model::start([("Build", script()), ("Later", vec![Reply::done()])]).await;
    let (host, mut restate) = (Host::start().await, Restate::start().await);
    let data = data_dir();
    let one = server(&restate, &host, &model, data.path()).await;
    let project = one.create("Build").await;
    third_turn(&model, 1).await;
    restate.lose_data();
    let later = one.create("Later").await;
    until("the server says so", async || {
        one.log()
            .contains("runs can't be handed over")
            .then_some(())
    })
    .await;
    restate.start_again(0).await;
    third_turn(&model, 2).await;
    model.release();
    succeeds(&one, project).await;
    succeeds(&one, later).await;
    let store = of_file(data.path()).await;
    only_the_third_turn_was_repeated(&store, &one, project).await;
    store.close().await;
    one.stop();
    host.stop().await;
}

#[tokio::test]
async fn the_run_of_a_server_that_dies_goes_on_at_another_behind_the_same_address() {
    let model = Model::start([("Build", script())]).await;
    let (host, restate) = (Host::start().await, Restate::start().await);
    let postgres = Postgres::start().await;
    let ports = [free_port(), free_port()];
    let _balancer = Balancer::start(restate.service_port, ports.to_vec()).await;
    let (data, other) = (data_dir(), data_dir());
    let node = async |data: &Path, port: u16| {
        let listen = format!("127.0.0.1:{port}");
        let more = [
            ("DATABASE_URL", &*postgres.url),
            ("RESTATE_LISTEN_ADDR", &*listen),
        ];
        server_and(&restate, &host, &model, data, &more).await
    };
    let (one, two) = tokio::join!(node(data.path(), ports[0]), node(other.path(), ports[1]));
    let project = one.create("Build").await;
    third_turn(&model, 1).await;
    // Restate chose one of them.
    let works = |server: &Server| server.log().contains("the run started");
    let (at_work, left) = match works(&one) {
        true => (one, two),
        false => (two, one),
    };
    assert!(works(&at_work) && !works(&left));
    at_work.kill();
    third_turn(&model, 2).await;
    model.release();
    succeeds(&left, project).await;
    let store = Store::open(&postgres.url).await.unwrap();
    only_the_third_turn_was_repeated(&store, &left, project).await;
    nothing_is_left(&restate).await;
    store.close().await;
    left.stop();
    host.stop().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_at_restate_is_stopped() {
    let model = Model::start([("Build", script())]).await;
    let (host, restate) = (Host::start().await, Restate::start().await);
    let data = data_dir();
    let one = server(&restate, &host, &model, data.path()).await;
    let project = one.create("Build").await;
    let mut feed = one.feed(project).await;
    third_turn(&model, 1).await;
    let invocations = restate.query("SELECT id FROM sys_invocation").await;
    let id = invocations[0]["id"].as_str().unwrap();
    let path = format!("/invocations/{id}/cancel");
    restate.admin("PATCH", &path, json!(null)).await;
    // It is seen once the step has ended.
    model.release();
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Cancelled);
    assert!(message.content.contains("Stopped"), "{}", message.content);
    nothing_is_left(&restate).await;
    one.stop();
    host.stop().await;
}

#[tokio::test]
async fn a_run_goes_on_at_the_next_build_and_the_older_deployment_goes_when_nothing_needs_it() {
    let model = Model::start([("Build", script())]).await;
    let (host, restate) = (Host::start().await, Restate::start().await);
    let data = data_dir();
    let one = server(&restate, &host, &model, data.path()).await;
    let deployments = async || {
        let listed = restate.admin("GET", "/deployments", json!(null)).await;
        listed["deployments"].as_array().unwrap().len()
    };
    let project = one.create("Build").await;
    third_turn(&model, 1).await;
    one.stop();
    // Another time-out registers anew, as another version does.
    let more = [("RUN_TIMEOUT_SECONDS", "1200")];
    let one = server_and(&restate, &host, &model, data.path(), &more).await;
    let service = restate.admin("GET", "/services/Project", json!(null)).await;
    assert_eq!(service["inactivity_timeout"], "30m", "{service}");
    assert_eq!(service["abort_timeout"], "30m", "{service}");
    assert_eq!(deployments().await, 2);
    third_turn(&model, 2).await;
    model.release();
    succeeds(&one, project).await;
    let store = of_file(data.path()).await;
    only_the_third_turn_was_repeated(&store, &one, project).await;
    store.close().await;
    nothing_is_left(&restate).await;
    one.stop();
    let one = server_and(&restate, &host, &model, data.path(), &more).await;
    until("the older one is gone", async || {
        (deployments().await == 1).then_some(())
    })
    .await;
    one.stop();
    host.stop().await;
}

#[tokio::test]
async fn a_restate_that_can_t_be_used_stops_the_start_in_one_line() {
    let restate = Restate::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("http://{}", listener.local_addr().unwrap());
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let unknown = format!("http://no-such-host.invalid:{}", free_port());
    let cases = [
        ("RESTATE_ADMIN_URL", &nowhere, "no Restate answers there"),
        (
            "RESTATE_INGRESS_URL",
            &nowhere,
            "no Restate takes runs there",
        ),
        (
            "RESTATE_SERVICE_URL",
            &unknown,
            "Restate can't use this server",
        ),
        ("RESTATE_SERVICE_URL", &taken, "is taken by another program"),
    ];
    let mut starts = Vec::new();
    for (name, value, reason) in cases {
        let (data, listen) = (data_dir(), format!("127.0.0.1:{}", free_port()));
        let own = format!("http://{listen}");
        let of_restate = restate.env();
        let mut env: Vec<(&str, &str)> = vec![("AI_PROVIDER", "demo")];
        env.extend(of_restate.iter().map(|(name, value)| (*name, &**value)));
        if *value != taken {
            env.push(("RESTATE_LISTEN_ADDR", &listen));
        }
        env.push(("RESTATE_SERVICE_URL", &own));
        env.push((name, value));
        starts.push((Server::spawn(data.path(), &env), data, name, value, reason));
    }
    for (child, _data, name, value, reason) in starts {
        let line = failure(child);
        let named = format!("codeflow: {name}={value}: ");
        assert!(line.starts_with(&named) && line.contains(reason), "{line}");
    }
}
