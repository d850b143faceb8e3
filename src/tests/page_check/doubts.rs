//! What may be the page's fault and what is not: other servers, a failing browser, an answer that
//! differs the next time.

use std::{fs, os::unix::fs::PermissionsExt};

use codeflow::protocol::{EventKind, RunState, Status};
use serde_json::json;

use super::{
    browser_env, endless_page, no_browser_is_left, processes_in, run, run_with_browser,
    run_with_browser_and,
};
use crate::support::{Model, Reply, Server, data_dir, until};

/// Puts another server in the template's place: what it does with `request` and `response`, and how
/// many times a browser asked for it.
pub fn serve(answer: &str) -> [Reply; 2] {
    let server = format!(
        r#"import {{ createServer }} from "node:http";
const times = {{}};
createServer((request, response) => {{
  const inBrowser = /Chrome/.test(request.headers["user-agent"] ?? "");
  const time = (times[request.url + inBrowser] = (times[request.url + inBrowser] ?? 0) + 1);
  const html = (body, status = 200) => response.writeHead(status, {{ "content-type": "text/html" }}).end(`<!doctype html>${{body}}`);
  {answer}
}}).listen(3000, "127.0.0.1");
"#
    );
    let restart = "for process in /proc/[0-9]*; do case $(cat $process/comm) in node*|MainThread) kill ${process#/proc/};; esac; done; exit 0";
    [
        Reply::write("server.mjs", &server),
        Reply::call("terminal", json!({ "command": restart })),
    ]
}

pub fn touch(paths: &[&str]) -> Reply {
    let folders = paths.iter().map(|path| format!("app/{path}"));
    let command = folders.map(|folder| {
        let name = if folder.contains("/api/") {
            "route.ts"
        } else {
            "page.tsx"
        };
        format!("mkdir -p '{folder}' && echo 'export async function GET() {{}}' >'{folder}/{name}'")
    });
    Reply::call(
        "terminal",
        json!({ "command": command.collect::<Vec<_>>().join(" && ") }),
    )
}

fn check() -> Reply {
    Reply::call("checkApp", json!({}))
}

#[tokio::test]
async fn a_redirect_to_another_server_ends_neither_the_check_nor_the_tour() {
    let [server, restart] = serve(
        r#"if (request.url === "/out") return response.writeHead(307, { location: "https://github.com/codeflow" }).end();
  html(request.url === "/shelf" ? "<h1>Shelf</h1><script>throw new Error('no shelves left')</script>" : "<h1>Shop</h1>");"#,
    );
    let replies = vec![
        server,
        restart,
        touch(&["out", "shelf"]),
        check(),
        Reply::done(),
        Reply::done(),
    ];
    let run = run_with_browser(replies).await;
    let output = run.feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(
        output.contains("found 1 problem") && output.contains("no shelves left"),
        "{output}"
    );
    assert!(
        output.contains("/out") && output.contains("leads to another server (github.com)"),
        "{output}"
    );
}

#[tokio::test]
async fn a_fixed_route_is_not_mistaken_for_the_dynamic_route_beside_it() {
    let broken = "<!doctype html><h1>Shop</h1><script>throw new Error(\"no such bread\")</script>";
    let page = "<!doctype html><h1>Shop</h1><a href=\"/items/new\">New</a> <a href=\"/items/new/\">New</a> <a href=\"/items/rye\">Rye</a>";
    let command = format!(
        "mkdir items; echo '<h1>New</h1>' >items/new.html; echo '{broken}' >items/rye.html"
    );
    let replies = vec![
        Reply::write("index.html", page),
        Reply::call("terminal", json!({ "command": command })),
        touch(&["items/new", "items/[id]", "items/[id]/[part]"]),
        check(),
        Reply::done(),
        Reply::done(),
    ];
    let run = run_with_browser(replies).await;
    let output = run.feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(
        output.contains("(/items/rye)") && output.contains("no such bread"),
        "{output}"
    );
    assert!(
        output.contains("not looked at, or only asked for: /items/[id]/[part]"),
        "{output}"
    );
}

/// A page on which React complains in this way.
fn mismatch(near: &str, browser: &str, server: &str) -> Reply {
    let text = format!(
        "Hydration failed because the server rendered text didn't match the client. This can happen if a SSR-ed Client Component \
         used:\\n\\n- Variable input.\\n- Invalid HTML tag nesting.\\n\\nhttps://react.dev/link/hydration-mismatch\\n\\n  ...\\n    \
         <Page>\\n      <{near}>\\n+       {browser}\\n-       {server}\\n"
    );
    Reply::write(
        "index.html",
        &format!("<!doctype html><h1>Shop</h1><script>throw new Error(\"{text}\")</script>"),
    )
}

#[tokio::test]
async fn a_different_mismatch_is_a_different_problem_and_each_is_reported_as_a_diff() {
    let replies = vec![
        mismatch("Clock", "noon", "midnight"),
        Reply::done(),
        mismatch("Price", "1.234,5", "1,234.5"),
        Reply::done(),
        Reply::write("index.html", "<h1>Shop</h1>"),
        Reply::done(),
    ];
    let run = run_with_browser(replies).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    assert_eq!(run.checks, ["verify-1", "verify-2", "verify-3"]);
    for (request, different) in [(3, "+ noon\n- midnight"), (5, "+ 1.234,5\n- 1,234.5")] {
        let said = run.model.said(request);
        let report = &said.last().unwrap().1;
        assert!(
            report.contains(different) && !report.contains("Invalid HTML"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_page_that_answers_the_second_time_passes_and_one_that_throws_gets_no_second_try() {
    // The dev server may have been starting again.
    let [server, restart] = serve(
        r#"inBrowser && time === 1 && request.url === "/" ? html("", 503) : html("<h1>Shop</h1>");"#,
    );
    let run = run_with_browser(vec![server, restart, Reply::done()]).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);

    let [server, restart] = serve(
        r#"inBrowser && time === 1 && request.url === "/" ? html("<h1>Shop</h1><script>throw new Error('now and then')</script>") : html("<h1>Shop</h1>");"#,
    );
    let run = run_with_browser(vec![server, restart, check(), Reply::done()]).await;
    let output = run.feed.tool("turn-3-checkApp-1").output.unwrap();
    assert!(output.contains("now and then"), "{output}");
}

#[tokio::test]
async fn an_error_that_a_handler_answers_is_a_note_and_one_that_it_throws_a_problem_even_if_it_then_falls_silent()
 {
    let [server, restart] = serve(
        r#"if (request.url === "/api/own") return response.writeHead(503).end('{"error":"set STRIPE_KEY"}');
  if (request.url === "/api/thrown") return time === 1 ? response.writeHead(500).end() : undefined;
  if (request.url === "/closed") return html("<h1>Sign in</h1>", 401);
  html("<h1>Shop</h1>");"#,
    );
    let mend = Reply::call("terminal", json!({ "command": "rm -r app/api/thrown" }));
    let replies = vec![
        server,
        restart,
        touch(&["api/own", "api/thrown", "closed"]),
        check(),
        mend,
        Reply::done(),
    ];
    let run = run(replies, &[("CHROMIUM_PATH", "off")]).await;
    let output = run.feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(
        output.contains("found 1 problem")
            && output.contains("(/api/thrown):\nIt answers with HTTP 500"),
        "{output}"
    );
    for note in [
        "/api/own answers with HTTP 503:\n{\"error\":\"set STRIPE_KEY\"}",
        "/closed answers with HTTP 401",
    ] {
        assert!(output.contains(note), "{note} is not in {output}");
    }
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
}

/// A browser that starts so many times, and then does not; with the folder that has it.
fn failing_browser(starts: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    // It runs as a user without rights.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("chromium");
    let script = format!(
        "#!/bin/sh\necho >>$0.starts\n[ $(wc -l <$0.starts) -le {starts} ] && exec chromium \"$@\"\nexit 1\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap().to_owned();
    (folder, program)
}

#[tokio::test]
async fn when_a_browser_that_worked_fails_no_app_passes_without_it() {
    let (_folder, program) = failing_browser(1);
    let replies = vec![
        Reply::write("index.html", "<h1>Shop</h1>"),
        check(),
        Reply::done(),
    ];
    let run = run_with_browser_and(replies, &[("CHROMIUM_PATH", &program)]).await;
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert!(
        output.starts_with("The app works") && !output.contains("no browser"),
        "{output}"
    );
    assert_eq!(run.state, RunState::Failed);
    assert!(
        run.message
            .content
            .contains("The app's pages could not be loaded"),
        "{}",
        run.message.content
    );
    // Two in each of two attempts.
    assert_eq!(
        fs::read_to_string(format!("{program}.starts"))
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn a_browser_that_never_starts_counts_as_none() {
    let (_folder, program) = failing_browser(0);
    let replies = vec![check(), Reply::done()];
    let run = run_with_browser_and(replies, &[("CHROMIUM_PATH", &program)]).await;
    let output = run.feed.tool("turn-1-checkApp-1").output.unwrap();
    assert!(
        output.starts_with("The app works") && output.contains("no browser was there"),
        "{output}"
    );
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
}

#[tokio::test]
async fn without_a_browser_an_error_in_the_open_preview_fails_the_app() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done().held(), Reply::done()])]).await;
    let server = Server::start_and(data.path(), &model, &[("CHROMIUM_PATH", "off")]);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.preview().await;
    // As the page that shows the preview tells it.
    let error = |kind: &str, message: &str| json!({ "kind": kind, "message": message, "location": null, "path": "/shelf" });
    let errors = [
        error("error", "TypeError: no shelves left"),
        error("console", "a warning"),
    ];
    let report = reqwest::Client::new()
        .post(format!("{}/api/preview/errors", server.url()))
        .json(&json!({ "project": project, "errors": errors }));
    assert!(report.send().await.unwrap().status().is_success());
    model.release();
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    let content = message.content;
    assert!(
        content.contains("(the open preview)")
            && content.contains("TypeError: no shelves left (page /shelf)"),
        "{content}"
    );
    assert!(
        !content.contains("a warning") && !content.contains("more problem"),
        "{content}"
    );
}

#[tokio::test]
async fn stopping_a_run_while_its_page_loops_leaves_no_browser() {
    let data = data_dir();
    let (folder, model) = endless_page().await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let checks = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Status {
                status: Status::CheckingApp
            }
        )
        .then_some(())
    };
    feed.find(checks).await;
    until("the page is being loaded", async || {
        (processes_in(folder.path()) > 2).then_some(())
    })
    .await;
    let run = server.workspace(project).await.runs[0].id.to_string();
    assert!(
        server
            .post("/api/runs/cancel", &[("run", &run)])
            .await
            .0
            .is_success()
    );
    assert_eq!(feed.ended(1).await.0, RunState::Cancelled);
    no_browser_is_left(&folder).await;
}
