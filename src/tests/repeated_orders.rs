//! Requests repeated with the same `Idempotency-Key`, and requests that name a model.

use codeflow::protocol::{ApiError, Credits};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    accounts::{PASSWORD, cookie, sign},
    api_tokens::PROJECTS,
    orders::Program,
    shares::Person,
    support::{Model, Reply, Server, data_dir, http},
};

/// Sends the order with this key.
async fn order(program: &Program<'_>, path: &str, key: &str, body: &Value) -> Response {
    let request = http()
        .post(format!("{}{path}", program.server.url()))
        .bearer_auth(&program.token)
        .header("idempotency-key", key)
        .json(body);
    request.send().await.unwrap()
}

async fn ordered(response: Response) -> (String, String) {
    assert_eq!(response.status(), 200);
    let ordered: Value = response.json().await.unwrap();
    let text = |name: &str| ordered[name].as_str().unwrap().to_owned();
    (text("project"), text("run"))
}

fn builds() -> Vec<Reply> {
    vec![Reply::write("a.txt", "a"), Reply::done()]
}

#[tokio::test]
async fn an_order_that_is_sent_again_with_its_key_makes_nothing_more_and_costs_once() {
    let data = data_dir();
    let model = Model::start([("Build", builds()), ("More", builds())]).await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let ada = Program::of(&server, "ada@example.com").await;
    let eve = Program::of(&server, "eve@example.com").await;
    let session = sign(&server, "sign-in", "ada@example.com", PASSWORD).await;
    let page = Person::of(&server, &cookie(&session).unwrap());
    let credits = async || -> i64 {
        let credits: Option<Credits> = page.get("/api/account/credits").await;
        credits.unwrap().left
    };
    let before = credits().await;
    let (build, more) = (json!({ "prompt": "Build" }), json!({ "text": "More" }));
    let all = (0..6).map(|_| order(&ada, PROJECTS, "first", &build));
    let mut made = Vec::new();
    for response in futures::future::join_all(all).await {
        made.push(ordered(response).await);
    }
    made.dedup();
    let [(project, run)] = &made[..] else {
        panic!("{made:?}")
    };
    let messages = format!("{PROJECTS}/{project}/messages");
    let sent = ordered(order(&ada, &messages, "second", &more).await).await;
    assert!(sent.0 == *project && sent.1 != *run, "{sent:?}");
    assert_eq!(
        ordered(order(&ada, &messages, "second", &more).await).await,
        sent
    );
    assert_eq!(before - credits().await, 2);

    // The key is that order's alone, and somebody else's is another.
    for (path, key, body) in [
        (PROJECTS, "first", json!({ "prompt": "Something else" })),
        (
            PROJECTS,
            "first",
            json!({ "prompt": "Build", "mode": "ask" }),
        ),
        (&*messages, "second", json!({ "text": "Less" })),
    ] {
        let refused = order(&ada, path, key, &body).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{body}");
        let error: ApiError = refused.json().await.unwrap();
        assert!(
            error.message.contains("with a new key"),
            "{}",
            error.message
        );
    }
    let own = ordered(order(&eve, PROJECTS, "first", &build).await).await;
    assert_ne!(own.0, *project);
    for wrong in [" ", &"k".repeat(256)] {
        let refused = order(&ada, PROJECTS, wrong, &build).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
    // As the page orders.
    let request = http()
        .request(
            Method::POST,
            format!("{}/api/projects/create", server.url()),
        )
        .header("accept", "application/json")
        .header("cookie", &page.cookie)
        .header("idempotency-key", "first")
        .form(&[("prompt", "Build")]);
    let again: String = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(again, *project);
    assert_eq!(before - credits().await, 2);
}

#[tokio::test]
async fn an_order_names_one_of_the_models_that_are_offered() {
    let data = data_dir();
    let model = Model::start([("Who?", vec![Reply::Text("The spare.")])]).await;
    let server = Server::start_and(data.path(), &model, &[("AI_FALLBACK", "custom:spare")]);
    let local = Program {
        server: &server,
        token: String::new(),
    };
    let asked = |model: &str| json!({ "prompt": "Who?", "mode": "ask", "model": model });
    let made = local
        .ask(Method::POST, PROJECTS, Some(asked("custom/spare")))
        .await;
    let (project, _) = ordered(made).await;
    let path = format!("{PROJECTS}/{project}/wait?timeout=120");
    let report = local.ask(Method::GET, &path, None).await;
    let report: Value = report.json().await.unwrap();
    assert_eq!(report["message"]["content"], "The spare.", "{report}");
    let requests = model.requests();
    assert!(
        requests.iter().any(|request| request["model"] == "spare"),
        "{requests:?}"
    );
    let refused = local
        .ask(Method::POST, PROJECTS, Some(asked("custom/other")))
        .await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let error: ApiError = refused.json().await.unwrap();
    assert!(error.message.contains("custom/spare"), "{}", error.message);
}
