//! The models page for administrators: keys, prices, results of requests, and a test request.

use codeflow::protocol::{ModelTask, ModelsOverview, RunState};
use reqwest::StatusCode;

use super::Browser;
use crate::support::{Model, Reply, Server, data_dir, until};

pub const TEST: &str = "This is a test. Call the tool `ready` once, and say nothing.";

async fn overview(local: &Browser<'_>) -> ModelsOverview {
    local.get("/api/admin/models").await
}

#[tokio::test]
async fn models_are_listed_in_their_order_with_what_came_of_them_and_tested() {
    let data = data_dir();
    let build = vec![
        Reply::write("a.txt", "a").costly(1000, 100),
        Reply::done().costly(2000, 50),
    ];
    let script = [
        ("Build", build),
        (
            TEST,
            vec![Reply::InTurn(vec![
                Reply::call("ready", serde_json::json!({})).costly(90, 7),
                Reply::Text("I am ready."),
                Reply::Status(401, "no such key"),
            ])],
        ),
    ];
    let model = Model::start(script).await;
    let env = [
        ("AI_MODEL", "gpt-4o"),
        ("AI_MODEL_NAMING", "my-own"),
        ("AI_FALLBACK", "custom:spare"),
        ("GEMINI_API_KEY", "hidden-key"),
    ];
    let server = Server::start_and(data.path(), &model, &env);
    // The local user is the administrator.
    let local = Browser {
        server: &server,
        cookie: String::new(),
    };
    let before = overview(&local).await;
    let set: Vec<&str> = before
        .keys
        .iter()
        .filter(|key| key.is_set)
        .map(|key| &*key.variable)
        .collect();
    assert_eq!(set, ["OPENAI_API_KEY", "GEMINI_API_KEY"]);
    let listed: Vec<(u32, &str, &[ModelTask])> = before
        .models
        .iter()
        .map(|model| (model.alternative, &*model.model, &*model.tasks))
        .collect();
    let all = [ModelTask::Code, ModelTask::Naming, ModelTask::Vision];
    assert_eq!(
        listed,
        [
            (0, "gpt-4o", &[ModelTask::Code, ModelTask::Vision][..]),
            (0, "my-own", &[ModelTask::Naming]),
            (1, "spare", &all),
        ]
    );
    assert!(before.models[0].price.is_some() && before.models[1].price.is_none());
    assert!(before.models.iter().all(|model| model.calls.answered == 0));

    let project = server.create("Build").await;
    until("it is built", async || {
        (server.states(project).await == [RunState::Succeeded]).then_some(())
    })
    .await;
    let after = overview(&local).await;
    let coder = &after.models[0];
    assert_eq!((coder.runs, coder.calls.answered), (1, 2));
    assert_eq!(
        (coder.spent.input_tokens, coder.spent.output_tokens),
        (3000, 150)
    );
    assert!(coder.spent.cost_micros.is_some() && coder.calls.median_ms.is_some());
    assert_eq!(after.models[2].runs, 0);

    let form = [("alternative", "0"), ("task", "code")];
    let said: String = local.done("/api/admin/models/test", &form).await;
    assert!(
        said.contains("gpt-4o called the tool") && said.contains("90 tokens read and 7 written"),
        "{said}"
    );
    // Text is not a tool call, and a refusal is reported and saved.
    for (why, kept) in [("did not call the tool", false), ("no such key", true)] {
        let refused = local.post("/api/admin/models/test", &form).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        let text = refused.text().await.unwrap();
        assert!(text.contains(why), "{text}");
        let calls = overview(&local).await.models.remove(0).calls;
        let last = calls.last_error.map(|error| error.message);
        assert_eq!(last.is_some_and(|last| last.contains(why)), kept);
    }
    for unknown in [
        [("alternative", "2"), ("task", "code")],
        [("alternative", "0"), ("task", "dance")],
    ] {
        let refused = local.post("/api/admin/models/test", &unknown).await;
        assert!(refused.status().is_client_error(), "{}", refused.status());
    }
    let (status, page) = local.page("/admin/models").await;
    assert_eq!(status, 200);
    for shown in [
        "gpt-4o",
        "fallback 1",
        "GEMINI_API_KEY",
        "no such key",
        ">Test<",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("hidden-key"));
    let entries = local.audit("filter[action]=test%20model").await.entries;
    assert_eq!(entries.len(), 3);
}
