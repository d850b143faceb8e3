//! The check that decides whether an app is done: how often what it finds may be mended, and pages that are really loaded, by a browser
//! that reaches the app and nothing else, and leaves nothing behind.

use std::{fs, io::ErrorKind, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use codeflow::{
    protocol::{Message, MessageKind, RunState},
    store::Store,
};
use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, data_dir, until};

/// How a run ended, and which checks it made; its server is still there.
struct Ended {
    _server: Server,
    model: Model,
    feed: Feed,
    state: RunState,
    message: Message,
    checks: Vec<String>,
    _data: tempfile::TempDir,
}

/// A run with these answers.
async fn run(replies: Vec<Reply>, env: &[(&str, &str)]) -> Ended {
    let data = data_dir();
    let model = Model::start([("Build", replies)]).await;
    let server = Server::start_and(data.path(), &model, env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(message.kind == MessageKind::Result, state == RunState::Succeeded);
    let store = Store::open_file(&data.path().join("codeflow.sqlite")).await.unwrap();
    let steps = store.list_steps(message.run.unwrap()).await.unwrap();
    store.close().await;
    let checks = steps.into_iter().filter(|step| step.output.is_some()).map(|step| step.name);
    Ended {
        _server: server,
        model,
        feed,
        state,
        message,
        checks: checks.filter(|name| name.starts_with("verify-")).collect(),
        _data: data,
    }
}

/// Makes the app's page fail with this error, as Next.js tells it.
fn fail(error: &str) -> Reply {
    Reply::write("broken", &format!("<template data-next-error-message=\"{error}\"></template>"))
}

#[tokio::test]
async fn what_a_check_finds_goes_back_to_the_model_which_mends_it() {
    let mend = Reply::call("terminal", json!({ "command": "rm broken" }));
    let run = run(vec![fail("no bread"), Reply::done(), mend, Reply::done()], &[]).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    assert_eq!(run.checks, ["verify-1", "verify-2"]);
    let said = run.model.said(3);
    let (role, told) = said.last().unwrap();
    assert_eq!(role, "system");
    assert!(
        told.starts_with("The app was checked, and it is not done.") && told.contains("no bread"),
        "{told}"
    );
}

#[tokio::test]
async fn the_same_problem_twice_in_a_row_ends_the_run() {
    let run = run(vec![fail("no bread"), Reply::done(), Reply::done(), Reply::done()], &[]).await;
    assert_eq!(run.state, RunState::Failed);
    let content = &run.message.content;
    assert!(
        content.contains("the same problem came back") && content.contains("no bread"),
        "{content}"
    );
    assert_eq!(run.checks, ["verify-1", "verify-2"]);
    assert_eq!(run.model.turns().len(), 3);
}

#[tokio::test]
async fn ever_new_problems_end_the_run_after_three_repairs() {
    let errors = ["no bread", "no butter", "no milk", "no salt", "no eggs"];
    let replies = errors.iter().flat_map(|error| [fail(error), Reply::done()]).collect();
    let run = run(replies, &[]).await;
    assert_eq!(run.state, RunState::Failed);
    let content = &run.message.content;
    assert!(content.contains("does not work yet") && content.contains("no salt"), "{content}");
    assert!(!content.contains("the same problem"), "{content}");
    assert_eq!(run.checks, ["verify-1", "verify-2", "verify-3", "verify-4"]);
    assert_eq!(run.model.turns().len(), 8);
}

#[tokio::test]
async fn without_a_browser_pages_are_asked_for_and_the_check_says_that_they_were_not_loaded() {
    let run = run(vec![Reply::call("checkApp", json!({})), Reply::done()], &[("CHROMIUM_PATH", "off")]).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    let check = run.feed.tool("turn-1-checkApp-1");
    let output = check.output.unwrap();
    assert!(!check.failed && output.starts_with("The app works. Looked at: /"), "{output}");
    assert!(output.contains("no browser was there"), "{output}");
}

/// A run that loads pages in this machine's Chromium, of which nothing is there afterwards.
async fn run_with_browser(replies: Vec<Reply>) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    // The browser runs as a user without rights.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // An empty path is none: the first browser in `PATH` is used.
    let env = [("CHROMIUM_PATH", ""), ("TMPDIR", folder.path().to_str().unwrap())];
    let run = run(replies, &env).await;
    until("no browser and no profile is left", async || {
        let profiles = fs::read_dir(folder.path()).unwrap().count();
        (profiles == 0 && processes_in(folder.path()) == 0).then_some(())
    })
    .await;
    run
}

/// How many processes were started with something in the folder, or work in it.
fn processes_in(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes
        .filter(|process| {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let place = fs::read_link(process.join("cwd")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(folder.to_str().unwrap()) || place.starts_with(folder)
        })
        .count()
}

#[tokio::test]
async fn a_page_that_throws_when_it_is_loaded_is_no_result() {
    let page = "<!doctype html><h1>Shop</h1><script>throw new Error(\"no shelves left\")</script>";
    let run = run_with_browser(vec![Reply::write("index.html", page), Reply::done(), Reply::done()]).await;
    assert_eq!(run.state, RunState::Failed);
    let content = &run.message.content;
    assert!(
        content.contains("The page fails when it is loaded (/)") && content.contains("no shelves left"),
        "{content}"
    );
    assert!(run.model.said(3).last().unwrap().1.contains("no shelves left"));
}

#[tokio::test]
async fn an_empty_page_is_no_result() {
    let page = "<!doctype html><title>Shop</title><body></body>";
    let run = run_with_browser(vec![Reply::write("index.html", page), Reply::done(), Reply::done()]).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.message.content.contains("The page is empty"), "{}", run.message.content);
}

#[tokio::test]
async fn a_page_that_is_loaded_reaches_nothing_of_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let by_name = format!("localhost:{}", at.port());
    // It says on the console that it has tried each way.
    let page = format!(
        r#"<!doctype html><h1>Shop</h1>
<script>
let kept = 0;
const keptIn = () => {{ kept += 1; if (kept === 4) console.error("all four were kept in"); }};
</script>
<img src="http://{at}/image.png" alt="A shop" onerror="keptIn()">
<script>
fetch("http://{at}/").catch(keptIn);
fetch("http://{by_name}/").catch(keptIn);
new WebSocket("ws://{at}").onerror = keptIn;
</script>"#
    );
    let check = Reply::call("checkApp", json!({}));
    let run = run_with_browser(vec![Reply::write("index.html", &page), check, Reply::done()]).await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert!(output.contains("/ says on the console: all four were kept in"), "{output}");
    // A connection that was made would wait to be accepted.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
