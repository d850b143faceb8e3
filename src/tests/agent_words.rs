//! Models that call no tools: files in code blocks, and reminders for models that write none.

use codeflow::protocol::{MessageKind, RunState};

use crate::support::{Feed, Model, Reply, Server, data_dir, http};

/// The app's first page.
async fn page(server: &Server, feed: &mut Feed) -> String {
    let url = feed.preview().await;
    let host = url
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let answer = http()
        .get(server.url())
        .header("host", host)
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap()
}

#[tokio::test]
async fn code_blocks_that_name_files_are_the_app() {
    let data = data_dir();
    let answer = Reply::Text(
        "Here is the page:\n\n```html index.html\n<h1>In words</h1>\n```\n\nRun it with:\n\n```bash\nnode server.mjs\n```\n\n<task_summary>A \
         page in words.</task_summary>",
    );
    let model = Model::start([("Build", vec![answer])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let message = feed.succeeded(1).await;
    assert_eq!(
        (message.kind, message.content.as_str()),
        (MessageKind::Result, "A page in words.")
    );
    assert_eq!(
        feed.tool("turn-1-createOrUpdateFiles-1").output.unwrap(),
        "Wrote index.html"
    );
    assert_eq!(page(&server, &mut feed).await, "<h1>In words</h1>\n");
    assert_eq!(model.turns().len(), 1);
}

#[tokio::test]
async fn a_heading_names_a_file_and_a_snippet_under_a_sentence_overwrites_nothing() {
    let data = data_dir();
    let answer = Reply::Text(
        "Here it is.\n\n### 1. `index.html`:\n\n```html\n<h1>Whole</h1>\n<p>Bread</p>\n```\n\nAdd this to app/page.tsx:\n\n```tsx\nimport \
         \"./extra\";\n```\n\nThen edit server.mjs and run:\n\n```bash\nnpm install\n```\n\n**index.html**\n\n```diff\n-<p>Bread</p>\n```",
    );
    let snippet = Reply::Text(
        "Shorter:\n\n```html index.html\n<!-- ... existing code -->\n<p>Cheese</p>\n```\n\n<task_summary>Half of it.</task_summary>",
    );
    let model = Model::start([("Build", vec![answer, snippet, Reply::done()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let message = feed.succeeded(1).await;
    assert!(
        message.content.contains("what you asked for"),
        "{}",
        message.content
    );
    assert_eq!(
        page(&server, &mut feed).await,
        "<h1>Whole</h1>\n<p>Bread</p>\n"
    );
    assert_eq!(
        feed.tool("turn-1-createOrUpdateFiles-1").output.unwrap(),
        "Wrote index.html"
    );

    // The model learns which file was not written, and a summary beside it does not end the run.
    let note = |request: usize| model.said(request).last().unwrap().1.clone();
    let said = note(2);
    assert!(
        said.starts_with(
            "Wrote index.html\nError: index.html was not written: the block is a list of changes."
        ),
        "{said}"
    );
    let said = note(3);
    assert!(
        said.starts_with("Error: index.html was not written: the block leaves parts of the file out (“<!-- ... existing code -->”)"),
        "{said}"
    );
    assert_eq!(model.turns().len(), 3);
}

#[tokio::test]
async fn a_quotation_of_a_file_does_not_overwrite_it() {
    let data = data_dir();
    let long: String = (1..=20).map(|line| format!("line {line}\n")).collect();
    let answer = |quoted: &str| {
        format!(
            "It says so here:\n\n**long.txt**\n\n```\n{quoted}```\n\n<task_summary>It has lines.</task_summary>"
        )
    };
    let quote: &'static str = answer("line 3\n").leak();
    let model = Model::start([
        (
            "Build",
            vec![Reply::write("long.txt", &long), Reply::done()],
        ),
        (
            "What does it say?",
            vec![
                Reply::Text(quote),
                Reply::Text("<task_summary>It has lines.</task_summary>"),
            ],
        ),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.ended(1).await;
    server.send(project, "What does it say?").await;
    let (state, message) = feed.ended(2).await;
    assert_eq!(
        (state, message.content.as_str()),
        (RunState::Succeeded, "It has lines.")
    );
    let (_, note) = model.said(4).pop().unwrap();
    assert!(
        note.starts_with("Error: long.txt was not written") && note.contains("on the fence"),
        "{note}"
    );
    let file = server
        .get(&format!("/api/files/read?project={project}&path=long.txt"))
        .await;
    let file: serde_json::Value = file.json().await.unwrap();
    assert_eq!(file["lines"].as_array().map(Vec::len), Some(20), "{file}");
}

#[tokio::test]
async fn an_answer_without_files_is_followed_by_one_reminder_and_then_an_error() {
    let data = data_dir();
    let talk = vec![
        Reply::Text("I would rather talk."),
        Reply::Text("And talk."),
        Reply::done(),
    ];
    let model = Model::start([("Build", talk)]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let (state, message) = server.feed(project).await.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Failed, MessageKind::Error)
    );
    assert!(
        message.content.contains("without saying that it is done")
            && message.content.contains("2 of at most"),
        "{}",
        message.content
    );
    assert_eq!(model.turns().len(), 2);
    let said = model.said(2);
    let (role, reminder) = said.last().unwrap();
    assert_eq!(role, "system");
    for part in [
        "Go on with the tools",
        "Write each file whole",
        "```tsx app/page.tsx",
        "<task_summary>",
    ] {
        assert!(reminder.contains(part), "{part} is not in {reminder}");
    }
}

#[tokio::test]
async fn a_model_without_tools_is_asked_without_them_and_learns_the_format() {
    let data = data_dir();
    let refusal = Reply::Status(
        400,
        "registry.ollama.ai/library/gemma3 does not support tools",
    );
    let file = Reply::Text("```html index.html\n<h1>Without tools</h1>\n```");
    let model = Model::start([(
        "Build",
        vec![Reply::InTurn(vec![refusal, file]), Reply::done()],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let message = feed.succeeded(1).await;
    assert_eq!(message.kind, MessageKind::Result);
    assert_eq!(page(&server, &mut feed).await, "<h1>Without tools</h1>\n");

    // It is offered tools once, and not in each turn again.
    let offered: Vec<bool> = model
        .turns()
        .iter()
        .map(|request| request["tools"].is_array())
        .collect();
    assert_eq!(offered, [true, false, false]);
    for request in [2, 3] {
        let said = model.said(request);
        let (role, note) = said.last().unwrap();
        assert_eq!(role, "system");
        assert!(
            note.starts_with("There are no tools in this conversation.")
                && note.contains("```tsx app/page.tsx"),
            "{note}"
        );
    }
    let is_written = model
        .said(3)
        .into_iter()
        .any(|(role, note)| role == "system" && note.starts_with("Wrote index.html"));
    assert!(is_written, "{:?}", model.said(3));
}
