//! A server that can't start says so in one line; one that can only partly work says what is
//! missing, and starts.

use std::{io::Read, process::Child};

use codeflow::{
    protocol::{MessageKind, RunState},
    store::Store,
};
use sea_orm::ConnectionTrait as _;
use serde_json::Value;

use crate::support::{Model, Reply, Server, data_dir, until};

/// What a start that fails writes: its last line.
pub fn failure(mut child: Child) -> String {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(!child.wait().unwrap().success(), "it should fail: {text}");
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let data = data_dir();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = failure(Server::spawn(
        data.path(),
        &[("LEPTOS_SITE_ADDR", &address), ("AI_PROVIDER", "demo")],
    ));
    assert_eq!(
        line,
        format!(
            "codeflow: {address} is taken by another program; stop it, or set LEPTOS_SITE_ADDR to another address"
        )
    );
}

#[test]
fn a_wrong_variable_is_named_with_its_value_and_what_it_may_be() {
    let data = data_dir();
    for (name, value, expected) in [
        ("AI_PROVIDER", "gpt", "openai, gemini"),
        ("AI_API", "rest", "auto, responses or chat"),
        ("AI_REASONING", "huge", "none, minimal, low"),
        ("AI_ABILITIES", "tools, smell", "vision, thinking"),
        ("AGENT_MAX_TURNS", "many", "1 to 200"),
        ("AGENT_MAX_LOOKS", "-1", "0 to 5"),
        ("AGENT_MAX_REVIEWS", "4", "0 to 3"),
        ("PUBLIC_URL", "localhost", "http"),
        ("SANDBOX_CPUS", "-1", "processors"),
        ("SANDBOX_PROVIDER", "docker", "local or e2b"),
        ("LEPTOS_SITE_ADDR", "here", "LEPTOS_SITE_ADDR"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("AUTH", "maybe", "auto, on or off"),
        ("SIGN_UP", "all", "open, invite or closed"),
        ("SMTP_URL", "mail.example.com", "smtps://"),
        ("OIDC_ISSUER", "http://accounts.example.com", "https"),
        ("CODEFLOW_SECRET_KEY", "short", "64 hexadecimal digits"),
        ("TRUSTED_PROXIES", "proxy", "IP addresses"),
        ("CODEFLOW_ENV", "prod", "development, staging or production"),
        ("METRICS_TOKEN", "short", "at least 16"),
        ("RUN_ENGINE", "temporal", "embedded, or restate"),
    ] {
        let line = failure(Server::spawn(data.path(), &[(name, value)]));
        assert!(
            line.starts_with("codeflow: ") && line.contains(name) && line.contains(expected),
            "{line}"
        );
    }
}

#[tokio::test]
async fn an_older_program_refuses_the_database_of_a_newer_one_in_one_line() {
    let data = data_dir();
    let file = data.path().join("codeflow.sqlite");
    Store::open_file(&file).await.unwrap().close().await;
    let url = format!("sqlite:{}", file.display());
    let db = sea_orm::Database::connect(url).await.unwrap();
    let later = "INSERT INTO seaql_migrations VALUES ('m20990101_000001_later', 4070908800)";
    db.execute_unprepared(later).await.unwrap();
    db.close().await.unwrap();
    let line = failure(Server::spawn(data.path(), &[("AI_PROVIDER", "demo")]));
    let start = format!(
        "codeflow: the database {} can't be opened: ",
        file.display()
    );
    assert!(
        line.starts_with(&start)
            && line.contains("is of a newer version of CodeFlow")
            && line.contains("m20990101_000001_later"),
        "{line}"
    );
}

#[test]
fn an_address_that_other_machines_reach_is_refused_without_accounts() {
    let data = data_dir();
    for address in [
        "0.0.0.0:3000",
        "[::]:3000",
        "192.0.2.1:3000",
        "[::ffff:10.0.0.1]:80",
    ] {
        let child = Server::spawn(
            data.path(),
            &[
                ("LEPTOS_SITE_ADDR", address),
                ("AI_PROVIDER", "demo"),
                ("AUTH", "off"),
            ],
        );
        let line = failure(child);
        let start = format!("codeflow: LEPTOS_SITE_ADDR={address}: with AUTH=off whoever reaches");
        assert!(
            line.starts_with(&start) && line.contains("set LEPTOS_SITE_ADDR=127.0.0.1:"),
            "{line}"
        );
    }
    let host = std::process::Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .arg("sandbox-host")
        .env_remove("SANDBOX_HOST_KEY")
        .env("SANDBOX_HOST_ADDR", "0.0.0.0:0")
        .env("CODEFLOW_DATA_DIR", data.path())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let line = failure(host.unwrap());
    assert!(
        line.starts_with("codeflow: SANDBOX_HOST_ADDR=0.0.0.0:0: ")
            && line.contains("SANDBOX_HOST_KEY"),
        "{line}"
    );
}

#[tokio::test]
async fn the_start_warns_of_a_shared_site_and_of_a_public_builder_without_accounts() {
    let data = data_dir();
    let model = Model::start([]).await;
    for (url, domain, shares, is_public) in [
        (
            "https://build.example.com",
            "preview.example.com",
            true,
            true,
        ),
        (
            "https://build.example.com",
            "preview.example.net",
            false,
            true,
        ),
        ("http://localhost:3000", "localhost:3000", false, false),
    ] {
        let server = Server::start_and(
            data.path(),
            &model,
            &[
                ("PUBLIC_URL", url),
                ("SANDBOX_DOMAIN", domain),
                ("AUTH", "off"),
            ],
        );
        // The last line of a start comes after it listens.
        server.get("/healthz").await;
        let log = server.log();
        assert_eq!(
            log.contains("are both of the site example.com"),
            shares,
            "{log}"
        );
        assert_eq!(
            log.contains("must ask people to sign in"),
            is_public,
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_second_server_in_the_same_folder_is_refused_before_it_touches_the_database() {
    let data = data_dir();
    let server = Server::start_with(
        data.path(),
        &[
            ("AI_PROVIDER", "demo"),
            ("SANDBOX_PROVIDER", "e2b"),
            ("E2B_API_KEY", "e2b_x"),
        ],
    );
    for (provider, database) in [("local", "codeflow.sqlite"), ("e2b", "other.sqlite")] {
        let url = format!("sqlite:{}", data.path().join(database).display());
        let env = [
            ("AI_PROVIDER", "demo"),
            ("SANDBOX_PROVIDER", provider),
            ("E2B_API_KEY", "e2b_x"),
            ("DATABASE_URL", &*url),
        ];
        let line = failure(Server::spawn(data.path(), &env));
        let expected = format!(
            "codeflow: another codeflow works in {}; stop it, or set CODEFLOW_DATA_DIR to another folder",
            data.path().display()
        );
        assert_eq!(line, expected);
    }
    assert!(
        !data.path().join("other.sqlite").exists(),
        "the database was opened"
    );
    server.stop();
    // What a server leaves behind keeps nobody out.
    Server::start_with(data.path(), &[("AI_PROVIDER", "demo")]).stop();
}

#[tokio::test]
async fn without_a_runtime_the_server_starts_and_warns_and_a_run_fails_with_the_reason() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    let server = Server::start_and(
        data.path(),
        &model,
        &[("SANDBOX_RUNTIME", "/nonexistent/runc")],
    );
    let fault = "/nonexistent/runc is not installed; set SANDBOX_RUNTIME to an OCI runtime such as runc, or unset it";
    assert_eq!(
        server
            .log()
            .lines()
            .filter(|line| line.contains(fault))
            .count(),
        1,
        "{}",
        server.log()
    );
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains(fault));

    let project = server.create("Build").await;
    let (state, message) = server.feed(project).await.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Failed, MessageKind::Error)
    );
    assert!(message.content.contains(fault), "{}", message.content);
    assert_eq!(server.workspace(project).await.messages.len(), 2);
}

#[tokio::test]
async fn json_log_lines_name_the_run_the_project_and_the_step_they_belong_to() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    let env = [
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "info,codeflow::runs=debug"),
    ];
    let server = Server::process(data.path(), &model, &env).await;
    let project = server.create("Build").await;
    let (_, message) = server.feed(project).await.ended(1).await;
    let run = message.run.unwrap().to_string();
    let ended = |line: &Value| line["message"] == "the run ended";
    let lines = until("the end of the run is logged", async || {
        let log = server.log();
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let lines: Vec<Value> = complete
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines.iter().any(ended).then_some(lines)
    })
    .await;
    let of_run = |line: &Value| {
        let span = &line["spans"][0];
        span["run.id"] == *run && span["project.id"] == *project.to_string()
    };
    assert!(lines.iter().filter(|line| ended(line)).all(of_run));
    let steps: Vec<&str> = lines
        .iter()
        .filter(|line| line["message"] == "performing the step" && of_run(line))
        .filter_map(|line| line["spans"][1]["step.name"].as_str())
        .collect();
    assert_eq!(steps.first(), Some(&"get-or-create-sandbox"), "{steps:?}");
    assert_eq!(steps.last(), Some(&"save-to-db"), "{steps:?}");
}
