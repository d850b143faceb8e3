//! The check of an ordinary user's server: the same browser, in namespaces of that user's own.

use codeflow::protocol::{MessageKind, RunState};

use crate::support::{Model, Reply, Server, as_nobody, data_dir};

#[tokio::test]
async fn a_server_of_an_ordinary_user_loads_pages_in_a_browser_too() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data_dir());
    let broken = "<!doctype html><h1>Shop</h1><script>throw new Error('no bread')</script>";
    let replies = vec![
        Reply::write("index.html", broken),
        Reply::done(),
        Reply::write("index.html", "<!doctype html><h1>Shop</h1>"),
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
    drop(feed);
    server.stop();
}
