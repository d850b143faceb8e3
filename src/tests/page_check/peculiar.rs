//! Many pages, each with one peculiarity: pages that work for visitors pass, and unusable ones
//! don't.

use codeflow::protocol::RunState;
use futures::StreamExt;
use serde_json::json;

use super::{browser_env, browser_folder, no_browser_is_left};
use crate::support::{Model, Reply, Server, data_dir};

/// Checks pages with these bodies, each in a project of its own on one server, as many at a time
/// as it has browsers: whether each is well, and the report for the model.
async fn checked(bodies: &[&str]) -> Vec<(bool, String)> {
    let (folder, data) = (browser_folder(), data_dir());
    let prompts: Vec<&'static str> = (0..bodies.len())
        .map(|number| &*format!("Build page {number}").leak())
        .collect();
    let script = prompts.iter().zip(bodies).map(|(prompt, body)| {
        let page = format!("<!doctype html><title>Shop</title>{body}");
        let replies = vec![
            Reply::write("index.html", &page),
            Reply::call("checkApp", json!({})),
            Reply::done(),
            Reply::done(),
        ];
        (*prompt, replies)
    });
    let model = Model::start(script).await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let server = &server;
    let checks = prompts.iter().map(async |prompt| {
        let project = server.create(prompt).await;
        let mut feed = server.feed(project).await;
        let (state, message) = feed.ended(1).await;
        let tool = feed.tool("turn-2-checkApp-1");
        assert_eq!(
            tool.failed,
            state == RunState::Failed,
            "{}",
            message.content
        );
        (!tool.failed, tool.output.unwrap())
    });
    let checked = futures::stream::iter(checks).buffered(2).collect().await;
    no_browser_is_left(&folder).await;
    checked
}

#[tokio::test]
async fn an_unusual_page_that_works_passes() {
    let pages = [
        // Somebody has to answer them.
        (
            r#"<h1>Shop</h1><script>alert("Welcome"); document.title = prompt("Your name?") + confirm("Sure?");</script>"#,
            "",
        ),
        // No address at all.
        (
            r#"<h1>Shop</h1><a href="https://">Broken</a><a href="/">Home</a>"#,
            "",
        ),
        // Only boxes.
        (
            r#"<div style="width: 40px; height: 40px; background: teal"></div>"#,
            "",
        ),
        // Handled in the end.
        (
            "<h1>Shop</h1><script>const late = Promise.reject(new Error(\"late\")); setTimeout(() => late.catch(() => {}), 200);</script>",
            "",
        ),
        // Another server, which the check does not reach.
        (
            r#"<h1>Weather</h1><script>fetch("https://api.open-meteo.com/v1/forecast").then((answer) => answer.json());</script>"#,
            "api.open-meteo.com",
        ),
        // No graphics processor.
        (
            r#"<canvas></canvas><script>throw new Error("Error creating WebGL context.");</script>"#,
            "no WebGL",
        ),
        // Nothing is wrong: the browser reports the rest in the next frame.
        (
            r#"<h1 id="box" style="width: 50%">Shop</h1><script>new ResizeObserver(() => { box.style.width = box.offsetWidth + 1 + "px"; }).observe(box);</script>"#,
            "",
        ),
        // An empty sheet of paper, and a toy that changes its colour.
        (
            r#"<style>* { margin: 0; border: 0; outline: 0; resize: none }</style><textarea aria-label="Note" style="width: 100vw; height: 100vh"></textarea>"#,
            "fills the window",
        ),
        (
            r#"<main style="background: tomato; height: 100vh" onclick="this.style.background = 'teal'"></main>"#,
            "fills the window",
        ),
    ];
    let checks = checked(&pages.map(|(odd, _)| odd)).await;
    for ((odd, said), (well, report)) in pages.iter().zip(checks) {
        assert!(well && report.contains(said), "{odd}: {report}");
    }
}

#[tokio::test]
async fn a_page_that_nobody_could_use_fails() {
    let pages = [
        (
            "<h1>Shop</h1><script>location.reload();</script>",
            "again and again",
        ),
        // As on a machine that is busy.
        (
            "<h1>Shop</h1><script>const begun = Date.now(); while (Date.now() < begun + 1800); onload = () => location.reload();</script>",
            "again and again",
        ),
        // The app's own words, whatever was behind them.
        (
            r#"<h1>Shop</h1><script>fetch("https://api.open-meteo.com/").catch(() => { throw new Error("Failed to fetch products"); });</script>"#,
            "Failed to fetch products",
        ),
        // White, however much can be done with it.
        (
            r#"<main style="background: white; height: 100vh" onclick="this.style.background = 'teal'"></main>"#,
            "The page is empty",
        ),
        // The report has the dev server's words.
        (
            r#"<nextjs-portal></nextjs-portal><script>document.querySelector("nextjs-portal").attachShadow({ mode: "open" }).innerHTML = "<dialog open>Module not found</dialog>";</script>"#,
            "Module not found",
        ),
        // Below a loading.tsx the answer has begun with 200 before.
        (
            r#"<meta name="boundary-next-error" content="not-found"><h1>404</h1>"#,
            "not found (404)",
        ),
        // What fits the sandbox's own clock and language alone.
        (
            r#"<h1>Clock</h1><script>if (new Date(0).getHours() !== 0 && (1.5).toLocaleString() !== "1.5") throw new Error("elsewhere");</script>"#,
            "elsewhere",
        ),
    ];
    let checks = checked(&pages.map(|(broken, _)| broken)).await;
    for ((broken, said), (well, report)) in pages.iter().zip(checks) {
        assert!(!well && report.contains(said), "{broken}: {report}");
    }
}

#[tokio::test]
async fn an_error_in_a_flood_of_console_messages_is_found() {
    // More than is kept, or read at once.
    let page = r#"<h1>Shop</h1><script>console.error("x".repeat(6 << 20)); for (let i = 0; i < 5000; i++) console.error("noise " + i); throw new Error("in the noise");</script>"#;
    let (well, report) = checked(&[page]).await.remove(0);
    assert!(!well && report.contains("in the noise"), "{report}");
}
