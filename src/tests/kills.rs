//! The kill test: the server is killed right before and right after each step is saved, and at
//! random moments. Every run must finish, nothing with an effect may happen twice, and a connected
//! client must miss nothing. `CODEFLOW_KILLS` sets the number of kills.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Child,
    sync::{Arc, Mutex},
    time::Duration,
};

use codeflow::{
    protocol::{
        Event, EventKind, FeedFrame, Message, MessageKind, ProjectId, Role, RunState, UserId,
    },
    store::Store,
};
use futures::StreamExt;
use serde_json::json;

use crate::support::{Host, Model, PATIENCE, Reply, Server, Wire, until};

/// The number of kills in the short version.
const KILLS: usize = 36;
/// Random moments lie within this time after the server starts.
const MOMENTS: Duration = Duration::from_millis(1200);
/// How many times one run is killed at random moments.
const RANDOM_KILLS: usize = 12;

/// The run's steps, in their order.
const STEPS: [&str; 18] = [
    "get-or-create-sandbox",
    "get-prev-messages",
    "get-prev-code-files",
    "build-agent-input",
    "turn-1",
    "turn-1-terminal-1",
    "turn-2",
    "turn-2-createOrUpdateFiles-1",
    "turn-2-terminal-2",
    "turn-3",
    "turn-3-terminal-1",
    "turn-4",
    "turn-4-readFiles-1",
    "turn-5",
    "verify-1",
    "get-sandbox-url",
    "generate-metadata",
    "save-to-db",
];

/// The kills of a run that is killed before and after each step is saved, except after the last.
const AT_SAVES: usize = STEPS.len() * 2 - 1;

fn script() -> Vec<Reply> {
    let mark = |name: &str| {
        (
            "terminal",
            json!({ "command": format!("echo {name} >> marks") }).to_string(),
        )
    };
    vec![
        Reply::Calls(vec![mark("first")]),
        Reply::Calls(vec![
            (
                "createOrUpdateFiles",
                json!({ "files": [{ "path": "index.html", "content": "<h1>Whole</h1>" }] })
                    .to_string(),
            ),
            mark("second"),
        ]),
        Reply::Calls(vec![mark("third")]),
        Reply::call("readFiles", json!({ "files": ["marks", "index.html"] })),
        Reply::done(),
    ]
}

/// A process that never outlives the test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server as a process that is repeatedly killed, always at the same address.
struct Killed {
    env: Vec<(&'static str, String)>,
    data: tempfile::TempDir,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Killed {
    fn new(host: &Host, model: &Model, wire: Wire) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = ("LEPTOS_SITE_ADDR", format!("127.0.0.1:{port}"));
        let model = model.env_of(wire);
        Self {
            // The sandboxes of another machine go on while the server is away.
            env: [address]
                .into_iter()
                .chain(model)
                .chain(host.env())
                .collect(),
            data: tempfile::tempdir().unwrap(),
            port,
            log: Arc::default(),
        }
    }

    fn path(&self) -> &Path {
        self.data.path()
    }

    fn start(&self, crash_at: Option<&str>) -> Process {
        let mut env: Vec<(&str, &str)> = self
            .env
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        env.extend(crash_at.map(|at| ("CODEFLOW_CRASH_AT", at)));
        let mut child = Server::spawn(self.path(), &env);
        let (log, lines) = (
            self.log.clone(),
            BufReader::new(child.stderr.take().unwrap()).lines(),
        );
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Process(child)
    }

    /// Waits until the process has killed itself.
    async fn killed(&self, mut process: Process, at: &str) {
        let ended = tokio::time::timeout(
            PATIENCE,
            until("it is killed", async || process.0.try_wait().unwrap()),
        )
        .await;
        let ended =
            ended.unwrap_or_else(|_| panic!("{at} never came:\n{}", self.log.lock().unwrap()));
        assert_eq!(
            ended.signal(),
            Some(9),
            "{at}: {ended:?}\n{}",
            self.log.lock().unwrap()
        );
    }

    /// Creates a project. The answer may be lost: the run can reach its fatal moment before the
    /// answer is sent.
    async fn create(&self) -> ProjectId {
        let http = crate::support::http();
        let address = format!("127.0.0.1:{}", self.port);
        until("the server listens", async || {
            tokio::net::TcpStream::connect(&address).await.ok()
        })
        .await;
        let request = http.post(format!("http://{address}/api/projects/create"));
        let request = request
            .header("accept", "application/json")
            .form(&[("prompt", "Build")]);
        let _ = request.send().await;
        let store = self.store().await;
        let projects = store.list_projects(&UserId::local()).await.unwrap();
        store.close().await;
        projects
            .iter()
            .max_by_key(|project| project.id)
            .expect("the project is saved")
            .id
    }

    /// Whether an unfinished step was begun three times.
    async fn is_at_last_attempt(&self, project: ProjectId) -> bool {
        let store = self.store().await;
        let run = store.list_runs(project).await.unwrap()[0].id;
        let steps = store.list_steps(run).await.unwrap();
        store.close().await;
        steps
            .iter()
            .any(|step| step.output.is_none() && step.attempt >= 3)
    }

    async fn store(&self) -> Store {
        Store::open_file(&self.path().join("codeflow.sqlite"))
            .await
            .unwrap()
    }
}

/// A client that follows a project permanently, reconnecting whenever the server goes away.
fn follow(port: u16, project: ProjectId) -> (Arc<Mutex<Vec<Event>>>, tokio::task::JoinHandle<()>) {
    let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
    let following = tokio::spawn({
        let heard = heard.clone();
        async move {
            loop {
                let after = heard
                    .lock()
                    .unwrap()
                    .last()
                    .map_or(0, |event: &Event| event.seq);
                let url = format!("ws://127.0.0.1:{port}/ws/projects/{project}?after={after}");
                if let Ok((mut socket, _)) = tokio_tungstenite::connect_async(url).await {
                    while let Some(Ok(message)) = socket.next().await {
                        if let Ok(FeedFrame::Event { event }) =
                            serde_json::from_str(message.to_text().unwrap_or_default())
                        {
                            heard.lock().unwrap().push(event);
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    (heard, following)
}

/// The event as the store has it: without the HTML that a client gets with it.
fn as_saved(event: Event) -> Event {
    let kind = match event.kind {
        EventKind::Text { turn, text, html } => {
            assert_eq!(html.is_empty(), text.is_empty(), "{text:?} as {html:?}");
            EventKind::Text {
                turn,
                text,
                html: String::new(),
            }
        }
        EventKind::Thinking {
            turn, text, took, ..
        } => EventKind::Thinking {
            turn,
            text,
            html: String::new(),
            took,
        },
        EventKind::Message { message } => {
            let has_html = message.role == Role::Assistant && !message.content.is_empty();
            assert_eq!(message.html.is_empty(), !has_html, "{message:?}");
            EventKind::Message {
                message: Message {
                    html: String::new(),
                    ..message
                },
            }
        }
        kind => kind,
    };
    Event { kind, ..event }
}

/// Checks the final state of a run after all its kills; returns how many effects happened twice.
async fn check(killed: &Killed, heard: &Mutex<Vec<Event>>) -> usize {
    let heard = heard.lock().unwrap().clone();
    assert!(
        heard.is_sorted_by(|one, next| one.seq < next.seq),
        "an event came twice or out of order"
    );
    let project = heard[0].project;
    let store = killed.store().await;
    let saved = store.events_after(project, 0, 100_000).await.unwrap();
    let heard_as_saved: Vec<Event> = heard.iter().cloned().map(as_saved).collect();
    for event in &saved {
        assert!(
            heard_as_saved.contains(event),
            "the client missed {event:?}"
        );
    }
    let results = saved.iter().filter(|event| match &event.kind {
        EventKind::Message { message } => message.kind == MessageKind::Result,
        _ => false,
    });
    assert_eq!(results.count(), 1, "one result");
    let steps = store
        .list_steps(heard.iter().find_map(|event| event.run).unwrap())
        .await
        .unwrap();
    let names: Vec<&str> = steps.iter().map(|step| &*step.name).collect();
    assert_eq!(names, STEPS);
    let files = store
        .latest_version(project)
        .await
        .unwrap()
        .unwrap()
        .entries;
    store.close().await;
    let file = |path: &str| {
        files
            .iter()
            .find(|entry| entry.path == path)
            .map(|entry| String::from_utf8_lossy(entry.content()))
    };
    assert_eq!(file("index.html").unwrap(), "<h1>Whole</h1>");
    // A command that was interrupted may not have run at all; one whose end was seen has.
    let marks = file("marks").unwrap_or_default().into_owned();
    let mut repeated = 0;
    for (mark, step) in [
        ("first", "turn-1-terminal-1"),
        ("second", "turn-2-terminal-2"),
        ("third", "turn-3-terminal-1"),
    ] {
        let count = marks.lines().filter(|line| *line == mark).count();
        let output = steps
            .iter()
            .find(|found| found.name == step)
            .unwrap()
            .output
            .clone()
            .unwrap();
        assert!(
            count >= 1 || output.contains("was interrupted"),
            "{mark} is missing: {output}"
        );
        repeated += usize::from(count > 1);
    }
    repeated
}

/// Builds over the protocol while the server is killed this many times, and until the last run has
/// ended.
async fn kill(wire: Wire, kills: usize) {
    let host = Host::start().await;
    let model = Model::start([("Build", script())]).await;
    let killed = Killed::new(&host, &model, wire);
    // The last step ends the run; after it there is nothing left to go on with.
    let last = format!("after:{}", STEPS[STEPS.len() - 1]);
    let moments = STEPS
        .iter()
        .flat_map(|step| [format!("before:{step}"), format!("after:{step}")]);
    let mut moments = moments.filter(|moment| *moment != last).cycle().peekable();
    let (mut count, mut finished, mut repeated) = (0, 0, 0);
    while count < kills {
        // A run that is killed at each step's save, then one that is killed at random moments, in
        // turn.
        let at_saves = finished % 2 == 0;
        let first = moments.peek().cloned().filter(|_| at_saves);
        let mut child = killed.start(first.as_deref());
        let project = killed.create().await;
        let (heard, following) = follow(killed.port, project);
        let ended = |heard: &[Event]| {
            heard
                .iter()
                .any(|event| matches!(&event.kind, EventKind::Run { run } if run.state.is_final()))
        };
        if at_saves {
            for left in (0..AT_SAVES).rev() {
                let at = moments.next().unwrap();
                killed.killed(child, &at).await;
                count += 1;
                child = killed.start(moments.peek().filter(|_| left > 0).map(|at| &**at));
            }
        } else {
            for _ in 0..RANDOM_KILLS.min(kills - count) {
                tokio::time::sleep(MOMENTS.mul_f64(rand::random())).await;
                // A step that was killed three times would rightly end the run: its third attempt
                // is left in peace.
                until("no step is at its last attempt", async || {
                    (ended(&heard.lock().unwrap()) || !killed.is_at_last_attempt(project).await)
                        .then_some(())
                })
                .await;
                if ended(&heard.lock().unwrap()) {
                    break;
                }
                child.kill();
                count += 1;
                child = killed.start(None);
            }
        }
        until("the run has ended", async || {
            ended(&heard.lock().unwrap()).then_some(())
        })
        .await;
        let state = heard
            .lock()
            .unwrap()
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::Run { run } => Some(run.state),
                _ => None,
            });
        assert_eq!(
            state,
            Some(RunState::Succeeded),
            "{}",
            killed.log.lock().unwrap()
        );
        // What the last step does after it has announced the end.
        child.kill();
        following.abort();
        repeated += check(&killed, &heard).await;
        finished += 1;
    }
    println!("{wire:?}: {count} killed, {finished} finished, {repeated} repeated");
    assert_eq!(repeated, 0);
    assert_eq!(model.refused(), Vec::<String>::new());
    host.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_at_any_moment_finishes_every_run_and_repeats_nothing() {
    let kills = std::env::var("CODEFLOW_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    kill(Wire::Chat, kills).await;
}

#[tokio::test]
async fn so_does_one_that_builds_over_openai_s_responses() {
    kill(Wire::Responses, AT_SAVES).await;
}

#[tokio::test]
async fn so_does_one_that_builds_over_anthropic_s_messages() {
    kill(Wire::Messages, AT_SAVES).await;
}
