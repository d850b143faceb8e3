//! Credits on the real server: answers to requests that can't be paid, refunds of runs without a
//! result, and what a plan grants.

use codeflow::protocol::{
    ApiError, CreditEntry, CreditReason, Credits, ErrorCode, ProjectId, RunState,
};
use reqwest::{Response, StatusCode};

use crate::accounts::command;
use crate::support::{Model, Reply, Server, data_dir, http, until};

const PASSWORD: &str = "seven uncommon lanterns";

async fn post(server: &Server, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
    let request = http()
        .post(format!("{}{path}", server.url()))
        .header("accept", "application/json")
        .header("cookie", cookie)
        .form(form);
    request.send().await.unwrap()
}

async fn get(server: &Server, path: &str, cookie: &str) -> Response {
    let request = http()
        .get(format!("{}{path}", server.url()))
        .header("accept", "text/html")
        .header("cookie", cookie);
    request.send().await.unwrap()
}

async fn sign_up(server: &Server) -> String {
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let response = post(server, "/api/account/sign-up", "", &form).await;
    let set = response.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn credits(server: &Server, cookie: &str) -> Option<Credits> {
    let found = get(server, "/api/account/credits", cookie).await;
    found.json().await.unwrap()
}

/// A paid run, for as long as it is held.
fn model() -> impl Future<Output = Model> {
    Model::start([("Build", vec![Reply::done().held()])])
}

/// Asserts that the request was refused for lack of credits.
async fn refused(response: Response) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let days = 24 * 3600;
    assert!((29 * days..=30 * days + 1).contains(&wait), "{wait}");
    let error: ApiError = response.json().await.unwrap();
    assert_eq!(error.code, ErrorCode::OutOfCredits);
    let text = error.message;
    assert!(
        text.contains("credits") && text.contains("next refill"),
        "{text}"
    );
}

#[tokio::test]
async fn requests_at_once_are_served_as_far_as_they_are_paid_and_a_stopped_run_returns_its_credit()
{
    let (data, model) = (data_dir(), model().await);
    let env = [("AUTH", "on"), ("FREE_POINTS", "2")];
    let server = Server::start_and(data.path(), &model, &env);
    let cookie = sign_up(&server).await;
    let form = [("prompt", "Build")];
    let all = (0..10).map(|_| post(&server, "/api/projects/create", &cookie, &form));
    let mut served: Vec<ProjectId> = Vec::new();
    for response in futures::future::join_all(all).await {
        match response.status() {
            StatusCode::OK => served.push(response.json().await.unwrap()),
            _ => refused(response).await,
        }
    }
    assert_eq!(served.len(), 2);
    assert_eq!(credits(&server, &cookie).await.unwrap().left, 0);
    let page = get(&server, "/", &cookie).await.text().await.unwrap();
    assert!(page.contains("data-credits=\"0\""));
    assert!(page.contains("Out of credits until"), "{page}");
    // The refused request left no project behind.
    let projects = get(&server, "/api/projects/list", &cookie).await;
    let projects: Vec<serde_json::Value> = projects.json().await.unwrap();
    assert_eq!(projects.len(), 2);

    // A message in the workspace is refused as well, and leaves nothing behind.
    let project = served[0].to_string();
    let form = [("project", &*project), ("text", "More")];
    refused(post(&server, "/api/messages/send", &cookie, &form).await).await;
    let path = format!("/api/projects/workspace?project={project}");
    let workspace = async || -> codeflow::protocol::Workspace {
        get(&server, &path, &cookie).await.json().await.unwrap()
    };
    let found = workspace().await;
    assert_eq!((found.messages.len(), found.runs.len()), (1, 1));
    let page = get(&server, &format!("/projects/{project}"), &cookie).await;
    assert!(page.text().await.unwrap().contains("data-credits=\"0\""));

    let run = found.runs[0].id.to_string();
    for _ in 0..2 {
        post(&server, "/api/runs/cancel", &cookie, &[("run", &run)]).await;
    }
    until("the run has stopped", async || {
        (workspace().await.runs[0].state == RunState::Cancelled).then_some(())
    })
    .await;
    assert_eq!(credits(&server, &cookie).await.unwrap().left, 1);
    // Doing it again is paid again.
    let replayed = post(&server, "/api/runs/replay", &cookie, &[("run", &run)]).await;
    assert_eq!(replayed.status(), StatusCode::OK);
    assert_eq!(credits(&server, &cookie).await.unwrap().left, 0);

    assert_eq!(
        command(&data, &["set-plan", "ada@example.com", "pro"]),
        "ada@example.com has the plan pro"
    );
    // The command has the usual plans: 95 credits more.
    assert_eq!(credits(&server, &cookie).await.unwrap().left, 95);
    let form = [("project", &*project), ("text", "More")];
    let sent = post(&server, "/api/messages/send", &cookie, &form).await;
    assert_eq!(sent.status(), StatusCode::OK);
    let entries = get(&server, "/api/account/credits/entries", &cookie).await;
    let entries: Vec<CreditEntry> = entries.json().await.unwrap();
    let entries: Vec<_> = entries.iter().map(|one| (one.reason, one.amount)).collect();
    assert_eq!(
        entries,
        [
            (CreditReason::Run, -1),
            (CreditReason::Plan, 95),
            (CreditReason::Run, -1),
            (CreditReason::Refund, 1),
            (CreditReason::Run, -1),
            (CreditReason::Run, -1),
            (CreditReason::Refill, 2),
        ]
    );
    server.stop();
}

#[tokio::test]
async fn who_is_alone_counts_nothing_unless_that_is_asked_for() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start(data.path(), &model);
    assert_eq!(credits(&server, "").await, None);
    let page = get(&server, "/", "").await.text().await.unwrap();
    assert!(!page.contains("data-credits"));
    server.stop();

    let server = Server::start_and(data.path(), &model, &[("FREE_POINTS", "1")]);
    let page = get(&server, "/", "").await.text().await.unwrap();
    assert!(page.contains("data-credits=\"1\""));
    server.create("Build").await;
    refused(post(&server, "/api/projects/create", "", &[("prompt", "Build")]).await).await;
    assert_eq!(credits(&server, "").await.unwrap().left, 0);
    server.stop();

    let env = [("FREE_POINTS", "unlimited"), ("AUTH", "on")];
    let server = Server::start_and(data.path(), &model, &env);
    let cookie = sign_up(&server).await;
    assert_eq!(credits(&server, &cookie).await, None);
    server.stop();
}

#[tokio::test]
async fn prompts_are_limited_by_account_before_they_are_read_and_others_are_not_concerned() {
    let (data, model) = (data_dir(), model().await);
    let env = [("AUTH", "on"), ("FREE_POINTS", "unlimited")];
    let server = Server::start_and(data.path(), &model, &env);
    let cookie = sign_up(&server).await;
    let nowhere = ProjectId::new().to_string();
    let form = [("project", &*nowhere), ("text", "More")];
    let mut served = 0;
    let limited = loop {
        let response = post(&server, "/api/messages/send", &cookie, &form).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            break response;
        }
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        served += 1;
        assert!(served < 2000);
    };
    assert!(served >= 200);
    let wait = limited.headers()["retry-after"].to_str().unwrap();
    assert!((1..=2).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    let error: ApiError = limited.json().await.unwrap();
    assert_eq!(error.code, ErrorCode::TooMany);
    // Requests that start no run don't count, and neither do another user's.
    assert_eq!(get(&server, "/", &cookie).await.status(), StatusCode::OK);
    let form = [("email", "bob@example.com"), ("password", PASSWORD)];
    let signed_up = post(&server, "/api/account/sign-up", "", &form).await;
    let set = signed_up.headers()["set-cookie"].to_str().unwrap();
    let bob = set.split(';').next().unwrap();
    let form = [("project", &*nowhere), ("text", "More")];
    let sent = post(&server, "/api/messages/send", bob, &form).await;
    assert_eq!(sent.status(), StatusCode::NOT_FOUND);
    server.stop();
}
