//! Users' own model keys: stored encrypted, used only for their owner's messages, free of credits,
//! and never replaced by the server's key.

use codeflow::protocol::{
    ApiError, Credits, Message, ModelKey, ModelNotice, ModelProvider, ProjectId, Run, RunState,
    Workspace,
};
use reqwest::{Method, StatusCode};

use crate::accounts::PASSWORD;
use crate::administration::models::TEST;
use crate::own_account::found_in_database;
use crate::shares::Person;
use crate::support::{Model, Reply, Server, data_dir, until};
use crate::teams::join;

const KEY: &str = "sk-own-of-ada-0123456789-wxyz";
const OTHER: &str = "sk-own-of-eve-9876543210-abcd";
/// What a provider says that repeats it.
const REPEATED: &str = "Your key is sk-own-of-ada-0123456789-wxyz.";
const KEYS: &str = "/api/account/model-keys";
/// The model that a key of Anthropic's opens where the installation has none of it.
const CLAUDE: &str = "anthropic/claude-sonnet-5-5";

async fn keys(person: &Person<'_>) -> Vec<ModelKey> {
    person.get(KEYS).await
}

async fn set(person: &Person<'_>, provider: &str, key: &str) {
    let form = [("provider", provider), ("key", key)];
    let _: String = person.post(&format!("{KEYS}/set"), &form).await;
}

async fn remove(person: &Person<'_>, provider: &str) -> StatusCode {
    let path = format!("{KEYS}/remove");
    let form = [("provider", provider)];
    person.ask(Method::POST, &path, &form).await.status()
}

async fn credits(person: &Person<'_>) -> i64 {
    let credits: Option<Credits> = person.get("/api/account/credits").await;
    credits.unwrap().left
}

async fn workspace(person: &Person<'_>, project: ProjectId) -> Workspace {
    let path = format!("/api/projects/workspace?project={project}");
    person.get(&path).await
}

/// How the project's last run ended, and with which words.
async fn ended(person: &Person<'_>, project: ProjectId) -> (RunState, String) {
    until("the run ends", async || {
        let Workspace { runs, messages, .. } = workspace(person, project).await;
        let last = messages.into_iter().next_back();
        let words = last.map(|Message { content, .. }| content).unwrap();
        let all_ended = runs.iter().all(|run| run.state.is_final());
        all_ended.then(|| (runs.last().unwrap().state, words))
    })
    .await
}

/// Asks a question in a project of its own.
async fn begin(person: &Person<'_>, question: &str, model: &str) -> ProjectId {
    let form = [("prompt", question), ("mode", "ask"), ("model", model)];
    person.post("/api/projects/create", &form).await
}

/// Asks another question in the project.
async fn ask(
    person: &Person<'_>,
    project: ProjectId,
    question: &str,
    model: Option<&str>,
) -> Result<(RunState, String), ApiError> {
    let id = project.to_string();
    let mut form = vec![("project", &*id), ("text", question), ("mode", "ask")];
    form.extend(model.map(|model| ("model", model)));
    let sent = person.ask(Method::POST, "/api/messages/send", &form).await;
    if sent.status() != 200 {
        return Err(sent.json().await.unwrap());
    }
    Ok(ended(person, project).await)
}

fn offered(notice: &ModelNotice) -> Vec<(&str, bool)> {
    let offered = notice.offered.iter();
    offered
        .map(|model| (model.id.as_str(), model.own_key))
        .collect()
}

#[tokio::test]
async fn a_key_is_kept_encrypted_shown_by_its_end_and_gone_when_it_is_removed() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let eve = Person::sign_up(&server, "eve@example.com").await;
    assert!(keys(&ada).await.is_empty());
    for wrong in [
        "",
        "sk-short",
        "sk-own with spaces 0123456789",
        "sk-öwn-0123456789-0123456789",
    ] {
        let form = [("provider", "openai"), ("key", wrong)];
        let refused = ada.ask(Method::POST, &format!("{KEYS}/set"), &form).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
        let error: ApiError = refused.json().await.unwrap();
        assert_eq!(error.field.as_deref(), Some("key"));
        assert!(!error.message.contains("sk-"), "{}", error.message);
    }
    let form = [("provider", "ollama"), ("key", KEY)];
    let refused = ada.ask(Method::POST, &format!("{KEYS}/set"), &form).await;
    assert!(refused.status().is_client_error());

    set(&ada, "openai", &format!(" {OTHER} ")).await;
    set(&ada, "openai", KEY).await;
    let listed = keys(&ada).await;
    let [
        ModelKey {
            provider, ending, ..
        },
    ] = &listed[..]
    else {
        panic!("{listed:?}")
    };
    assert_eq!((*provider, &**ending), (ModelProvider::OpenAi, "wxyz"));
    assert!(keys(&eve).await.is_empty());
    assert_eq!(remove(&eve, "openai").await, StatusCode::NOT_FOUND);
    let (_, page) = ada.page("/settings").await;
    assert!(page.contains("Model keys") && page.contains("wxyz"));
    let export = ada.ask(Method::GET, "/api/account/export.zip", &[]).await;
    let export = std::io::Cursor::new(export.bytes().await.unwrap());
    let mut export = zip::ZipArchive::new(export).unwrap();
    let account = std::io::read_to_string(export.by_name("account.json").unwrap()).unwrap();
    let account: serde_json::Value = serde_json::from_str(&account).unwrap();
    assert_eq!(account["model_keys"], serde_json::json!(["openai"]));
    for text in [page, account.to_string(), server.log()] {
        assert!(!text.contains("sk-own"), "{text}");
    }
    assert!(server.log().contains("model key set"));
    assert!(found_in_database(&data, &["sk-own"]).await.is_empty());
    let noted = found_in_database(&data, &["set model key"]).await;
    assert_eq!(noted, ["audit_entries.action"]);

    assert_eq!(remove(&ada, "openai").await, StatusCode::OK);
    assert!(keys(&ada).await.is_empty());
    assert_eq!(remove(&ada, "openai").await, StatusCode::NOT_FOUND);
    // The account's end is its keys' end.
    set(&ada, "gemini", KEY).await;
    let with_ending = async || found_in_database(&data, &["wxyz"]).await;
    assert_eq!(with_ending().await, ["user_keys.ending"]);
    let () = ada
        .post("/api/account/delete", &[("current", PASSWORD)])
        .await;
    assert!(with_ending().await.is_empty());
}

#[tokio::test]
async fn what_is_answered_with_one_s_own_key_costs_no_credits_and_nobody_else_has_it() {
    let questions = ["Who?", "And now?", "Still?", "And I?"];
    let says = |words| questions.map(|question| (question, vec![Reply::Text(words)]));
    let house = Model::start(says("The house.")).await;
    let claude = Model::start(says("Ada's.")).await;
    let data = data_dir();
    let env = [
        ("AUTH", "on"),
        ("FREE_POINTS", "1"),
        ("ANTHROPIC_BASE_URL", &*claude.url),
    ];
    let server = Server::start_and(data.path(), &house, &env);
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let eve = Person::sign_up(&server, "eve@example.com").await;
    let notice: ModelNotice = ada.get("/api/model").await;
    assert!(offered(&notice).is_empty());
    set(&ada, "anthropic", KEY).await;
    let notice: ModelNotice = ada.get("/api/model").await;
    let both = [("custom/scripted", false), (CLAUDE, true)];
    assert_eq!((offered(&notice), notice.own_key), (both.to_vec(), false));
    let notice: ModelNotice = eve.get("/api/model").await;
    assert!(offered(&notice).is_empty());

    let project = begin(&ada, "Who?", CLAUDE).await;
    let done = |words: &str| (RunState::Succeeded, words.to_owned());
    assert_eq!(ended(&ada, project).await, done("Ada's."));
    assert_eq!(credits(&ada).await, 1);
    assert!(house.keys().is_empty());
    let answered = ask(&ada, project, "And now?", Some("auto")).await;
    assert_eq!(answered.unwrap(), done("The house."));
    assert_eq!(credits(&ada).await, 0);
    // Out of credits, and on with the key.
    let refused = ask(&ada, project, "Still?", Some("auto")).await;
    assert!(refused.unwrap_err().message.contains("credits"));
    let answered = ask(&ada, project, "Still?", Some(CLAUDE)).await;
    assert_eq!(answered.unwrap(), done("Ada's."));
    assert_eq!(credits(&ada).await, 0);
    assert!(!claude.keys().is_empty());
    assert!(claude.keys().iter().all(|key| key == KEY));

    // Who is in the project sends at their own cost, whatever it asked for last.
    join(&ada, project, "editor", &eve).await;
    let (asked, before) = (claude.keys().len(), credits(&eve).await);
    let refused = ask(&eve, project, "And I?", Some(CLAUDE)).await;
    assert_eq!(refused.unwrap_err().field.as_deref(), Some("model"));
    let answered = ask(&eve, project, "And I?", None).await;
    assert_eq!(answered.unwrap(), done("The house."));
    assert_eq!((credits(&eve).await, before), (0, 1));
    assert_eq!(claude.keys().len(), asked);
    assert!(house.keys().iter().all(|key| key == "test"));
}

#[tokio::test]
async fn a_key_that_is_refused_or_used_up_fails_the_run_and_no_other_provider_stands_in() {
    let replies = [
        ("Refused?", vec![Reply::Status(401, KEY)]),
        ("Empty?", vec![Reply::Status(402, "empty")]),
        ("Broken?", vec![Reply::Status(400, KEY)]),
        ("Repeated?", vec![Reply::Text(REPEATED)]),
    ];
    let openai = Model::start(replies).await;
    let house = ["Refused?", "Empty?", "Broken?"];
    let house = house.map(|question| (question, vec![Reply::Text("The house.")]));
    let other = Model::start(house).await;
    let ollama = other.url.trim_end_matches("/v1").to_owned();
    let env = [
        ("AUTH", "on"),
        ("AI_PROVIDER", "openai"),
        ("AI_FALLBACK", "ollama:other"),
        ("OLLAMA_BASE_URL", &*ollama),
    ];
    let data = data_dir();
    let server = Server::start_and(data.path(), &openai, &env);
    let ada = Person::sign_up(&server, "ada@example.com").await;
    set(&ada, "openai", KEY).await;
    let notice: ModelNotice = ada.get("/api/model").await;
    let both = [("openai/scripted", true), ("ollama/other", false)];
    assert_eq!((offered(&notice), notice.own_key), (both.to_vec(), true));
    let before = credits(&ada).await;
    for (question, why) in [
        (
            "Refused?",
            "Your OpenAI key was refused. Change it in Settings.",
        ),
        (
            "Empty?",
            "Your OpenAI account has no credit left. Top it up, or choose another model.",
        ),
        ("Broken?", "The model's provider refused the request: …"),
    ] {
        let project = begin(&ada, question, "auto").await;
        let (state, words) = ended(&ada, project).await;
        assert_eq!(state, RunState::Failed);
        assert!(words.starts_with(why), "{words}");
    }
    let project = begin(&ada, "Repeated?", "auto").await;
    let answered = (RunState::Succeeded, "Your key is ….".to_owned());
    assert_eq!(ended(&ada, project).await, answered);
    assert_eq!(credits(&ada).await, before);
    // The installation's key was never sent, nor was anything to its other provider.
    assert!(openai.keys().iter().all(|key| key == KEY));
    assert!(other.requests().is_empty());
    assert!(!server.log().contains("sk-own"), "{}", server.log());
    assert!(found_in_database(&data, &["sk-own"]).await.is_empty());

    // Without it the installation answers again, at the usual cost.
    assert_eq!(remove(&ada, "openai").await, StatusCode::OK);
    let project = begin(&ada, "Empty?", "auto").await;
    let answered = (RunState::Succeeded, "The house.".to_owned());
    assert_eq!(ended(&ada, project).await, answered);
    assert_eq!(credits(&ada).await, before - 1);
    assert_eq!(openai.keys().last().map(String::as_str), Some("test"));
}

#[tokio::test]
async fn a_run_resumes_with_the_key_it_was_begun_with_or_says_that_it_is_gone() {
    let questions = ["First?", "Second?"];
    let held = questions.map(|question| (question, vec![Reply::Text("Ada's.").held()]));
    let (house, claude) = (Model::start([]).await, Model::start(held).await);
    let env = [("AUTH", "on"), ("ANTHROPIC_BASE_URL", &*claude.url)];
    let data = data_dir();
    let server = Server::start_and(data.path(), &house, &env);
    let cookie = sign_up(&server, "ada@example.com").await;
    let ada = Person::of(&server, &cookie);
    set(&ada, "anthropic", KEY).await;
    let before = credits(&ada).await;
    let first = begin(&ada, "First?", CLAUDE).await;
    until("the key is used", async || {
        claude.keys().first().map(|_| ())
    })
    .await;
    server.stop();

    let server = Server::start_and(data.path(), &house, &env);
    let ada = Person::of(&server, &cookie);
    let answered = until("it is answered", async || {
        claude.release();
        let Workspace { runs, messages, .. } = workspace(&ada, first).await;
        let last = messages.into_iter().next_back().unwrap();
        runs[0].state.is_final().then_some(last.content)
    })
    .await;
    assert_eq!(answered, "Ada's.");
    assert!(claude.keys().iter().all(|key| key == KEY));

    let asked = claude.keys().len();
    let second = begin(&ada, "Second?", CLAUDE).await;
    until("the key is used", async || {
        (claude.keys().len() > asked).then_some(())
    })
    .await;
    assert_eq!(remove(&ada, "anthropic").await, StatusCode::OK);
    server.stop();
    let asked = claude.keys().len();
    let server = Server::start_and(data.path(), &house, &env);
    let ada = Person::of(&server, &cookie);
    let (state, words) = ended(&ada, second).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        words.starts_with("Your Anthropic key was removed before"),
        "{words}"
    );
    assert_eq!((credits(&ada).await, claude.keys().len()), (before, asked));
    assert!(house.requests().is_empty());

    // Run again, it is the installation's to answer, and is paid.
    let run = workspace(&ada, second).await.runs[0].id.to_string();
    let _: Run = ada.post("/api/runs/replay", &[("run", &run)]).await;
    let _ = ended(&ada, second).await;
    assert!(!house.requests().is_empty());
}

#[tokio::test]
async fn a_key_takes_the_demo_s_place_and_another_secret_key_of_the_server_opens_it_no_more() {
    let replies = [("Who?", vec![Reply::Text("Ada's.")])];
    let claude = Model::start(replies).await;
    let env = [
        ("AUTH", "on"),
        ("AI_PROVIDER", "demo"),
        ("ANTHROPIC_BASE_URL", &*claude.url),
    ];
    let data = data_dir();
    let server = Server::start_with(data.path(), &env);
    let cookie = sign_up(&server, "ada@example.com").await;
    let ada = Person::of(&server, &cookie);
    set(&ada, "anthropic", KEY).await;
    let notice: ModelNotice = ada.get("/api/model").await;
    assert_eq!((notice.demo, notice.own_key), (false, true));
    let (_, page) = ada.page("/").await;
    assert!(page.contains("Your own key: no credits."));
    let project: ProjectId = ada
        .post(
            "/api/projects/create",
            &[("prompt", "Who?"), ("mode", "ask")],
        )
        .await;
    let answered = (RunState::Succeeded, "Ada's.".to_owned());
    assert_eq!(ended(&ada, project).await, answered);
    server.stop();

    let secret = "0f".repeat(32);
    let lost = [&env[..], &[("CODEFLOW_SECRET_KEY", &*secret)]].concat();
    let server = Server::start_with(data.path(), &lost);
    let ada = Person::of(&server, &cookie);
    let (_, words) = ask(&ada, project, "Who?", None).await.unwrap();
    assert_eq!(
        words,
        "Your Anthropic key can't be read any more. Enter it again in Settings."
    );
    let form = [("provider", "anthropic")];
    let refused = ada.ask(Method::POST, &format!("{KEYS}/test"), &form).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let error: ApiError = refused.json().await.unwrap();
    assert_eq!(error.message, words);
}

#[tokio::test]
async fn a_key_is_tested_with_a_tool_call_and_what_the_provider_says_is_said() {
    let replies = vec![Reply::InTurn(vec![
        Reply::call("ready", serde_json::json!({})),
        Reply::Text("I am ready."),
        Reply::Status(401, KEY),
        Reply::Status(404, "no such model"),
    ])];
    let claude = Model::start([(TEST, replies)]).await;
    let env = [("AUTH", "on"), ("ANTHROPIC_BASE_URL", &*claude.url)];
    let (data, house) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &house, &env);
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let path = format!("{KEYS}/test");
    let form = [("provider", "anthropic")];
    let test = async || ada.ask(Method::POST, &path, &form).await;
    assert_eq!(test().await.status(), StatusCode::NOT_FOUND);
    set(&ada, "anthropic", KEY).await;
    let (_, page) = ada.page("/settings").await;
    assert!(page.contains("Test Anthropic key"), "{page}");
    let said: String = test().await.json().await.unwrap();
    assert!(said.starts_with("anthropic · claude"), "{said}");
    assert!(said.contains("called the tool after"), "{said}");
    for why in [
        "did not call the tool",
        "Your Anthropic key was refused. Change it in Settings.",
        "no such model (404). Choose another model",
    ] {
        let refused = test().await;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        let error: ApiError = refused.json().await.unwrap();
        assert!(error.message.contains(why), "{}", error.message);
        assert!(!error.message.contains("sk-own"), "{}", error.message);
    }
    assert!(claude.keys().iter().all(|key| key == KEY) && house.requests().is_empty());
    // It is limited, and costs no credits.
    assert_eq!(test().await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(claude.keys().len(), 4);
}

async fn sign_up(server: &Server, email: &str) -> String {
    let signed_up = crate::accounts::sign(server, "sign-up", email, PASSWORD).await;
    crate::accounts::cookie(&signed_up).unwrap()
}
