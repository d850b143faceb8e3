//! The check that decides whether an app is done: how many times its findings may be fixed, and
//! pages loaded in a real browser that reaches only the app and leaves nothing behind.

mod barriers;
mod doubts;
mod hostile;
mod jail;
mod journeys;
mod looks;
mod not_as_asked;
mod peculiar;
mod played_journeys;
mod quick;
mod relay;
mod rootless;

use std::{
    fs,
    io::ErrorKind,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use codeflow::{
    protocol::{Message, MessageKind, RunState},
    store::Store,
};
use serde_json::json;

use crate::support::{Feed, Model, Reply, Server, data_dir, http, until};

/// How a run ended, and which checks it made; its server is still there.
struct Ended {
    server: Server,
    model: Model,
    feed: Feed,
    state: RunState,
    message: Message,
    checks: Vec<String>,
    _data: tempfile::TempDir,
}

/// A model that builds a page which computes without an end, and a folder for what its browser
/// leaves, which others may enter.
async fn endless_page() -> (tempfile::TempDir, Model) {
    let folder = browser_folder();
    let page = "<!doctype html><h1>Shop</h1><script>for (;;) {}</script>";
    let replies = vec![
        Reply::write("index.html", page),
        Reply::done(),
        Reply::done(),
    ];
    (folder, Model::start([("Build", replies)]).await)
}

/// A run with these answers.
async fn run(replies: Vec<Reply>, env: &[(&str, &str)]) -> Ended {
    let data = data_dir();
    let model = Model::start([("Build", replies)]).await;
    let server = Server::process(data.path(), &model, env).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        message.kind == MessageKind::Result,
        state == RunState::Succeeded
    );
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let steps = store.list_steps(message.run.unwrap()).await.unwrap();
    store.close().await;
    let checks = steps
        .into_iter()
        .filter(|step| step.output.is_some())
        .map(|step| step.name);
    Ended {
        server,
        model,
        feed,
        state,
        message,
        checks: checks.filter(|name| name.starts_with("verify-")).collect(),
        _data: data,
    }
}

/// Makes the app's page fail with this error, as Next.js reports it.
fn fail(error: &str) -> Reply {
    Reply::write(
        "broken",
        &format!("<template data-next-error-message=\"{error}\"></template>"),
    )
}

#[tokio::test]
async fn the_findings_of_a_check_go_back_to_the_model_which_fixes_them() {
    let mend = Reply::call("terminal", json!({ "command": "rm broken" }));
    let run = run(
        vec![fail("no bread"), Reply::done(), mend, Reply::done()],
        &[],
    )
    .await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    assert_eq!(run.checks, ["verify-1", "verify-2"]);
    let said = run.model.said(3);
    let (role, report) = said.last().unwrap();
    assert_eq!(role, "system");
    assert!(
        report.starts_with("The app was checked, and it is not done.")
            && report.contains("no bread"),
        "{report}"
    );
}

#[tokio::test]
async fn the_same_problem_twice_in_a_row_ends_the_run() {
    let run = run(
        vec![
            fail("no bread"),
            Reply::done(),
            Reply::done(),
            Reply::done(),
        ],
        &[],
    )
    .await;
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
async fn a_new_problem_after_each_of_three_repairs_ends_the_run() {
    let errors = ["no bread", "no butter", "no milk", "no salt", "no eggs"];
    let replies = errors
        .iter()
        .flat_map(|error| [fail(error), Reply::done()])
        .collect();
    let run = run(replies, &[]).await;
    assert_eq!(run.state, RunState::Failed);
    let content = &run.message.content;
    assert!(
        content.contains("does not work yet") && content.contains("no salt"),
        "{content}"
    );
    assert!(!content.contains("the same problem"), "{content}");
    assert_eq!(run.checks, ["verify-1", "verify-2", "verify-3", "verify-4"]);
    assert_eq!(run.model.turns().len(), 8);
}

#[tokio::test]
async fn without_a_browser_pages_are_only_requested_and_the_check_says_so() {
    let run = run(
        vec![Reply::call("checkApp", json!({})), Reply::done()],
        &[("CHROMIUM_PATH", "off")],
    )
    .await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    let check = run.feed.tool("turn-1-checkApp-1");
    let output = check.output.unwrap();
    assert!(
        !check.failed && output.starts_with("The app works. Looked at: /"),
        "{output}"
    );
    assert!(output.contains("no browser was there"), "{output}");
}

#[tokio::test]
async fn without_a_browser_only_what_the_open_preview_reports_of_this_run_fails_it() {
    let data = data_dir();
    let model = Model::start([
        (
            "Build",
            vec![Reply::write("index.html", "<h1>Shop</h1>"), Reply::done()],
        ),
        ("Change", vec![Reply::done().held()]),
        ("Break", vec![Reply::done().held(), Reply::done().held()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("CHROMIUM_PATH", "off")]);
    let project = server.create("Build").await;
    // Who follows the feed has the preview open.
    let mut feed = server.feed(project).await;
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    let report = async |errors: serde_json::Value| {
        let url = format!("{}/api/preview/errors", server.url());
        let report = json!({ "project": project, "errors": errors });
        assert_eq!(
            http()
                .post(url)
                .json(&report)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
    };
    let asked = async |turns: usize| {
        until("the model is asked", async || {
            (model.turns().len() == turns).then_some(())
        })
        .await
    };
    let error = |kind: &str, message: &str| json!({ "kind": kind, "message": message, "location": null, "path": "/cart" });
    let old = error("error", "no bread since yesterday");

    report(json!([old])).await;
    server.send(project, "Change").await;
    asked(3).await;
    report(json!([old, error("console", "only logged")])).await;
    model.release();
    let (state, message) = feed.ended(2).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);

    server.send(project, "Break").await;
    asked(4).await;
    report(json!([old, error("rejection", "no shelves left")])).await;
    model.release();
    asked(5).await;
    let said = model.said(5);
    let (_, found) = said.last().unwrap();
    assert!(
        found.contains("no shelves left (page /cart)") && !found.contains("bread"),
        "{found}"
    );
    report(json!([])).await;
    model.release();
    let (state, message) = feed.ended(3).await;
    assert_eq!(state, RunState::Succeeded, "{}", message.content);
}

/// A run that loads pages in this machine's Chromium, of which nothing is there afterwards.
async fn run_with_browser(replies: Vec<Reply>) -> Ended {
    run_with_browser_and(replies, &[]).await
}

async fn run_with_browser_and(replies: Vec<Reply>, more: &[(&str, &str)]) -> Ended {
    let folder = browser_folder();
    let run = run(replies, &[&browser_env(&folder), more].concat()).await;
    no_browser_is_left(&folder).await;
    run
}

/// A folder for what browsers leave.
fn browser_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The browser runs as a user without rights.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What makes a server load pages in this machine's Chromium, in this folder.
fn browser_env(folder: &tempfile::TempDir) -> [(&str, &str); 2] {
    [
        // An empty path is none: the first browser in `PATH` is used.
        ("CHROMIUM_PATH", ""),
        ("TMPDIR", folder.path().to_str().unwrap()),
    ]
}

/// Waits until no browser of this folder runs, and none has left anything.
async fn no_browser_is_left(folder: &tempfile::TempDir) {
    until("no browser and no profile is left", async || {
        let profiles = fs::read_dir(folder.path()).unwrap().count();
        (profiles == 0 && processes_in(folder.path()) == 0).then_some(())
    })
    .await;
}

/// How many processes were started with something in the folder, or work in it.
fn processes_in(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    processes
        .filter(|process| {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let place = fs::read_link(process.join("cwd")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(folder.to_str().unwrap())
                || place.starts_with(folder)
        })
        .count()
}

#[tokio::test]
async fn a_page_that_throws_while_it_loads_fails() {
    let page = "<!doctype html><h1>Shop</h1><script>throw new Error(\"no shelves left\")</script>";
    let run = run_with_browser(vec![
        Reply::write("index.html", page),
        Reply::done(),
        Reply::done(),
    ])
    .await;
    assert_eq!(run.state, RunState::Failed);
    let content = &run.message.content;
    assert!(
        content.contains("The page fails when it is loaded (/)")
            && content.contains("no shelves left"),
        "{content}"
    );
    assert!(
        run.model
            .said(3)
            .last()
            .unwrap()
            .1
            .contains("no shelves left")
    );
}

#[tokio::test]
async fn an_empty_page_fails() {
    let page = "<!doctype html><title>Shop</title><body></body>";
    let run = run_with_browser(vec![
        Reply::write("index.html", page),
        Reply::done(),
        Reply::done(),
    ])
    .await;
    assert_eq!(run.state, RunState::Failed);
    assert!(
        run.message.content.contains("The page is empty"),
        "{}",
        run.message.content
    );
}

#[tokio::test]
async fn every_page_is_loaded_and_of_each_dynamic_route_one_that_is_linked() {
    let broken = |error: &str| {
        format!("<!doctype html><h1>Shop</h1><script>throw new Error(\"{error}\")</script>")
    };
    let page = "<!doctype html><h1>Shop</h1><a href=\"/items/7\">Bread</a>";
    let command = format!(
        "mkdir -p app/late 'app/items/[id]' items; touch app/late/page.tsx 'app/items/[id]/page.tsx'; echo '{}' >late.html; echo '{}' \
         >items/7.html",
        broken("late in the day"),
        broken("no such bread"),
    );
    let write = Reply::call("terminal", json!({ "command": command }));
    let check = Reply::call("checkApp", json!({}));
    let run = run_with_browser(vec![
        Reply::write("index.html", page),
        write,
        check,
        Reply::done(),
        Reply::done(),
    ])
    .await;
    let output = run.feed.tool("turn-3-checkApp-1").output.unwrap();
    for said in ["(/late)", "late in the day", "(/items/7)", "no such bread"] {
        assert!(output.contains(said), "{said} is not in {output}");
    }
}

#[tokio::test]
async fn handlers_may_stream_or_stay_silent_but_a_page_that_is_not_served_fails() {
    let command = "mkdir -p app/api/stream app/api/silent; for name in stream silent; do echo 'export async function GET() {}' \
                   >app/api/$name/route.ts; done";
    let mend = Reply::call("terminal", json!({ "command": "rm app/gone/page.tsx" }));
    let replies = vec![
        Reply::call("terminal", json!({ "command": command })),
        Reply::write(
            "app/gone/page.tsx",
            "export default function Page() { return null; }",
        ),
        Reply::call("checkApp", json!({})),
        mend,
        Reply::done(),
    ];
    let run = run(replies, &[]).await;
    let output = run.feed.tool("turn-3-checkApp-1").output.unwrap();
    assert!(
        output.contains("found 1 problem") && output.contains("(/gone):\nIt answers with HTTP 404"),
        "{output}"
    );
    assert!(output.contains("/api/silent did not answer"), "{output}");
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
}

#[tokio::test]
async fn pages_are_loaded_as_their_visitors_get_them_whatever_their_domain_is() {
    let page = "<!doctype html><h1>Shop</h1><script>document.title = crypto.randomUUID()</script>";
    let check = Reply::call("checkApp", json!({}));
    let replies = vec![Reply::write("index.html", page), check, Reply::done()];
    let run = run_with_browser_and(replies, &[("SANDBOX_DOMAIN", "preview.codeflow.dev")]).await;
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    assert!(
        output.starts_with("The app works") && !output.contains("no browser"),
        "{output}"
    );
}

#[tokio::test]
async fn a_loaded_page_reaches_nothing_on_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let stun = UdpSocket::bind("127.0.0.1:0").unwrap();
    stun.set_nonblocking(true).unwrap();
    let stun_at = stun.local_addr().unwrap();
    let by_name = format!("localhost:{}", at.port());
    // It says on the console that it has tried each way.
    let page = format!(
        r#"<!doctype html><h1>Shop</h1>
<script>
let kept = 0;
const keptIn = () => {{ kept += 1; if (kept === 5) console.error("all five were kept in"); }};
</script>
<img src="http://{at}/image.png" alt="A shop" onerror="keptIn()">
<script>
fetch("http://{at}/").catch(keptIn);
fetch("http://{by_name}/").catch(keptIn);
new WebSocket("ws://{at}").onerror = keptIn;
const peer = new RTCPeerConnection({{ iceServers: [{{ urls: "stun:{stun_at}" }}] }});
peer.createDataChannel("out");
peer.onicecandidate = (event) => {{ if (!event.candidate) keptIn(); }};
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>"#
    );
    let check = Reply::call("checkApp", json!({}));
    let run = run_with_browser(vec![
        Reply::write("index.html", &page),
        check,
        Reply::done(),
    ])
    .await;
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert!(
        output.contains("/ says on the console: all five were kept in"),
        "{output}"
    );
    // A connection that was made would wait to be accepted.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(
        stun.recv(&mut [0; 64]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}
