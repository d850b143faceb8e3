//! A user's library of prompts, over HTTP.

use codeflow::protocol::{SavedPrompt, Timestamp};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    accounts::{PASSWORD, cookie, get, post, refusal, server, sign},
    support::{Model, Server, data_dir, until},
};

async fn listed(server: &Server) -> Vec<SavedPrompt> {
    server.get("/api/prompts/list").await.json().await.unwrap()
}

async fn saved(server: &Server, name: &str, text: &str) -> SavedPrompt {
    let form = [("name", name), ("text", text)];
    let (status, saved) = server.post("/api/prompts/save", &form).await;
    assert_eq!(status, StatusCode::OK, "{saved}");
    serde_json::from_value(saved).unwrap()
}

#[tokio::test]
async fn without_accounts_prompts_are_saved_found_changed_and_deleted_until_that_is_undone() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start(data.path(), &model);
    let unnamed = [("text", "  Build a shop\nwith a cart ")];
    let (status, shop) = server.post("/api/prompts/save", &unnamed).await;
    assert_eq!(status, StatusCode::OK, "{shop}");
    let shop: SavedPrompt = serde_json::from_value(shop).unwrap();
    assert_eq!(shop.name, "Build a shop with a cart");
    assert_eq!(shop.text, "Build a shop\nwith a cart");
    let blog = saved(&server, " My \n blog ", "Build a blog").await;
    assert_eq!(blog.name, "My blog");
    assert_eq!(listed(&server).await, [blog.clone(), shop.clone()]);

    until("a moment is over", async || {
        (Timestamp::now() > blog.saved_at).then_some(())
    })
    .await;
    let id = shop.id.to_string();
    let form = [("prompt", &*id), ("name", "Shop"), ("text", "Build more")];
    let (status, changed) = server.post("/api/prompts/change", &form).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let names = async || {
        let all = listed(&server).await.into_iter();
        all.map(|one| (one.name, one.text)).collect::<Vec<_>>()
    };
    let texts = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let both = [
        texts("Shop", "Build more"),
        texts("My blog", "Build a blog"),
    ];
    assert_eq!(names().await, both);

    let it = [("prompt", &*id)];
    let ask = async |what: &str| {
        let path = format!("/api/prompts/{what}");
        server.post(&path, &it).await
    };
    assert_eq!(ask("delete").await.0, StatusCode::OK);
    assert_eq!(names().await, both[1..]);
    let (status, refused) = ask("delete").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(refused["message"], "There is no such saved prompt.");
    assert_eq!(ask("undelete").await.0, StatusCode::OK);
    assert_eq!(names().await, both);
    server.stop();

    let server = Server::start(data.path(), &model);
    assert_eq!(listed(&server).await.len(), 2, "they survive a restart");
}

#[tokio::test]
async fn what_can_t_be_saved_is_refused_in_a_sentence_that_says_what_to_do() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start(data.path(), &model);
    let id = saved(&server, "", "Build").await.id.to_string();
    let (long, too_long) = ("ü".repeat(10_000), "ü".repeat(10_001));
    for (name, text, field, why) in [
        ("", " \n", "text", "Describe what you want"),
        ("", &*too_long, "text", "at most 10,000"),
        (&*"x".repeat(101), "Build", "name", "at most 100"),
    ] {
        let form = [("prompt", &*id), ("name", name), ("text", text)];
        for path in ["/api/prompts/save", "/api/prompts/change"] {
            let (status, refused): (StatusCode, Value) = server.post(path, &form).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(refused["field"], field);
            let said = refused["message"].as_str().unwrap();
            assert!(said.contains(why), "{said}");
        }
    }
    assert_eq!(listed(&server).await.len(), 1);
    assert_eq!(saved(&server, "", &long).await.text, long);

    for number in 2..200 {
        saved(&server, &number.to_string(), "Build").await;
    }
    let (status, refused) = server
        .post("/api/prompts/save", &[("text", "One more")])
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    let said = refused["message"].as_str().unwrap();
    assert!(said.contains("Delete one that you don't need"), "{said}");
    assert_eq!(listed(&server).await.len(), 200);
}

#[tokio::test]
async fn another_user_s_prompts_look_absent() {
    let data = data_dir();
    let server = server(&data, &[]).await;
    let ada = cookie(&sign(&server, "sign-up", "ada@example.com", PASSWORD).await).unwrap();
    let eve = cookie(&sign(&server, "sign-up", "eve@example.com", PASSWORD).await).unwrap();
    let form = [("text", "Ada's wish")];
    let made = post(&server, "/api/prompts/save", &ada, &form).await;
    let id = made.json::<SavedPrompt>().await.unwrap().id.to_string();
    let list = async |user: &str| -> Vec<SavedPrompt> {
        let listed = get(&server, "/api/prompts/list", user).await;
        listed.json().await.unwrap()
    };
    let before = list(&ada).await;
    assert!(list(&eve).await.is_empty());
    let form = [("prompt", &*id), ("text", "Mine")];
    for path in ["change", "delete", "undelete"] {
        let path = format!("/api/prompts/{path}");
        let refused = refusal(post(&server, &path, &eve, &form).await).await;
        let missing = "There is no such saved prompt.".to_owned();
        assert_eq!(refused, (StatusCode::NOT_FOUND, missing), "{path}");
    }
    assert_eq!(list(&ada).await, before);
    assert_eq!(get(&server, "/api/prompts/list", "").await.status(), 401);
}
