//! What keeps people from using a page that works: the model gets to repair it, and no run fails
//! for it.

use codeflow::protocol::RunState;
use serde_json::json;

use super::run_with_browser;
use crate::support::Reply;

/// Elements with barriers, and some without.
const BARRIERS: &str = "<!doctype html><h1>Shop</h1><button id=\"cart\"></button><button>Pay</button>\
    <p style=\"background:#fff;color:#e2e2e2\">Closed today</p><img src=\"data:,\" alt=\"\"><main>Bread</main>";

#[tokio::test]
async fn barriers_go_to_the_model_once_and_those_that_stay_are_named_in_the_result() {
    let run = run_with_browser(vec![
        Reply::write("index.html", BARRIERS),
        Reply::done(),
        Reply::done(),
    ])
    .await;
    assert_eq!(run.checks, ["verify-1", "verify-2"]);
    let said = run.model.said(3);
    let report = &said.last().unwrap().1;
    assert!(
        report.contains("found 2 problems")
            && report.contains("Text can hardly be read")
            && report.contains("Closed today")
            && report.contains("A button has no name")
            && report.contains("<button id=\"cart\"></button>."),
        "{report}"
    );
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    let content = &run.message.content;
    assert!(
        content.contains("The app works, but not everybody can use it")
            && content.contains("A button has no name"),
        "{content}"
    );
}

#[tokio::test]
async fn barriers_that_are_repaired_are_not_mentioned_and_faults_come_first() {
    let broken = format!("{BARRIERS}<script>throw new Error(\"no shelves left\")</script>");
    let run = run_with_browser(vec![
        Reply::write("index.html", &broken),
        Reply::call("checkApp", json!({})),
        Reply::write("index.html", BARRIERS),
        Reply::done(),
        Reply::write(
            "index.html",
            "<!doctype html><h1>Shop</h1><button>Cart</button>",
        ),
        Reply::done(),
    ])
    .await;
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert!(
        output.contains("found 1 problem") && output.contains("no shelves left"),
        "{output}"
    );
    assert_eq!(run.checks, ["verify-1", "verify-2"]);
    assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    assert!(!run.message.content.contains("not everybody"));
}

#[tokio::test]
async fn a_page_that_gets_in_the_way_of_the_examination_is_no_worse_for_it() {
    // Each of them alone keeps the examination from its end, or lies to it.
    for trick in [
        "<form name=\"querySelectorAll\"><input name=\"body\" aria-label=\"Name\"></form>",
        "<script>window.axe = { run: () => { throw new Error('mine') } }; Array.prototype.map = () => []; Element.prototype.matches = 0</script>",
        "<script>for (let row = 0; row < 9000; row++) document.body.append(document.createElement('p'))</script>",
    ] {
        let page = format!("<!doctype html><body><h1>Shop</h1>{trick}<p>Bread</p>");
        let run = run_with_browser(vec![Reply::write("index.html", &page), Reply::done()]).await;
        assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
        assert_eq!(run.checks, ["verify-1"], "{trick}");
    }
}
