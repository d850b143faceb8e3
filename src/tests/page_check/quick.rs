//! What makes a check quick and changes none of its verdicts: a browser that waits for it, and
//! pages that are loaded side by side.

use codeflow::protocol::RunState;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::{
    browser_env, browser_folder,
    doubts::{serve, touch},
    hostile::processes_of,
    no_browser_is_left, run_with_browser,
};
use crate::support::{Model, Reply, Server, data_dir, until};

#[tokio::test]
async fn a_browser_waits_for_the_check_and_one_that_dies_there_is_replaced() {
    let (folder, data) = (browser_folder(), data_dir());
    let page = "<!doctype html><h1>Shop</h1><script>throw new Error(\"no shelves left\")</script>";
    let replies = vec![
        Reply::write("index.html", page),
        Reply::done().held(),
        Reply::done(),
    ];
    let model = Model::start([("Build", replies)]).await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    // The model has not said yet that it is done.
    let waiting = until("a browser waits", async || {
        let found = processes_of(folder.path());
        (found.len() > 3).then_some(found)
    })
    .await;
    for process in waiting {
        let _ = kill(Pid::from_raw(process.parse().unwrap()), Signal::SIGKILL);
    }
    model.release();
    let (state, message) = feed.ended(1).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        message.content.contains("no shelves left"),
        "{}",
        message.content
    );
    no_browser_is_left(&folder).await;
}

#[tokio::test]
async fn pages_are_loaded_side_by_side_by_one_visitor_and_each_as_if_it_were_alone() {
    let [server, restart] = serve(
        r#"if (request.url === "/") return html("<h1>Shop</h1><script>localStorage.setItem('visited', 'yes')</script>");
  if (request.url === "/broken") return html("<h1>Shelf</h1><script>throw new Error('no shelves left')</script>");
  html(`<h1>Shelf</h1><script>
if (document.hidden) throw new Error("it is hidden");
if (!localStorage.getItem("visited")) throw new Error("it is another visitor");
</script>`);"#,
    );
    let replies = vec![
        server,
        restart,
        touch(&["bread", "broken", "butter", "milk"]),
        Reply::call("checkApp", json!({})),
        Reply::done(),
        Reply::done(),
    ];
    let run = run_with_browser(replies).await;
    let output = run.feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(
        output.contains("found 1 problem")
            && output.contains("(/broken)")
            && output.contains("no shelves left"),
        "{output}"
    );
    assert_eq!(run.state, RunState::Failed);
}
