//! Improving a prompt before it is sent.

use codeflow::protocol::{ImprovedPrompt, WordChange};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{Model, NAMING, Reply, Server, data_dir};

const IMPROVE: &str = "/api/messages/improve";

#[tokio::test]
async fn a_prompt_is_improved_as_a_diff_and_nothing_is_sent_or_kept() {
    let better = "Sure!\n<prompt>Build a blue shop with a cart</prompt>";
    let model = Model::start([(NAMING, vec![Reply::Text(better)])]).await;
    let data = data_dir();
    let server = Server::start(data.path(), &model);
    let (status, improved) = server.post(IMPROVE, &[("text", " Build a shop ")]).await;
    assert_eq!(status, StatusCode::OK, "{improved}");
    let improved: ImprovedPrompt = serde_json::from_value(improved).unwrap();
    assert_eq!(improved.text, "Build a blue shop with a cart");
    let added = WordChange::Added("blue ".to_owned());
    assert!(improved.changes.contains(&added), "{improved:?}");
    let asked = model.requests();
    let [asked] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(asked["messages"][1]["content"], "Build a shop");
    let projects: Value = server.get("/api/projects/list").await.json().await.unwrap();
    assert_eq!(projects.as_array().map(Vec::len), Some(0));

    for (text, why) in [
        (" ", "Describe what you want"),
        (&*"x".repeat(10_001), "at most 10,000"),
    ] {
        let (status, refused) = server.post(IMPROVE, &[("text", text)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

#[tokio::test]
async fn a_model_that_fails_leaves_the_prompt_as_it_was_and_the_next_one_is_asked() {
    let down = Model::start([(NAMING, vec![Reply::Status(402, "empty")])]).await;
    let data = data_dir();
    let server = Server::start(data.path(), &down);
    let (status, refused) = server.post(IMPROVE, &[("text", "Build")]).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let said = refused.to_string();
    assert!(
        said.contains("empty") && said.contains("Your text is as it was"),
        "{said}"
    );
    drop(server);

    let spare = Model::start([(NAMING, vec![Reply::Text("Build a shop")])]).await;
    let ollama = spare.url.trim_end_matches("/v1").to_owned();
    let fallback = [
        ("AI_FALLBACK", "ollama:spare"),
        ("OLLAMA_BASE_URL", &*ollama),
    ];
    let server = Server::start_and(data.path(), &down, &fallback);
    let (status, improved) = server.post(IMPROVE, &[("text", "Build")]).await;
    assert_eq!(status, StatusCode::OK, "{improved}");
    assert_eq!(improved["text"], "Build a shop");
}
