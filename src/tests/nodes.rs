//! Several servers on one PostgreSQL database and one sandbox host: any of them serves any project,
//! one at a time works on it, and a server that dies or is cut off costs nothing.

use std::{collections::BTreeSet, path::Path, time::Duration};

use codeflow::{
    protocol::{EventKind, MessageKind, NewPrompt, RunState, UserId},
    store::{Store, StoreError},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::support::{Feed, Host, Model, Postgres, Reply, Server, data_dir, until};

/// What they share.
struct Cluster {
    postgres: Postgres,
    host: Host,
    model: Model,
}

impl Cluster {
    async fn start(model: Model) -> Self {
        let (postgres, host) = (Postgres::start().await, Host::start().await);
        Self {
            postgres,
            host,
            model,
        }
    }

    /// Starts a server as a process.
    async fn server(&self, data: &Path) -> Server {
        self.server_with(data, &[]).await
    }

    /// The same with further variables.
    async fn server_with(&self, data: &Path, more: &[(&str, &str)]) -> Server {
        let of_host = self.host.env();
        let mut env = vec![("DATABASE_URL", &*self.postgres.url)];
        env.extend(more);
        env.extend(of_host.iter().map(|(name, value)| (*name, &**value)));
        Server::process(data, &self.model, &env).await
    }

    /// Starts two servers at once.
    async fn pair(&self, data: &Path, other: &Path) -> (Server, Server) {
        tokio::join!(self.server(data), self.server(other))
    }

    /// Waits until the model has been asked so many times for the third turn, which is held.
    async fn third_turn(&self, times: usize) {
        until("the third turn is asked for", async || {
            (self.model.asked_for(3) == times).then_some(())
        })
        .await;
    }
}

fn script() -> Vec<Reply> {
    vec![
        Reply::append("first"),
        Reply::write("index.html", "<h1>Whole</h1>"),
        Reply::append("second").held(),
        Reply::call("readFiles", json!({ "files": ["log.txt"] })),
        Reply::done(),
    ]
}

#[tokio::test]
async fn any_server_follows_stops_and_continues_what_another_works_on() {
    let questions = [
        ("Build", script()),
        (
            "Stop me",
            vec![Reply::call("terminal", json!({ "command": "sleep 600" }))],
        ),
        ("And then", vec![Reply::done()]),
    ];
    let cluster = Cluster::start(Model::start(questions).await).await;
    let (data, other) = (data_dir(), data_dir());
    // Both migrate the empty database at once.
    let (one, two) = cluster.pair(data.path(), other.path()).await;
    let project = one.create("Build").await;
    cluster.third_turn(1).await;
    let mut there = two.feed(project).await;
    let mut here = one.feed(project).await;
    // It waits for the run on the other server.
    two.send(project, "Stop me").await;
    cluster.model.release();
    assert_eq!(there.ended(1).await.0, RunState::Succeeded);
    assert_eq!(here.ended(1).await.0, RunState::Succeeded);
    let marks = |feed: &Feed| -> BTreeSet<i64> {
        let kinds = feed.events.iter().filter(|event| {
            matches!(
                event.kind,
                EventKind::Tool { .. } | EventKind::Run { .. } | EventKind::Message { .. }
            )
        });
        kinds.map(|event| event.seq).collect()
    };
    assert!(
        marks(&there).is_superset(&marks(&here)),
        "{:?}\n{:?}",
        here.events,
        there.events
    );

    // Whichever works on it: it is stopped from both.
    let stopped = until("the second run works", async || {
        let workspace = one.workspace(project).await;
        let run = workspace.runs.last()?;
        (run.state == RunState::Running && cluster.model.asked_for(1) >= 2).then_some(run.id)
    })
    .await;
    for server in [&one, &two] {
        let form = [("run", &*stopped.to_string())];
        assert!(server.post("/api/runs/cancel", &form).await.0.is_success());
    }
    one.send(project, "And then").await;
    assert_eq!(there.ended(3).await.0, RunState::Succeeded);
    assert_eq!(here.ended(3).await.0, RunState::Succeeded);
    let states = [
        RunState::Succeeded,
        RunState::Cancelled,
        RunState::Succeeded,
    ];
    assert_eq!(two.states(project).await, states);
    one.stop();
    two.stop();
}

#[tokio::test]
async fn the_run_of_a_server_that_dies_goes_on_elsewhere_and_repeats_no_finished_step() {
    let cluster = Cluster::start(Model::start([("Build", script())]).await).await;
    let (data, other) = (data_dir(), data_dir());
    let (one, two) = cluster.pair(data.path(), other.path()).await;
    let project = one.create("Build").await;
    cluster.third_turn(1).await;
    let mut there = two.feed(project).await;
    one.kill();
    cluster.third_turn(2).await;
    cluster.model.release();
    assert_eq!(there.ended(1).await.0, RunState::Succeeded);
    let workspace = two.workspace(project).await;
    let store = Store::open(&cluster.postgres.url).await.unwrap();
    let asked = workspace.messages[0].id;
    let log = store
        .step_output(asked, "turn-4-readFiles-1")
        .await
        .unwrap();
    assert!(log.unwrap().contains("first\\nsecond"));
    store.close().await;
    let results = workspace.messages.iter();
    let results = results.filter(|message| message.kind == MessageKind::Result);
    assert_eq!(results.count(), 1);

    // It comes back under its name, and has nothing to wait for.
    let one = cluster.server(data.path()).await;
    assert_eq!(one.states(project).await, [RunState::Succeeded]);
    one.stop();
    two.stop();
}

#[tokio::test]
async fn a_server_that_is_stopped_hands_its_run_over_and_no_follower_misses_anything() {
    let cluster = Cluster::start(Model::start([("Build", script())]).await).await;
    let (data, other) = (data_dir(), data_dir());
    let (one, two) = cluster.pair(data.path(), other.path()).await;
    let project = one.create("Build").await;
    let mut there = two.feed(project).await;
    cluster.third_turn(1).await;
    one.stop();
    cluster.third_turn(2).await;
    // The first one is back before the run has ended, and leaves it to the other.
    let one = cluster.server(data.path()).await;
    let mut here = one.feed(project).await;
    cluster.model.release();
    assert_eq!(there.ended(1).await.0, RunState::Succeeded);
    assert_eq!(here.ended(1).await.0, RunState::Succeeded);
    assert_eq!(cluster.model.asked_for(3), 2);
    let store = Store::open(&cluster.postgres.url).await.unwrap();
    let run = two.workspace(project).await.runs[0].id;
    let steps = store.list_steps(run).await.unwrap();
    let attempts = steps.iter().map(|step| (&*step.name, step.attempt));
    for (step, attempt) in attempts {
        let expected = if step == "turn-3" { 2 } else { 1 };
        assert_eq!(attempt, expected, "{step}");
    }
    store.close().await;
    one.stop();
    two.stop();
}

#[tokio::test]
async fn a_server_that_was_cut_off_writes_nothing_more_of_what_another_has_taken_over() {
    let cluster = Cluster::start(Model::start([("Build", script())]).await).await;
    let (data, other) = (data_dir(), data_dir());
    let (one, two) = cluster.pair(data.path(), other.path()).await;
    let project = one.create("Build").await;
    cluster.third_turn(1).await;
    let pid = Pid::from_raw(one.pid().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    cluster.third_turn(2).await;
    // Both have an answer now.
    kill(pid, Signal::SIGCONT).unwrap();
    cluster.model.release();
    cluster.model.release();
    let mut feed = two.feed(project).await;
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    until("the first one has noticed", async || {
        one.log().contains("another server").then_some(())
    })
    .await;
    let workspace = two.workspace(project).await;
    assert_eq!(workspace.runs.len(), 1);
    let results = workspace.messages.iter();
    let results = results.filter(|message| message.kind != MessageKind::Prompt);
    assert_eq!(results.count(), 1, "{:?}", workspace.messages);
    one.stop();
    two.stop();
}

#[tokio::test]
async fn runs_that_wait_for_their_turn_on_one_server_begin_on_another_with_room() {
    let held = vec![Reply::done().held()];
    let quick = vec![Reply::write("index.html", "<h1>Quick</h1>"), Reply::done()];
    let script = [("Hold", held), ("Build", quick)];
    let cluster = Cluster::start(Model::start(script).await).await;
    let (data, other) = (data_dir(), data_dir());
    let env = [("RUNS_MAX_CONCURRENT", "1")];
    let one = cluster.server_with(data.path(), &env).await;
    let holding = one.create("Hold").await;
    until("the first run works", async || {
        (cluster.model.turns_of("Hold").len() == 1).then_some(())
    })
    .await;
    let (first, second) = (one.create("Build").await, one.create("Build").await);
    assert_eq!(one.states(first).await, [RunState::Queued]);
    let two = cluster.server_with(other.path(), &env).await;
    for project in [first, second] {
        assert_eq!(
            one.feed(project).await.ended(1).await.0,
            RunState::Succeeded
        );
    }
    assert_eq!(one.states(holding).await, [RunState::Running]);
    cluster.model.release();
    assert_eq!(
        two.feed(holding).await.ended(1).await.0,
        RunState::Succeeded
    );
    assert_eq!(cluster.model.turns_of("Build").len(), 4);
    one.stop();
    two.stop();
}

#[tokio::test]
async fn a_lease_is_one_server_s_until_it_is_given_back_or_ends() {
    let postgres = Postgres::start().await;
    let open = async |name: &str| {
        let store = Store::open(&postgres.url).await.unwrap();
        store.shared_as(name.to_owned())
    };
    let (one, two) = (open("one").await, open("two").await);
    let (project, ..) = one
        .create_project(&UserId::local(), &NewPrompt::new("a").unwrap(), None, "a")
        .await
        .unwrap();
    let lease = one.take_lease(project.id).await.unwrap().unwrap();
    assert!(two.take_lease(project.id).await.unwrap().is_none());
    assert!(one.take_lease(project.id).await.unwrap().is_none());
    let held = [lease.clone()];
    assert_eq!(one.renew_leases(&held).await.unwrap(), [project.id]);
    assert!(two.renew_leases(&held).await.unwrap().is_empty());
    assert!(two.unclaimed_projects(9).await.unwrap().is_empty());
    let title = |title: &str| EventKind::Title {
        title: title.to_owned(),
    };
    let guarded = one.under(lease.clone());
    guarded
        .append_event(project.id, None, title("b"))
        .await
        .unwrap();

    two.give_back(&lease).await.unwrap();
    assert!(two.take_lease(project.id).await.unwrap().is_none());
    one.give_back(&lease).await.unwrap();
    assert_eq!(two.unclaimed_projects(9).await.unwrap(), [project.id]);
    let next = two.take_lease(project.id).await.unwrap().unwrap();
    assert!(next.epoch > lease.epoch);
    let late = guarded.append_event(project.id, None, title("c")).await;
    assert!(matches!(late, Err(StoreError::Interrupted(_))), "{late:?}");
    assert!(lease.lost.is_cancelled());
    // Renewals of an older lease renew nothing.
    assert!(one.renew_leases(&held).await.unwrap().is_empty());
    // A process that comes after another of its server takes up what that one had.
    two.give_back_all().await.unwrap();
    assert!(one.take_lease(project.id).await.unwrap().is_some());
    for store in [one, two] {
        store.close().await;
    }
}

#[tokio::test]
async fn what_a_run_writes_does_not_wait_for_the_renewal_of_leases() {
    let postgres = Postgres::start().await;
    let store = Store::open(&postgres.url).await.unwrap();
    let store = store.shared_as("one".to_owned());
    let (project, ..) = store
        .create_project(&UserId::local(), &NewPrompt::new("a").unwrap(), None, "a")
        .await
        .unwrap();
    let lease = store.take_lease(project.id).await.unwrap().unwrap();
    let mut renewing = postgres.session("BEGIN; UPDATE leases SET until = until + 1000");
    let title = EventKind::Title {
        title: "b".to_owned(),
    };
    let guarded = store.under(lease);
    let writing = guarded.append_event(project.id, None, title);
    let written = tokio::time::timeout(Duration::from_secs(10), writing).await;
    assert!(written.expect("it waits for nothing").unwrap().is_some());
    drop(renewing.stdin.take());
    renewing.wait().unwrap();
    store.close().await;
}
