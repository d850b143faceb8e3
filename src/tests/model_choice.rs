//! The model that a message asks for: kept by its project, refused if it isn't offered, replaced if
//! it is down or no longer configured.

use codeflow::protocol::{Message, ProjectId, Role, RunState};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{Model, Reply, Server, data_dir, until};

const FIRST: &str = "custom/scripted";
const OTHER: &str = "ollama/other";

/// Asks something, of this model where one is named, and waits for the answer.
async fn ask(server: &Server, project: ProjectId, text: &str, model: Option<&str>) -> Message {
    let id = project.to_string();
    let mut form = vec![("project", &*id), ("text", text), ("mode", "ask")];
    form.extend(model.map(|model| ("model", model)));
    let before = server.states(project).await.len();
    let (status, sent) = server.post("/api/messages/send", &form).await;
    assert!(status.is_success(), "{sent}");
    until("it is answered", async || {
        let states = server.states(project).await;
        (states.len() == before + 1 && states.iter().all(|state| state.is_final())).then_some(())
    })
    .await;
    let messages = server.workspace(project).await.messages;
    messages.into_iter().next_back().unwrap()
}

/// The models that the project's prompts ask for.
async fn asked_for(server: &Server, project: ProjectId) -> Vec<Option<String>> {
    let messages = server.workspace(project).await.messages.into_iter();
    let prompts = messages.filter(|message| message.role == Role::User);
    prompts
        .map(|prompt| prompt.model.map(|model| model.as_str().to_owned()))
        .collect()
}

#[tokio::test]
async fn a_project_keeps_the_model_that_a_message_asked_for_until_another_is_asked_for() {
    let says = |words| vec![Reply::Text(words)];
    let questions = ["Who?", "And now?", "Still?", "And you?"];
    let first = Model::start(questions.map(|question| (question, says("The first.")))).await;
    let other = Model::start(questions.map(|question| (question, says("The other.")))).await;
    let ollama = other.url.trim_end_matches("/v1").to_owned();
    let both = [
        ("AI_FALLBACK", "ollama:other"),
        ("OLLAMA_BASE_URL", &*ollama),
    ];
    let data = data_dir();
    let server = Server::start_and(data.path(), &first, &both);

    let (_, id) = server
        .post(
            "/api/projects/create",
            &[("prompt", "Who?"), ("mode", "ask")],
        )
        .await;
    let project: ProjectId = serde_json::from_value(id).unwrap();
    until("it is answered", async || {
        (server.states(project).await == [RunState::Succeeded]).then_some(())
    })
    .await;
    let offered = server.workspace(project).await.model.offered;
    let offered: Vec<&str> = offered.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(offered, [FIRST, OTHER]);

    for (question, model, answer) in [
        ("And now?", Some(OTHER), "The other."),
        ("Still?", None, "The other."),
        ("And you?", Some("auto"), "The first."),
        ("Who?", Some(FIRST), "The first."),
    ] {
        let answered = ask(&server, project, question, model).await;
        assert_eq!(answered.content, answer, "{question}");
    }
    let kept = |id: &str| Some(id.to_owned());
    assert_eq!(
        asked_for(&server, project).await,
        [None, kept(OTHER), kept(OTHER), None, kept(FIRST)]
    );

    let id = project.to_string();
    let form = [
        ("project", &*id),
        ("text", "Who?"),
        ("model", "ollama/none"),
    ];
    let (status, refused): (StatusCode, Value) = server.post("/api/messages/send", &form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let refused = refused.to_string();
    assert!(
        refused.contains("custom/scripted, ollama/other"),
        "{refused}"
    );
    let form = [("prompt", "Who?"), ("model", "none")];
    let (status, _) = server.post("/api/projects/create", &form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_chosen_model_that_is_down_or_no_longer_configured_is_stood_in_for() {
    let first = Model::start([("Who?", vec![Reply::Text("The first.")])]).await;
    let down = Model::start([("Who?", vec![Reply::Status(402, "empty")])]).await;
    let ollama = down.url.trim_end_matches("/v1").to_owned();
    let both = [
        ("AI_FALLBACK", "ollama:other"),
        ("OLLAMA_BASE_URL", &*ollama),
    ];
    let data = data_dir();
    let server = Server::start_and(data.path(), &first, &both);
    let form = [("prompt", "Who?"), ("mode", "ask"), ("model", OTHER)];
    let (_, id) = server.post("/api/projects/create", &form).await;
    let project: ProjectId = serde_json::from_value(id).unwrap();
    until("it is answered", async || {
        (server.states(project).await == [RunState::Succeeded]).then_some(())
    })
    .await;
    assert_eq!((down.asked_for(1), first.asked_for(1)), (1, 1));
    drop(server);

    let server = Server::start(data.path(), &first);
    assert!(server.workspace(project).await.model.offered.is_empty());
    let answered = ask(&server, project, "Who?", None).await;
    assert_eq!(answered.content, "The first.");
}
