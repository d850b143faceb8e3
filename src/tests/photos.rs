//! Photos from Unsplash: which are requested and saved, whom the model is asked to credit, and what
//! it reads if there are none.

use codeflow::protocol::ToolUse;
use serde_json::json;

use crate::support::{Feed, Model, Photos, Reply, Server, Unsplash, data_dir};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 a lake \xff\xd9";

fn photo() -> Reply {
    Reply::call(
        "unsplashImage",
        json!({ "query": "mountain lake", "path": "images/hero.jpg" }),
    )
}

/// A run that asks for a photo, looks at what was saved, and ends well.
async fn run(env: &[(&str, &str)]) -> (Model, Feed) {
    let data = data_dir();
    let look = json!({ "command": "od -An -v -tx1 public/images/hero.jpg | tr -d ' \\n'" });
    let model = Model::start([(
        "Build",
        vec![photo(), Reply::call("terminal", look), Reply::done()],
    )])
    .await;
    let server = Server::start_and(data.path(), &model, env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    feed.succeeded(1).await;
    (model, feed)
}

/// What the model reads instead of a photo.
async fn refused(env: &[(&str, &str)]) -> String {
    let (_, feed) = run(env).await;
    let ToolUse { failed, output, .. } = feed.tool("turn-1-unsplashImage-1");
    let output = output.unwrap();
    assert!(failed, "{output}");
    let saved = feed.tool("turn-2-terminal-1").output.unwrap();
    assert!(saved.contains("No such file"), "{saved}");
    output
}

#[tokio::test]
async fn a_photo_is_saved_its_use_counted_and_its_author_credited() {
    let image = JPEG;
    let unsplash = Unsplash::start(Photos {
        image,
        ..Photos::default()
    })
    .await;
    let (model, feed) = run(&unsplash.env()).await;
    let tool = feed.tool("turn-1-unsplashImage-1");
    let output = tool.output.unwrap();
    assert!(!tool.failed, "{output}");
    for part in [
        "Saved public/images/hero.jpg",
        "show it as /images/hero.jpg",
        "\"a lake between mountains\"",
        "“Photo by Ada Lens on Unsplash”",
        "https://unsplash.com/@ada?utm_source=codeflow&utm_medium=referral",
        "https://unsplash.com/?utm_source=codeflow&utm_medium=referral",
    ] {
        assert!(output.contains(part), "{part} is not in {output}");
    }
    let hex: String = JPEG.iter().map(|byte| format!("{byte:02x}")).collect();
    let saved = feed.tool("turn-2-terminal-1").output.unwrap();
    assert_eq!(saved, format!("exit code 0\nstdout:\n{hex}"));

    let asked = unsplash.asked();
    let paths: Vec<_> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/search/photos", "/lake.jpg", "/photos/lake/download"]
    );
    assert!(
        asked[0].query.contains("query=mountain+lake"),
        "{}",
        asked[0].query
    );
    let key = format!("Client-ID {}", Unsplash::KEY);
    let keys: Vec<_> = asked
        .iter()
        .map(|asked| asked.authorization.as_str())
        .collect();
    assert_eq!(
        keys,
        [key.as_str(), "", &key],
        "the key is for the API alone"
    );
    let requests = serde_json::to_string(&model.requests()).unwrap();
    assert!(
        !requests.contains(Unsplash::KEY),
        "the model never sees the key"
    );
}

#[tokio::test]
async fn without_a_key_nothing_is_requested_and_the_model_learns_what_to_draw_instead() {
    let unsplash = Unsplash::start(Photos::default()).await;
    let output = refused(&[("UNSPLASH_API_URL", unsplash.url())]).await;
    assert!(output.contains("UNSPLASH_ACCESS_KEY"), "{output}");
    assert!(
        output.contains("CSS gradient") && output.contains("inline SVG"),
        "{output}"
    );
    assert_eq!(unsplash.asked(), []);
}

#[tokio::test]
async fn a_key_at_its_limit_is_reported() {
    let refusal = Some(403);
    let unsplash = Unsplash::start(Photos {
        refusal,
        ..Photos::default()
    })
    .await;
    let output = refused(&unsplash.env()).await;
    assert!(
        output.contains("limit of requests") && output.contains("403"),
        "{output}"
    );
    assert!(output.contains("CSS gradient"), "{output}");
    assert_eq!(unsplash.asked().len(), 1, "it is not asked again");
}

#[tokio::test]
async fn a_photo_on_another_server_is_not_fetched() {
    let image = JPEG;
    let other = Unsplash::start(Photos {
        image,
        ..Photos::default()
    })
    .await;
    let elsewhere = Some(format!("{}/lake.jpg", other.url()));
    let unsplash = Unsplash::start(Photos {
        elsewhere,
        ..Photos::default()
    })
    .await;
    let output = refused(&unsplash.env()).await;
    assert!(output.contains("on another server"), "{output}");
    assert_eq!(other.asked(), []);
    assert_eq!(
        unsplash.asked().len(),
        1,
        "what was not used is not counted"
    );
}

#[tokio::test]
async fn what_is_no_photo_is_not_saved() {
    let image = b"<script>alert(1)</script>";
    let unsplash = Unsplash::start(Photos {
        image,
        ..Photos::default()
    })
    .await;
    let output = refused(&unsplash.env()).await;
    assert!(output.contains("is no photo"), "{output}");
    assert_eq!(
        unsplash.asked().len(),
        2,
        "what was not used is not counted"
    );
}
