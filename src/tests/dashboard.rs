//! The dashboard: lists of runs, a run's steps, and the replay of a failed run.

use codeflow::protocol::{ApiError, ErrorCode, ProjectId, RunId, RunPage, RunState, StepState};
use serde_json::json;

use crate::support::{Model, Reply, Server, data_dir, until};

async fn list(server: &Server, query: &str) -> RunPage {
    let answer = server.get(&format!("/api/runs/list?{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    answer.json().await.unwrap()
}

/// The prompts in a list.
async fn prompts(server: &Server, query: &str) -> Vec<String> {
    list(server, query)
        .await
        .runs
        .into_iter()
        .map(|run| run.prompt)
        .collect()
}

/// Replays a run; the status of the answer and its body.
async fn replay(server: &Server, run: &str) -> (u16, serde_json::Value) {
    let (status, body) = server.post("/api/runs/replay", &[("run", run)]).await;
    (status.as_u16(), body)
}

async fn last_run(server: &Server, project: ProjectId) -> RunId {
    server.workspace(project).await.runs.last().unwrap().id
}

/// A model that refuses everything: it has no script for the requests.
async fn broken_model() -> Model {
    Model::start([]).await
}

#[tokio::test]
async fn runs_are_listed_newest_first_by_state_and_by_what_their_title_prompt_and_ids_have_in_them()
{
    let data = data_dir();
    let model = Model::start([
        ("Count to 100% of it", vec![Reply::done()]),
        ("A shop for Übergrößen", vec![Reply::done().held()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    assert_eq!(list(&server, "").await.runs, []);
    let counting = server.create("Count to 100% of it").await;
    assert_eq!(
        server.feed(counting).await.ended(1).await.0,
        RunState::Succeeded
    );
    let refused = server.create("Count to 100 and beyond").await;
    assert_eq!(
        server.feed(refused).await.ended(1).await.0,
        RunState::Failed
    );
    let shop = server.create("A shop for Übergrößen").await;
    until("the shop is worked on", async || {
        (model.asked_for(1) == 3).then_some(())
    })
    .await;

    let all = list(&server, "").await;
    assert_eq!(all.next, None);
    let listed: Vec<_> = all
        .runs
        .iter()
        .map(|run| (run.run.project, run.run.state))
        .collect();
    assert_eq!(
        listed,
        [
            (shop, RunState::Running),
            (refused, RunState::Failed),
            (counting, RunState::Succeeded)
        ]
    );
    let [running, failed, succeeded] = all.runs.try_into().unwrap();
    assert_eq!(succeeded.user.0, "local");
    assert_eq!(succeeded.project_title, "Scripted app");
    assert!(succeeded.started_at.unwrap() >= succeeded.run.created_at);
    assert!(succeeded.run.finished_at.unwrap() >= succeeded.started_at.unwrap());
    assert_eq!(succeeded.error, None);
    assert!(failed.error.unwrap().contains("nothing is scripted"));
    assert_eq!(running.run.finished_at, None);

    assert_eq!(
        prompts(&server, "state=failed").await,
        ["Count to 100 and beyond"]
    );
    assert_eq!(prompts(&server, "state=cancelled").await, [""; 0]);
    assert_eq!(
        prompts(&server, "search=count").await,
        ["Count to 100 and beyond", "Count to 100% of it"]
    );
    assert_eq!(
        prompts(&server, "search=count&state=succeeded").await,
        ["Count to 100% of it"]
    );
    assert_eq!(
        prompts(&server, "search=SCRIPTED%20app").await,
        ["Count to 100% of it"]
    );
    for wildcard in ["100%25", "0%25%20of"] {
        assert_eq!(
            prompts(&server, &format!("search={wildcard}")).await,
            ["Count to 100% of it"]
        );
    }
    for nowhere in ["_", "C%25t", "!", "%5C", "'"] {
        assert_eq!(
            prompts(&server, &format!("search={nowhere}")).await,
            [""; 0],
            "{nowhere}"
        );
    }
    assert_eq!(
        prompts(&server, &format!("search={}", "x".repeat(20_000))).await,
        [""; 0]
    );
    assert_eq!(
        prompts(&server, "search=count%00&state=failed").await,
        ["Count to 100 and beyond"]
    );
    assert_eq!(
        prompts(&server, "search=%C3%BCbergr").await,
        ["A shop for Übergrößen"]
    );
    assert_eq!(
        prompts(&server, &format!("search={shop}")).await,
        ["A shop for Übergrößen"]
    );
    assert_eq!(
        prompts(&server, &format!("search={}", failed.run.id)).await,
        ["Count to 100 and beyond"]
    );
    model.release();
    server.feed(shop).await.ended(1).await;
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_neither_skip_nor_repeat_a_run() {
    let data = data_dir();
    let model = Model::start([("First", vec![Reply::done().held()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("First").await;
    for number in 2..=52 {
        server.send(project, &format!("Change {number}")).await;
    }
    server.send(project, &"ä".repeat(300)).await;
    let long = list(&server, "").await.runs.remove(0);
    assert_eq!(long.prompt, format!("{}…", "ä".repeat(240)));
    server
        .post("/api/runs/cancel", &[("run", &long.run.id.to_string())])
        .await;
    let first = list(&server, "search=change").await;
    assert_eq!(first.runs.len(), 50);
    assert_eq!(first.runs[0].prompt, "Change 52");
    assert_eq!(first.next, Some(first.runs[49].run.id));
    let second = list(&server, &format!("before={}", first.next.unwrap())).await;
    let rest: Vec<_> = second.runs.iter().map(|run| run.prompt.as_str()).collect();
    assert_eq!(rest, ["Change 2", "First"]);
    assert_eq!(second.next, None);
    let queued = list(
        &server,
        &format!("state=queued&before={}", first.next.unwrap()),
    )
    .await;
    assert_eq!(queued.runs.len(), 1);
}

#[tokio::test]
async fn a_runs_details_list_its_steps_with_attempts_outputs_and_errors() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Half</h1>"),
            Reply::Status(400, "the model's provider says no").held(),
        ],
    )])
    .await;
    let server = Server::process(data.path(), &model, &[]).await;
    let project = server.create("Build").await;
    until("the second turn is asked for", async || {
        (model.asked_for(2) == 1).then_some(())
    })
    .await;
    let run = last_run(&server, project).await;
    let at_work = server.details(run).await;
    assert_eq!(at_work.summary.run.state, RunState::Running);
    assert!(at_work.at >= at_work.summary.started_at.unwrap());
    let last = at_work.steps.last().unwrap();
    assert_eq!(
        (last.name.as_str(), last.state),
        ("turn-2", StepState::Running)
    );

    server.kill();
    let server = Server::start(data.path(), &model);
    until("the second turn is asked for again", async || {
        (model.asked_for(2) == 2).then_some(())
    })
    .await;
    model.release();
    assert_eq!(
        server.feed(project).await.ended(1).await.0,
        RunState::Failed
    );
    let failed = server.details(run).await;
    assert!(
        failed
            .summary
            .error
            .unwrap()
            .contains("the model's provider says no")
    );
    let output = |name: &str| {
        failed
            .steps
            .iter()
            .find(|step| step.name == name)
            .unwrap()
            .clone()
    };
    let names: Vec<_> = failed.steps.iter().map(|step| step.name.as_str()).collect();
    let turns: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("turn-"))
        .copied()
        .collect();
    assert_eq!(names[0], "get-or-create-sandbox");
    assert_eq!(turns, ["turn-1", "turn-1-createOrUpdateFiles-1", "turn-2"]);

    let written = output("turn-1-createOrUpdateFiles-1");
    assert_eq!((written.state, written.attempt), (StepState::Succeeded, 1));
    assert!(
        written.output.as_ref().unwrap().contains("index.html"),
        "{written:?}"
    );
    assert!(written.finished_at.unwrap() >= written.started_at);
    let refused = output("turn-2");
    assert_eq!((refused.state, refused.attempt), (StepState::Failed, 2));
    assert_eq!(refused.output, None);
    assert!(
        refused
            .error
            .unwrap()
            .contains("the model's provider says no")
    );
    assert_eq!(
        server
            .get("/api/runs/details?run=01a1fe8c-0228-71c3-9751-e449137d0f7a")
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn a_step_under_way_when_its_run_was_stopped_is_shown_as_interrupted() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![Reply::call("terminal", json!({ "command": "sleep 86398" }))],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    let run = last_run(&server, project).await;
    until("the command is at work", async || {
        let steps = server.details(run).await.steps;
        steps
            .iter()
            .any(|step| step.name == "turn-1-terminal-1")
            .then_some(())
    })
    .await;
    server
        .post("/api/runs/cancel", &[("run", &run.to_string())])
        .await;
    let stopped = server.details(run).await;
    assert_eq!(stopped.summary.run.state, RunState::Cancelled);
    assert_eq!(stopped.summary.error, None);
    assert_eq!(stopped.steps.last().unwrap().state, StepState::Interrupted);
}

#[tokio::test]
async fn a_failed_run_is_replayed_as_a_run_of_its_own_that_answers_the_same_message() {
    let data = data_dir();
    let server = Server::start(data.path(), &broken_model().await);
    let project = server.create("Build").await;
    assert_eq!(
        server.feed(project).await.ended(1).await.0,
        RunState::Failed
    );
    let failed = last_run(&server, project).await;
    server.stop();

    let model = Model::start([(
        "Build",
        vec![Reply::write("index.html", "<h1>Whole</h1>"), Reply::done()],
    )])
    .await;
    let server = Server::start(data.path(), &model);
    let (status, body) = replay(&server, &failed.to_string()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        server.feed(project).await.ended(2).await.0,
        RunState::Succeeded
    );
    let workspace = server.workspace(project).await;
    let runs: Vec<_> = workspace
        .runs
        .iter()
        .map(|run| (run.message, run.state))
        .collect();
    let prompt = workspace.messages[0].id;
    assert_eq!(
        runs,
        [(prompt, RunState::Failed), (prompt, RunState::Succeeded)]
    );
    assert_eq!(prompts(&server, "").await, ["Build", "Build"]);

    // One that succeeded is not.
    let succeeded = last_run(&server, project).await;
    let (status, body) = replay(&server, &succeeded.to_string()).await;
    let error: ApiError = serde_json::from_value(body).unwrap();
    assert_eq!((status, error.code), (409, ErrorCode::Conflict));
    assert!(error.message.contains("succeeded"), "{}", error.message);
    assert_eq!(server.workspace(project).await.runs.len(), 2);
    assert_eq!(
        replay(&server, "01a1fe8c-0228-71c3-9751-e449137d0f7a")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_running_run_is_not_replayed_but_a_stopped_one_is() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done().held()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Build").await;
    until("the model is asked", async || {
        (model.asked_for(1) == 1).then_some(())
    })
    .await;
    let run = last_run(&server, project).await.to_string();
    let (status, body) = replay(&server, &run).await;
    let error: ApiError = serde_json::from_value(body).unwrap();
    assert_eq!((status, error.code), (409, ErrorCode::Conflict));
    assert!(error.message.contains("has not ended"), "{}", error.message);

    server.post("/api/runs/cancel", &[("run", &run)]).await;
    assert_eq!(replay(&server, &run).await.0, 200);
    until("the model is asked again", async || {
        (model.asked_for(1) == 2).then_some(())
    })
    .await;
    model.release();
    assert_eq!(
        server.feed(project).await.ended(2).await.0,
        RunState::Succeeded
    );
}

#[tokio::test]
async fn the_cost_of_answers_is_listed_by_user() {
    let data = data_dir();
    let model = Model::start([
        ("First", vec![Reply::done()]),
        ("Second", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AI_MODEL", "gpt-4o")]);
    let usage = async || {
        server
            .get("/api/usage")
            .await
            .json::<serde_json::Value>()
            .await
            .unwrap()
    };
    assert_eq!(usage().await, json!([]));
    for prompt in ["First", "Second"] {
        let project = server.create(prompt).await;
        assert_eq!(
            server.feed(project).await.ended(1).await.0,
            RunState::Succeeded
        );
    }
    // Each run asked twice, for its turn and for a title: 7 tokens in and 3 out, at $2.50 and $10
    // for a million.
    let spent = json!({ "input_tokens": 28, "output_tokens": 12, "cost_micros": 4 * 48 });
    assert_eq!(
        usage().await,
        json!([{ "user": "local", "runs": 2, "spent": spent, "unpriced": false }])
    );
    server.stop();

    // What a model without a known price reads and writes is counted too, and said to be missing in
    // the cost.
    let model = Model::start([("Third", vec![Reply::done()])]).await;
    let server = Server::start(data.path(), &model);
    let project = server.create("Third").await;
    assert_eq!(
        server.feed(project).await.ended(1).await.0,
        RunState::Succeeded
    );
    let usage: serde_json::Value = server.get("/api/usage").await.json().await.unwrap();
    let spent = json!({ "input_tokens": 42, "output_tokens": 18, "cost_micros": 4 * 48 });
    assert_eq!(
        usage,
        json!([{ "user": "local", "runs": 3, "spent": spent, "unpriced": true }])
    );
}

#[tokio::test]
async fn a_run_says_how_much_of_what_was_read_came_from_the_providers_cache() {
    let data = data_dir();
    let answer = json!({
        "choices": [{ "delta": { "content": "An app." }, "finish_reason": "stop" }],
        "usage": {
            "prompt_tokens": 1000, "completion_tokens": 10,
            "prompt_tokens_details": { "cached_tokens": 750 },
        },
    });
    let lines = vec![format!("data: {answer}\n\n"), "data: [DONE]\n\n".to_owned()];
    let model = Model::start([("What is it?", vec![Reply::Raw(lines)])]).await;
    let server = Server::start(data.path(), &model);
    let form = [("prompt", "What is it?"), ("mode", "ask")];
    let (_, id) = server.post("/api/projects/create", &form).await;
    let project: ProjectId = serde_json::from_value(id).unwrap();
    server.feed(project).await.succeeded(1).await;
    let details = server.details(last_run(&server, project).await).await;
    let spent = details.summary.spent;
    assert_eq!((spent.input_tokens, spent.cached_tokens), (1000, 750));
    let turn = details.steps.iter().find(|step| step.name == "turn-1");
    assert_eq!(turn.unwrap().spent.cached_tokens, 750);
}
