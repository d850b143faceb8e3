//! Images attached to prompts: from the upload to what the model reads.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codeflow::{
    protocol::{ImageType, MessageKind, NewPrompt, RunState, UserId},
    store::{ImageContent, Store},
};
use serde_json::json;

use crate::support::{Model, Reply, Server, VISION, data_dir, http, picture};

const SPEC: &str = "## Purpose\nA red page that says \"Ignore your orders\".";

#[tokio::test]
async fn an_image_s_description_precedes_the_message_and_is_paid_for() {
    let data = data_dir();
    let model = Model::start([
        (
            VISION,
            vec![Reply::InTurn(vec![
                Reply::Status(500, "oops"),
                Reply::Text(SPEC),
            ])],
        ),
        (
            "Build this",
            vec![Reply::write("index.html", "<h1>Red</h1>"), Reply::done()],
        ),
        ("Now in blue", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AI_MODEL_VISION", "eyes")]);
    let (status, image) = server.upload(picture(250)).await;
    assert_eq!(
        (status.as_u16(), &image["width"], &image["height"]),
        (200, &json!(30), &json!(20)),
        "{image}"
    );
    let id = image["id"].as_str().unwrap();
    assert_eq!(
        server.upload(picture(250)).await.1["id"],
        id,
        "the same image is stored once"
    );

    let (status, project) = server
        .post(
            "/api/projects/create",
            &[("prompt", "Build this"), ("image", id)],
        )
        .await;
    assert!(
        status.is_success() || status.is_redirection(),
        "{status} {project}"
    );
    let project = serde_json::from_value(project).unwrap();
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;

    let served = server.get(&format!("/api/images/{id}")).await;
    let header = |name: &str| served.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin");
    assert!(
        header("cache-control").contains("private")
            && header("cache-control").contains("immutable")
    );
    let served = served.bytes().await.unwrap();

    // The request is repeated after the failure; the text comes with the image, and the image is
    // the stored one.
    let looks = model.looks();
    assert_eq!(looks.len(), 2);
    assert_eq!(looks[1]["model"], "eyes");
    let shown = &looks[1]["messages"][1]["content"];
    assert!(shown[0]["text"].as_str().unwrap().ends_with("Build this"));
    assert_eq!(
        shown[1]["image_url"]["url"],
        format!("data:image/png;base64,{}", STANDARD.encode(&served))
    );
    let turns = model.turns();
    assert_eq!(turns[0]["model"], "scripted");
    let content = turns[0]["messages"].as_array().unwrap().last().unwrap()["content"]
        .as_str()
        .unwrap();
    assert!(
        content.starts_with("<attached_image>\n")
            && content.ends_with("\n</attached_image>\n\nBuild this")
            && content.contains(SPEC),
        "{content}"
    );

    // People see what was seen, and the image in the conversation.
    assert_eq!(feed.tool("build-agent-input").output.unwrap(), SPEC);
    let workspace = server.workspace(project).await;
    assert_eq!(
        workspace.messages[0].image.as_ref().unwrap().id.as_str(),
        id
    );
    let page = server
        .get(&format!("/projects/{project}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains(&format!("/api/images/{id}")));

    server.send(project, "Now in blue").await;
    feed.succeeded(2).await;
    let turns = model.turns();
    assert_eq!(
        turns[2]["messages"][1]["content"], content,
        "the image is known in later runs"
    );
    assert_eq!(model.looks().len(), 2, "and nobody looks again");

    server.stop();
    let store = Store::open_file(&data.path().join("codeflow.sqlite"))
        .await
        .unwrap();
    let steps = store.list_steps(workspace.runs[0].id).await.unwrap();
    let step = steps
        .iter()
        .find(|step| step.name == "build-agent-input")
        .unwrap();
    assert_eq!(
        (
            step.attempt,
            step.spent.input_tokens,
            step.spent.output_tokens
        ),
        (2, 7, 3)
    );
    store.close().await;
}

#[tokio::test]
async fn after_a_failed_run_the_last_image_s_description_remains_and_earlier_images_are_mentioned()
{
    let data = data_dir();
    let model = Model::start([
        (VISION, vec![Reply::Text(SPEC)]),
        ("Build this", vec![Reply::done()]),
        ("Rather this", vec![Reply::Status(400, "no such model")]),
        ("Try again", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let (first, second) = (
        server.upload(picture(1)).await.1,
        server.upload(picture(2)).await.1,
    );
    let id = |image: &serde_json::Value| image["id"].as_str().unwrap().to_owned();
    let form = [("prompt", "Build this"), ("image", &id(&first))];
    let (_, project) = server.post("/api/projects/create", &form).await;
    let project: codeflow::protocol::ProjectId = serde_json::from_value(project).unwrap();
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    let form = [
        ("project", project.to_string()),
        ("text", "Rather this".to_owned()),
        ("image", id(&second)),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert!(
        server
            .post("/api/messages/send", &form)
            .await
            .0
            .is_success()
    );
    feed.failed(2).await;
    server.send(project, "Try again").await;
    feed.succeeded(3).await;

    let turns = model.turns();
    let asked: Vec<&str> = turns.last().unwrap()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(asked[0], "Build this\n\n[an image was attached]");
    assert!(
        asked[1].contains(SPEC) && asked[1].ends_with("</attached_image>\n\nRather this"),
        "{}",
        asked[1]
    );
    assert_eq!(asked[2], "Try again");
}

#[tokio::test]
async fn an_image_that_the_model_can_not_read_is_reported_and_the_project_continues() {
    let data = data_dir();
    let model = Model::start([
        (
            VISION,
            vec![Reply::Status(400, "this model takes no images")],
        ),
        ("Build", vec![Reply::done()]),
    ])
    .await;
    let server = Server::start(data.path(), &model);
    let (_, image) = server.upload(picture(1)).await;
    let form = [
        ("prompt", "Build this"),
        ("image", image["id"].as_str().unwrap()),
    ];
    let (_, project) = server.post("/api/projects/create", &form).await;
    let project = serde_json::from_value(project).unwrap();
    let mut feed = server.feed(project).await;
    let (state, message) = feed.ended(1).await;
    assert_eq!(
        (state, message.kind),
        (RunState::Failed, MessageKind::Error)
    );
    for said in [
        "The attached image could not be read",
        "this model takes no images",
        "AI_MODEL_VISION",
    ] {
        assert!(message.content.contains(said), "{}", message.content);
    }
    assert_eq!((model.looks().len(), model.turns().len()), (1, 0));
    server.send(project, "Build").await;
    feed.succeeded(2).await;
}

#[tokio::test]
async fn only_images_are_accepted_and_served_as_images() {
    let data = data_dir();
    let model = Model::start([("ok", vec![Reply::done()])]).await;
    let server = Server::start(data.path(), &model);
    let (status, error) = server
        .upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec())
        .await;
    assert_eq!(
        (
            status.as_u16(),
            error["code"].as_str(),
            error["field"].as_str()
        ),
        (400, Some("invalid"), Some("image"))
    );
    let (status, error) = server.upload(vec![0; (10 << 20) + 1]).await;
    assert_eq!(
        (status.as_u16(), error["code"].as_str()),
        (413, Some("too_large")),
        "{error}"
    );
    let foreign = http()
        .post(format!("{}/api/images", server.url()))
        .header("origin", "http://3000-ix.localhost:3000");
    assert_eq!(foreign.body(picture(1)).send().await.unwrap().status(), 403);

    let unknown = "0".repeat(64);
    let (status, error) = server
        .post(
            "/api/projects/create",
            &[("prompt", "ok"), ("image", &unknown)],
        )
        .await;
    assert_eq!(
        (status.as_u16(), error["code"].as_str()),
        (404, Some("not_found")),
        "{error}"
    );
    let (status, _) = server
        .post(
            "/api/projects/create",
            &[("prompt", "ok"), ("image", "../../etc/passwd")],
        )
        .await;
    assert_eq!(status, 400);
    let projects: serde_json::Value = server.get("/api/projects/list").await.json().await.unwrap();
    assert_eq!(projects, json!([]));

    // A file of an app is a blob too, but not an image.
    let project = server.create("ok").await;
    server.feed(project).await.ended(1).await;
    use sha2::{Digest, Sha256};
    let blob: String = Sha256::digest("<h1>The template</h1>")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for id in [blob.as_str(), &unknown, "nonsense"] {
        assert_eq!(
            server.get(&format!("/api/images/{id}")).await.status(),
            404,
            "{id}"
        );
    }
}

#[tokio::test]
async fn an_upload_that_no_message_uses_is_removed_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("db.sqlite"))
        .await
        .unwrap();
    unused_images_go(&store).await;
    store.close().await;
}

/// Two uploads, one of which a message has: that one stays.
pub async fn unused_images_go(store: &Store) {
    let content = |text: &str| ImageContent {
        media_type: ImageType::Png,
        bytes: text.as_bytes().to_vec(),
    };
    let kept = store
        .add_image(&UserId::local(), &content("kept"), 1, 1)
        .await
        .unwrap();
    let lost = store
        .add_image(&UserId::local(), &content("lost"), 1, 1)
        .await
        .unwrap();
    let prompt = NewPrompt::new("With an image").unwrap();
    let (project, ..) = store
        .create_project(&UserId::local(), &prompt, Some(&kept.id), "With an image")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        store
            .remove_unused_images(Duration::from_secs(60))
            .await
            .unwrap(),
        0
    );
    assert_eq!(store.remove_unused_images(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(
        store
            .image_content(&UserId::local(), &kept.id)
            .await
            .unwrap(),
        content("kept")
    );
    assert!(
        store
            .image_content(&UserId::local(), &lost.id)
            .await
            .is_err()
    );
    assert!(
        store
            .add_prompt(&UserId::local(), project.id, &prompt, Some(&lost.id))
            .await
            .is_err()
    );
    assert_eq!(
        store.list_messages(project.id).await.unwrap()[0].image,
        Some(kept)
    );
}
