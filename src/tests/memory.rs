//! What a run knows of its project's past beyond the last messages: the notes stored with the app,
//! and the user's earlier requests.

use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir};

#[tokio::test]
async fn a_later_run_reads_the_project_s_notes_and_what_was_asked_for_long_before() {
    let data = data_dir();
    let files = json!({ "files": [
        { "path": "index.html", "content": "<h1>Shop</h1>" },
        { "path": "AGENTS.md", "content": "# Shop\nPrices are in euros.\n" },
    ] });
    let changes = ["Make it round", "Add a cart", "Add a footer"];
    let builds = [(
        "Build a blue shop",
        vec![Reply::call("createOrUpdateFiles", files), Reply::done()],
    )];
    let builds = builds
        .into_iter()
        .chain(changes.map(|change| (change, vec![Reply::done()])))
        .chain([("Which colour?", vec![Reply::Text("Blue.")])]);
    let model = Model::start(builds).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build a blue shop").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    for (index, change) in changes.into_iter().enumerate() {
        server.send(project, change).await;
        feed.succeeded(index + 2).await;
    }
    let id = project.to_string();
    let form = [
        ("project", &*id),
        ("text", "Which colour?"),
        ("mode", "ask"),
    ];
    server.post("/api/messages/send", &form).await;
    feed.succeeded(5).await;

    let asked = model.turns_of("Which colour?").remove(0)["messages"].to_string();
    let notes = asked.find("Prices are in euros.").expect("no notes");
    let earlier = asked.find("oldest first").expect("no earlier requests");
    assert!(earlier < notes, "{asked}");
    // Once, though more than six messages lie between; those are shown by themselves.
    assert_eq!(asked.matches("- Build a blue shop").count(), 1, "{asked}");
    assert!(!asked.contains("- Add a footer"), "{asked}");
    assert!(asked.contains("Add a footer"), "{asked}");
    // The first follow-up saw everything anyway.
    let first = model.turns_of("Make it round").remove(0)["messages"].to_string();
    assert!(!first.contains("oldest first"), "{first}");
}
