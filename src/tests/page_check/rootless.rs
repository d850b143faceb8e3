//! The check of an ordinary user's server: the same browser, in namespaces of that user's own.

use codeflow::protocol::{MessageKind, RunState};

use serde_json::json;

use super::hostile::{Secret, page_with_links, write_app};
use crate::support::{Model, Reply, Server, as_nobody, data_dir};

#[tokio::test]
async fn a_server_of_an_ordinary_user_loads_pages_in_a_browser_and_follows_none_of_them_out() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let broken = "<!doctype html><h1>Shop</h1><script>throw new Error('no bread')</script>";
    // Where no page may make the server send anything.
    let secret = Secret::open();
    let [leads_out, any] = write_app(&page_with_links(&json!([
        format!("@{}/leak?secret=1", secret.at()),
        format!("//{}/leak", secret.at()),
    ])));
    let replies = vec![
        Reply::write("index.html", broken),
        Reply::done(),
        any,
        leads_out,
        Reply::done(),
    ];
    let model = Model::start([("Build", replies)]).await;
    let mut command = as_nobody(folder.path(), data.path(), "serve");
    let env = [("CHROMIUM_PATH", "")];
    let server = Server::process_by(&mut command, data.path(), &model, &env).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Succeeded, MessageKind::Result),
        "{}",
        message.content
    );
    let said = model.said(3);
    let (role, report) = said.last().unwrap();
    assert_eq!(role, "system");
    assert!(report.contains("no bread"), "{report}");
    secret.assert_kept();
    drop(feed);
    server.stop();
}
