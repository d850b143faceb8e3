//! Prometheus metrics: figures that follow events, few labels, and no access for strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use codeflow::{config::AlertThresholds, server};
use regex::Regex;
use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir, http, until};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn ask(server: &Server, headers: &[(&str, &str)]) -> Response {
    let mut request = http().get(format!("{}/metrics", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The figures, by name and labels.
async fn figures(server: &Server) -> BTreeMap<String, f64> {
    let answer = ask(server, &[]).await;
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = answer.text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// The sum of the figures whose names and labels have all of these.
fn sum(figures: &BTreeMap<String, f64>, parts: &[&str]) -> f64 {
    let found = figures
        .iter()
        .filter(|(name, _)| parts.iter().all(|part| name.contains(part)));
    found.map(|(_, value)| value).sum()
}

#[tokio::test]
async fn figures_follow_a_run_and_labels_stay_few() {
    let data = data_dir();
    let refused = "curl -s --max-time 5 http://example.com; true";
    let model = Model::start([(
        "Build",
        vec![
            Reply::call("terminal", json!({ "command": refused })),
            Reply::InTurn(vec![
                Reply::Status(500, "oops"),
                Reply::write("index.html", "<h1>One</h1>").costly(70, 30),
            ]),
            Reply::done().held(),
        ],
    )])
    .await;
    // A separate process, because counters in this one are shared with other tests' servers.
    let server = Server::process(data.path(), &model, &[]).await;
    let before = figures(&server).await;
    assert_eq!(sum(&before, &["codeflow_runs_finished_total"]), 0.0);
    assert_eq!(sum(&before, &["codeflow_runs{"]), 0.0);
    assert_eq!(before["codeflow_database_up"], 1.0);
    assert!(before["codeflow_disk_free_bytes"] > 0.0);
    assert!(before["codeflow_disk_size_bytes"] >= before["codeflow_disk_free_bytes"]);

    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    until("the last answer is asked for", async || {
        (model.asked_for(3) == 1).then_some(())
    })
    .await;
    let during = figures(&server).await;
    assert_eq!(during[r#"codeflow_runs{state="running"}"#], 1.0);
    assert_eq!(during["codeflow_feeds_open"], 1.0);
    assert_eq!(during[r#"codeflow_sandboxes{state="running"}"#], 1.0);
    assert!(sum(&during, &["codeflow_database_connections"]) >= 1.0);
    // The project's second run waits for the first.
    server.send(project, "Nothing is scripted for this").await;
    let waiting = figures(&server).await;
    assert_eq!(waiting[r#"codeflow_runs{state="queued"}"#], 1.0);
    assert!(waiting["codeflow_run_queue_age_seconds"] > 0.0);
    model.release();
    feed.ended(2).await;

    let after = figures(&server).await;
    let ended = "codeflow_runs_finished_total";
    assert_eq!(sum(&after, &[ended, r#"outcome="succeeded""#]), 1.0);
    assert_eq!(sum(&after, &[ended, r#"outcome="failed""#]), 1.0);
    assert_eq!(sum(&after, &["codeflow_run_seconds_count"]), 2.0);
    assert_eq!(sum(&after, &["codeflow_runs{"]), 0.0);
    assert_eq!(after["codeflow_run_queue_age_seconds"], 0.0);
    assert!(sum(&after, &["codeflow_steps_total", r#"kind="tool""#, "done"]) >= 2.0);
    assert!(
        sum(
            &after,
            &["codeflow_steps_total", r#"kind="turn""#, "failed"]
        ) >= 1.0
    );
    let retried = [
        "codeflow_step_retries_total",
        r#"fault="model_unavailable""#,
    ];
    assert!(sum(&after, &retried) >= 1.0);
    let calls = "codeflow_model_calls_total";
    assert!(sum(&after, &[calls, r#"outcome="answered""#]) >= 3.0);
    assert!(sum(&after, &[calls, r#"outcome="failed""#]) >= 1.0);
    let tokens = "codeflow_model_tokens_total";
    assert!(sum(&after, &[tokens, r#"direction="input""#]) >= 70.0);
    assert!(sum(&after, &[tokens, r#"direction="output""#]) >= 30.0);
    assert_eq!(sum(&after, &["codeflow_sandboxes_created_total"]), 1.0);
    assert!(sum(&after, &["codeflow_egress_refusals_total"]) >= 1.0);
    let create = r#"route="/api/projects/create""#;
    assert_eq!(sum(&after, &["codeflow_http_requests_total", create]), 1.0);

    // All metrics have names that dashboards may rely on, including those of events that didn't
    // happen.
    let of_what_was: BTreeSet<String> = after
        .keys()
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect();
    // Nobody was refused or woken, and there are no other hosts (`hosts`), no bucket
    // (`object_storage`) and no Restate (`restate`).
    let rest = [
        "codeflow_bucket_requests_total",
        "codeflow_refused_sign_ins_total",
        "codeflow_runs_not_handed_over",
        "codeflow_sandbox_host_draining",
        "codeflow_sandbox_host_free_bytes",
        "codeflow_sandbox_host_up",
        "codeflow_sandbox_wakes_total",
    ];
    let expected: BTreeSet<String> = server::metrics_names()
        .into_iter()
        .filter(|name| !rest.contains(&name.as_str()))
        .collect();
    let of_what_was = of_what_was
        .into_iter()
        .filter(|name| !rest.contains(&name.as_str()));
    assert_eq!(of_what_was.collect::<BTreeSet<_>>(), expected);

    // Arbitrary paths and methods are not recorded.
    let series = after.len();
    for number in 0..40 {
        server.get(&format!("/no/such/page/{number}")).await;
        server.get(&format!("/projects/{number}?x={number}")).await;
        server.get(&format!("/pkg/{number}.js")).await;
        let method = format!("METHOD{number}").parse().unwrap();
        let made_up = http().request(method, format!("{}/healthz", server.url()));
        made_up.send().await.unwrap();
    }
    let later = figures(&server).await;
    assert!(later.len() < series + 60, "{} then {}", series, later.len());
    let project = project.to_string();
    let mut names = later.keys();
    assert!(!names.any(|name| name.contains(&project) || name.contains("METHOD")));
    drop(feed);
    until("the feed counts as closed", async || {
        (figures(&server).await["codeflow_feeds_open"] == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn strangers_read_no_figures() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let bearer = format!("Bearer {TOKEN}");
    for (token, refused) in [
        (None, StatusCode::NOT_FOUND),
        (Some(TOKEN), StatusCode::UNAUTHORIZED),
    ] {
        let mut env = vec![
            ("AUTH", "on"),
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("PUBLIC_URL", "https://build.example.com"),
        ];
        env.extend(token.map(|token| ("METRICS_TOKEN", token)));
        let server = Server::start_and(data.path(), &model, &env);
        assert_eq!(ask(&server, &[]).await.status(), 200);
        let strangers: [&[(&str, &str)]; 5] = [
            &[("x-forwarded-for", "192.0.2.1")],
            // A forged client address: the proxy appends the real one.
            &[("x-forwarded-for", "127.0.0.1, 192.0.2.1")],
            // A proxy that says nothing, or nothing that counts.
            &[("host", "build.example.com")],
            &[("forwarded", "for=192.0.2.1")],
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("authorization", "Bearer x"),
            ],
        ];
        for stranger in strangers {
            let answer = ask(&server, stranger).await;
            assert_eq!(answer.status(), refused, "{stranger:?}");
            let challenge = answer.headers().contains_key("www-authenticate");
            assert_eq!(challenge, token.is_some());
            assert!(!answer.text().await.unwrap().contains("codeflow_"));
            let with_token = [stranger, &[("authorization", &*bearer)]].concat();
            if token.is_some() && stranger.len() == 1 {
                assert_eq!(ask(&server, &with_token).await.status(), 200);
            }
        }
        // A preview's host name is the app's own, token or not.
        let preview = format!("3000-inone.localhost:{}", server.port);
        let headers = [("host", &*preview), ("authorization", &*bearer)];
        let answer = ask(&server, &headers).await;
        assert_ne!(answer.status(), 200);
        assert!(!answer.text().await.unwrap().contains("codeflow_"));
    }
}

#[test]
fn the_alert_rules_and_the_dashboard_ask_for_figures_that_there_are() {
    let names = server::metrics_names();
    let read = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::read_to_string(path).unwrap()
    };
    let rules = read("packaging/prometheus/codeflow.rules.yaml");
    let dashboard = read("packaging/grafana/codeflow.json");
    let name = Regex::new(r"\bcodeflow_[a-z_]+").unwrap();
    let mut asked = BTreeSet::new();
    for (file, text) in [("the rules", &rules), ("the dashboard", &dashboard)] {
        for found in name.find_iter(text) {
            let found = found.as_str();
            assert!(names.contains(found), "{file} ask for {found}");
            asked.insert(found);
        }
    }
    // The dashboard shows everything, but sums of histograms say nothing by themselves.
    let is_shown = |name: &&String| !name.ends_with("_seconds_sum") && !name.ends_with("_count");
    for name in names.iter().filter(is_shown) {
        assert!(asked.contains(name.as_str()), "nothing asks for {name}");
    }
    let guide = read("docs/operations.md");
    let of_histogram = Regex::new("_(bucket|sum|count)$").unwrap();
    for name in &names {
        let name = of_histogram.replace(name, "");
        assert!(guide.contains(&format!("`{name}`")), "docs: {name}");
    }

    // The thresholds are those at which the server itself sends alerts.
    let usual = AlertThresholds::default();
    for (alert, condition) in [
        ("Database", "== 0".to_owned()),
        ("Disk", format!("< {}", usual.disk)),
        ("Queue", format!(">= {}", usual.queue)),
        ("FailedRuns", format!(">= {}", usual.failed_runs)),
        ("Errors", format!(">= {}", usual.errors)),
        ("Slow", format!("le=\"{}\"", usual.slow)),
        ("Refusals", format!(">= {}", usual.refusals)),
        ("SignIns", format!(">= {}", usual.sign_ins)),
    ] {
        let (_, rule) = rules
            .split_once(&format!("- alert: CodeFlow{alert}\n"))
            .unwrap_or_else(|| panic!("{alert} has no rule"));
        let expression = rule.split("labels:").next().unwrap();
        assert!(expression.contains(&condition), "{alert}: {expression}");
    }
}
