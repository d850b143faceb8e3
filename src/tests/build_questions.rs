//! Questions of a build: once, before anything is changed, and as durable as those of a plan.

use codeflow::protocol::{Message, MessageKind, MessagePart, Mode};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    modes::{page, send, tools, versions},
    support::{Model, Reply, Server, data_dir, until},
};

const ANSWERS: &str = "What is it for? A shop";

fn asked() -> Value {
    let question = json!({ "question": "What is it for?", "options": ["A shop", "A club"] });
    json!({ "questions": vec![question; 6] })
}

fn questions() -> Reply {
    Reply::call("askQuestions", asked())
}

async fn answer(server: &Server, questions: &Message) -> (StatusCode, Value) {
    let id = questions.id.to_string();
    let fields = [("mode", "build"), ("answers", &*id)];
    send(server, questions.project, ANSWERS, &fields).await
}

#[tokio::test]
async fn an_ambiguous_build_asks_once_waits_over_a_crash_and_goes_on_with_the_answer() {
    let data = data_dir();
    let list = || Reply::call("listFiles", json!({ "path": "." }));
    let model = Model::start([
        ("Build it", vec![list(), questions()]),
        (
            ANSWERS,
            vec![
                list(),
                list(),
                questions(),
                Reply::write("index.html", "<h1>Shop</h1>").held(),
                Reply::done(),
            ],
        ),
    ])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build it").await;
    server.feed(project).await.succeeded(1).await;
    server.kill();

    let server = Server::process(data.path(), &model, &[]).await;
    let mut feed = server.feed(project).await;
    let questions = feed.succeeded(1).await;
    let about = (questions.kind, questions.mode, questions.fragment.is_none());
    assert_eq!(about, (MessageKind::Questions, Mode::Build, true));
    match &questions.part {
        Some(MessagePart::Questions { questions }) => assert_eq!(questions.len(), 4),
        other => panic!("{other:?}"),
    }
    assert_eq!(versions(&server, project).await, 0);
    let run = server.workspace(project).await.runs[0].id;
    let steps = server.details(run).await.steps;
    assert!(!steps.iter().any(|step| step.name.starts_with("verify")));

    assert_eq!(answer(&server, &questions).await.0, StatusCode::OK);
    let (status, refused) = answer(&server, &questions).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let why = refused["message"].as_str().unwrap();
    assert!(why.contains("answered already"), "{why}");
    until("the page is asked for", async || {
        (model.turns_of(ANSWERS).len() == 4).then_some(())
    })
    .await;
    server.kill();

    let server = Server::start(data.path(), &model);
    let mut feed = server.feed(project).await;
    until("the page is asked for again", async || {
        (model.turns_of(ANSWERS).len() == 5).then_some(())
    })
    .await;
    model.release();
    let built = feed.succeeded(2).await;
    assert_eq!(built.fragment.unwrap().number, 1);
    assert_eq!(page(&server, project).await, "<h1>Shop</h1>");
    let refused = feed.tool("turn-3-askQuestions-1");
    let why = refused.output.unwrap();
    assert!(refused.failed && why.contains("asked already"), "{why}");
    let request = &model.turns_of(ANSWERS)[0];
    assert!(
        request["messages"]
            .to_string()
            .contains("1. What is it for?")
    );
    assert!(tools(request).contains(&"askQuestions"), "the same tools");
}

#[tokio::test]
async fn a_build_can_t_ask_beside_a_change_or_after_one() {
    let data = data_dir();
    let write = json!({ "files": [{ "path": "index.html", "content": "<h1>One</h1>" }] });
    let both = vec![
        ("askQuestions", asked().to_string()),
        ("createOrUpdateFiles", write.to_string()),
    ];
    let model = Model::start([(
        "Build it",
        vec![Reply::Calls(both), questions(), Reply::done()],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build it").await;
    let mut feed = server.feed(project).await;
    let built = feed.succeeded(1).await;
    assert_eq!((built.kind, built.part), (MessageKind::Result, None));
    assert_eq!(page(&server, project).await, "<h1>One</h1>");
    for step in ["turn-1-askQuestions-1", "turn-2-askQuestions-1"] {
        let refused = feed.tool(step);
        let why = refused.output.unwrap();
        assert!(
            refused.failed && why.contains("before anything is changed"),
            "{why}"
        );
    }
}
