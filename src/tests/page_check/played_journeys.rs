//! Journeys outside of the run that passed them: the pictures that its result has, and those that
//! somebody has played again, in the app as it is.

use codeflow::protocol::{PassedJourney, PlayedJourney, ProjectId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{browser_env, browser_folder, no_browser_is_left, processes_in};
use crate::{
    shares::Person,
    support::{Model, Reply, Server, data_dir, http, until},
};

const PLAY: &str = "/api/journeys/play";
const PAGE: &str = r#"<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>
<button onclick="this.nextElementSibling.textContent = 'In the cart: 1'">Buy</button><p></p>"#;

/// A journey with these steps after its opening, as a file of this name.
fn journey(name: &str, steps: &[Value]) -> Value {
    let mut all = vec![json!({ "open": "/" })];
    all.extend_from_slice(steps);
    let content = json!({ "title": name, "steps": all }).to_string();
    json!({ "path": format!("tests/journeys/{name}.json"), "content": content })
}

async fn played(server: &Server, project: ProjectId, name: &str) -> PlayedJourney {
    let (status, answer) = play(server, project, name).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value(answer).unwrap()
}

async fn play(server: &Server, project: ProjectId, name: &str) -> (StatusCode, Value) {
    let file = format!("tests/journeys/{name}.json");
    let form = [("project", &*project.to_string()), ("file", &file)];
    server.post(PLAY, &form).await
}

#[tokio::test]
async fn a_result_has_pictures_of_its_journeys_ends_and_each_is_played_again_when_asked_for() {
    let buy = [
        json!({ "click": "Buy" }),
        json!({ "see": "In the cart: 1" }),
    ];
    let mut files: Vec<Value> = (1..=6)
        .map(|number| journey(&format!("buy-{number}"), &buy))
        .collect();
    files.push(json!({ "path": "index.html", "content": PAGE }));
    let (data, folder) = (data_dir(), browser_folder());
    let write = Reply::call("createOrUpdateFiles", json!({ "files": files }));
    let model = Model::start([
        ("Build", vec![write, Reply::done()]),
        ("More", vec![Reply::done().held(), Reply::done()]),
    ])
    .await;
    let server = Server::process(data.path(), &model, &browser_env(&folder)).await;
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;

    // All are named, and the first five have a picture, for whoever opens the project later too.
    let message = feed.succeeded(1).await;
    let later = server.workspace(project).await.messages;
    assert_eq!(later.last().unwrap().journeys, message.journeys);
    let titles: Vec<&str> = message.journeys.iter().map(|one| &*one.title).collect();
    assert_eq!(
        titles,
        ["buy-1", "buy-2", "buy-3", "buy-4", "buy-5", "buy-6"]
    );
    // The text names them too, but not the page's rendering of it, which has them beside it.
    let last = later.last().unwrap();
    assert!(message.content.contains("passed:\n\n- buy-1\n- buy-2"));
    for html in [&message.html, &last.html] {
        assert!(
            html.contains("what you asked for") && !html.contains("buy-1"),
            "{html}"
        );
        assert!(!html.contains("Played in a browser"), "{html}");
    }
    let pictures = |one: &PassedJourney| one.picture.clone();
    let pictures: Vec<_> = message.journeys.iter().filter_map(pictures).collect();
    assert_eq!(pictures.len(), 5);
    let picture = server.get(&format!("/api/pictures/{}", pictures[0])).await;
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    let picture = picture.bytes().await.unwrap();
    let size = image::load_from_memory(&picture).unwrap();
    assert_eq!((size.width(), size.height()), (640, 400));
    assert!(picture.len() <= 100_000);

    // As the app and the file are now.
    let passed = played(&server, project, "buy-1").await;
    assert_eq!((&*passed.title, &passed.failure), ("buy-1", &None));
    let shown = passed.picture.unwrap();
    assert!(
        shown.starts_with("data:image/jpeg;base64,/9j/"),
        "{shown:.40}"
    );
    for (name, content, why) in [
        (
            "rent",
            r#"[{ "open": "/" }, { "click": "Rent", "role": "button" }, { "see": "Rented" }]"#,
            "Step 2 of 3, click the button “Rent”: there is no button named “Rent”. The page has \
             these: \"Buy\".",
        ),
        ("odd", "{", "tests/journeys/odd.json is not JSON"),
    ] {
        let path = format!("tests/journeys/{name}.json");
        let form = [
            ("project", &*project.to_string()),
            ("path", &path),
            ("content", content),
        ];
        let (status, answer) = server.post("/api/files/write", &form).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let failed = played(&server, project, name).await;
        let failure = failed.failure.unwrap();
        assert!(failure.starts_with(why), "{failure}");
        assert_eq!(failed.picture.is_some(), name == "rent");
    }
    let (status, refused) = play(&server, project, "none").await;
    assert_eq!(status, StatusCode::CONFLICT);
    let why = refused["message"].as_str().unwrap();
    assert!(why.starts_with("There is no such journey"), "{why}");

    // Who goes away takes the browser along.
    let form = [
        ("project", project.to_string()),
        ("file", "tests/journeys/rent.json".to_owned()),
    ];
    let request = http().post(format!("{}{PLAY}", server.url())).form(&form);
    let playing = tokio::spawn(request.send());
    until("the browser plays", async || {
        (processes_in(folder.path()) > 0).then_some(())
    })
    .await;
    playing.abort();
    no_browser_is_left(&folder).await;

    // Nothing is played while a run works.
    server.send(project, "More").await;
    until("the model is asked", async || {
        (!model.turns_of("More").is_empty()).then_some(())
    })
    .await;
    let (status, refused) = play(&server, project, "buy-1").await;
    assert_eq!(status, StatusCode::CONFLICT);
    let why = refused["message"].as_str().unwrap();
    assert!(why.starts_with("A run is at work"), "{why}");
    model.release();
    let failed = feed.failed(2).await;
    assert!(failed.content.contains("odd.json"), "{}", failed.content);
    assert!(failed.journeys.is_empty());
    no_browser_is_left(&folder).await;
}

#[tokio::test]
async fn so_many_journeys_are_played_for_an_account_at_once_and_no_more() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let ada = Person::sign_up(&server, "ada@example.com").await;
    let nowhere = ProjectId::new().to_string();
    let form = [("project", &*nowhere), ("file", "tests/journeys/a.json")];
    let mut served = 0;
    loop {
        let status = ada.ask(Method::POST, PLAY, &form).await.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert_eq!(status, StatusCode::NOT_FOUND);
        served += 1;
        assert!(served < 400);
    }
    assert!(served >= 40, "{served}");
    server.stop();
}
