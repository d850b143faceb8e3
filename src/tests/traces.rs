//! Traces as an OpenTelemetry collector sees them: a prompt, its run, its steps and their requests
//! to the model and the sandbox form one trace, and nothing waits for the collector.

use std::time::Instant;

use codeflow::{
    protocol::{ProjectId, RunId, RunState},
    store::Store,
};
use serde_json::json;

use crate::support::{Collector, Model, PATIENCE, Reply, Server, Span, data_dir, http, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The client's span in it.
const CLIENT: &str = "00f067aa0ba902b7";
const CREATE: &str = "POST /api/projects/create";

/// What makes a server send its spans to this address, soon.
fn sending_to(url: &str) -> [(&'static str, &str); 4] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-collector-key=key%2Dof%2Dthe%2Dcollector",
        ),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("RUST_LOG", "warn"),
    ]
}

/// Makes a project within the trace of a client.
async fn create(server: &Server, prompt: &str) -> ProjectId {
    let request = http()
        .post(format!("{}/api/projects/create", server.url()))
        .header("accept", "application/json")
        .header("traceparent", format!("00-{TRACE}-{CLIENT}-01"))
        .form(&[("prompt", prompt)]);
    request.send().await.unwrap().json().await.unwrap()
}

/// Waits until the span of the run came: it ends a moment after the run's result is announced.
async fn run_of(collector: &Collector) {
    until("the run's span came", async || {
        (!named(&collector.spans(), "run").is_empty()).then_some(())
    })
    .await;
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn step<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let steps = named(spans, "step").into_iter();
    let mut steps = steps.filter(|span| span.attributes["step.name"] == name);
    steps
        .next()
        .unwrap_or_else(|| panic!("no step {name} in {spans:#?}"))
}

/// Whether the span is below the other one.
fn is_below(spans: &[Span], span: &Span, above: &Span) -> bool {
    let mut parent = &span.parent;
    while let Some(next) = spans.iter().find(|span| span.id == *parent) {
        if next.id == above.id {
            return true;
        }
        parent = &next.parent;
    }
    false
}

#[tokio::test]
async fn a_prompt_its_run_its_steps_and_what_they_ask_for_are_one_trace() {
    let data = data_dir();
    let collector = Collector::start().await;
    let model = Model::start([(
        "Build the secret garden",
        vec![
            Reply::write("index.html", "<h1>Words of the app</h1>"),
            Reply::call("terminal", json!({ "command": "exit 3" })),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::process(data.path(), &model, &sending_to(&collector.url)).await;
    let project = create(&server, "Build the secret garden").await;
    let message = server.feed(project).await.succeeded(1).await;
    server.get("/healthz").await;
    run_of(&collector).await;
    server.stop();

    let all = collector.spans();
    assert!(all.iter().all(|span| span.service == "codeflow"));
    let beginnings = all.iter().filter(|span| span.parent.is_empty());
    assert!(
        beginnings
            .clone()
            .all(|span| span.name.starts_with("GET /")),
        "what the server does by itself is no trace: {:#?}",
        beginnings.collect::<Vec<_>>()
    );
    assert!(
        named(&all, "GET /healthz").is_empty(),
        "probes are no traces"
    );
    let spans: Vec<Span> = all.into_iter().filter(|span| span.trace == TRACE).collect();
    let [request] = named(&spans, CREATE)[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(request.parent, CLIENT, "the client's trace is continued");
    assert_eq!(request.attributes["http.response.status_code"], "200");
    let [run] = named(&spans, "run")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(run.parent, request.id);
    assert_eq!(run.attributes["run.id"], message.run.unwrap().to_string());
    assert_eq!(run.attributes["project.id"], project.to_string());

    let sandbox = step(&spans, "get-or-create-sandbox");
    let (first, write) = (
        step(&spans, "turn-1"),
        step(&spans, "turn-1-createOrUpdateFiles-1"),
    );
    for step in [
        sandbox,
        first,
        step(&spans, "turn-2"),
        step(&spans, "save-to-db"),
    ] {
        assert_eq!(step.parent, run.id, "{step:?}");
        assert!(!step.failed, "{step:?}");
    }
    assert!(is_below(&spans, write, run));
    let below = |name: &str, above: &Span| {
        named(&spans, name)
            .into_iter()
            .any(|span| is_below(&spans, span, above))
    };
    assert!(below("model", first));
    assert!(below("write_file", write));
    assert!(below("run", request));
    // The sandbox host's side of it, over HTTP.
    let [create] = named(&spans, "create")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(create.parent, sandbox.id);
    assert!(below("create_sandbox", create), "{spans:#?}");
    let mut files = named(&spans, "write_file").into_iter();
    let written = files.rfind(|span| is_below(&spans, span, write));
    assert!(below("sandbox_request", written.unwrap()), "{spans:#?}");

    for text in [
        "secret garden",
        "Words of the app",
        "index.html",
        "exit 3",
        Collector::KEY,
        "It is finished",
    ] {
        assert!(!collector.has_seen(text), "{text} is in a trace");
    }
    // A provider learns nothing of our traces.
    assert_eq!(model.refused(), Vec::<String>::new());
}

#[tokio::test]
async fn a_run_that_a_restart_resumes_stays_in_its_trace() {
    let data = data_dir();
    let collector = Collector::start().await;
    let script = vec![
        Reply::write("index.html", "<h1>Kept</h1>"),
        Reply::done().held(),
    ];
    let model = Model::start([("Build", script)]).await;
    let env = sending_to(&collector.url);
    let server = Server::process(data.path(), &model, &env).await;
    let project = create(&server, "Build").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    until(
        "the request and the first turn came to the collector",
        async || {
            let spans = collector.spans();
            let is_first = |span: &Span| {
                span.attributes
                    .get("step.name")
                    .is_some_and(|name| name == "turn-1")
            };
            (!named(&spans, CREATE).is_empty() && spans.iter().any(is_first)).then_some(())
        },
    )
    .await;
    server.kill();

    let server = Server::process(data.path(), &model, &env).await;
    until("the second turn is asked for again", async || {
        (model.asked_for(2) == 2).then_some(())
    })
    .await;
    let mut feed = server.feed(project).await;
    model.release();
    feed.succeeded(1).await;
    run_of(&collector).await;
    server.stop();

    let spans = collector.spans();
    let [request] = named(&spans, CREATE)[..] else {
        panic!("{spans:#?}")
    };
    let [run] = named(&spans, "run")[..] else {
        panic!("the killed server's span of the run never ended: {spans:#?}")
    };
    assert_eq!((&*run.trace, &run.parent), (TRACE, &request.id));
    let (before, after) = (step(&spans, "turn-1"), step(&spans, "turn-2"));
    assert_eq!((&*before.trace, &*after.trace), (TRACE, TRACE));
    assert_eq!(after.parent, run.id);
}

#[tokio::test]
async fn a_collector_that_is_down_or_silent_harms_no_run_and_holds_up_no_stop() {
    // A port that nobody listens on, and one where nobody answers.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed_url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    for (url, is_logged) in [(closed_url, true), (silent_url, false)] {
        let data = data_dir();
        let script = vec![Reply::write("index.html", "<h1>Made</h1>"), Reply::done()];
        let model = Model::start([("Build", script)]).await;
        let server = Server::process(data.path(), &model, &sending_to(&url)).await;
        let project = create(&server, "Build").await;
        let (state, message) = server.feed(project).await.ended(1).await;
        assert_eq!(state, RunState::Succeeded, "{}", message.content);
        if is_logged {
            let complaint = "does not take traces";
            until("the log says so", async || {
                server.log().contains(complaint).then_some(())
            })
            .await;
            assert_eq!(
                server.log().matches(complaint).count(),
                1,
                "{}",
                server.log()
            );
        }
        assert!(!server.log().contains(Collector::KEY), "{}", server.log());
        let begun = Instant::now();
        server.stop();
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn without_a_collector_a_run_has_no_trace() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = create(&server, "Build").await;
    let (_, message) = server.feed(project).await.ended(1).await;
    let run: RunId = message.run.unwrap();
    server.stop();
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    assert_eq!(store.traceparent_of(run).await.unwrap(), None);
    store.close().await;
}
