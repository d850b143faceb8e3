//! Private previews: on a server with accounts, only people who may see a project may see its
//! preview, by a separate cookie from the builder that ends with their session.

use reqwest::{Method, Response};
use serde_json::Value;

use super::{
    shares::Person,
    teams::{join, remove},
};
use crate::support::{Model, Reply, Server, data_dir, http, until};

/// A browser's request for a page of the preview, or of the builder, with these cookies.
async fn visit(server: &Server, url: &str, cookie: &str, mode: &str) -> Response {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = http()
        .get(format!("http://127.0.0.1:{}/{path}", server.port))
        .header("host", host)
        .header("cookie", cookie)
        .header("sec-fetch-mode", mode)
        .header("sec-fetch-dest", "iframe");
    request.send().await.unwrap()
}

fn location(response: &Response) -> &str {
    let location = response.headers().get("location");
    location.map_or("", |location| location.to_str().unwrap())
}

/// Goes the way that a browser is led, and returns the preview's cookie.
async fn enter(server: &Server, preview: &str, session: &str) -> String {
    let led = visit(server, &format!("{preview}/about?a=b"), "", "navigate").await;
    assert_eq!(led.status(), 303);
    let builder = location(&led).to_owned();
    let start = format!("http://localhost:{}/preview/3000-", server.port);
    assert!(builder.starts_with(&start), "{builder}");
    let given = visit(server, &builder, session, "navigate").await;
    assert_eq!(given.status(), 303);
    assert!(!given.headers().contains_key("x-frame-options"));
    let entry = location(&given).to_owned();
    assert!(entry.starts_with(&format!("{preview}/__codeflow/enter?pass=")));
    let entered = visit(server, &entry, "", "navigate").await;
    let cookies: Vec<&str> = entered
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    assert!(
        cookies
            .iter()
            .all(|cookie| cookie.contains("HttpOnly") && !cookie.contains("Domain"))
    );
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.contains("Partitioned") && cookie.contains("Secure"))
    );
    assert!(cookies.iter().any(|cookie| cookie.contains("SameSite=Lax")));
    let cookie = cookies[0].split(';').next().unwrap().to_owned();
    // A browser that keeps no cookie gets an error that says so, not an endless redirect.
    let kept = format!("{preview}{}", location(&entered));
    assert_eq!(visit(server, &kept, "", "navigate").await.status(), 403);
    let last = visit(server, &kept, &cookie, "navigate").await;
    assert_eq!(
        (last.status().as_u16(), location(&last)),
        (303, "/about?a=b")
    );
    cookie
}

#[tokio::test]
async fn a_preview_is_for_those_who_may_see_its_project_until_they_sign_out() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![
            Reply::write("index.html", "<h1>Secret words</h1>"),
            Reply::done(),
        ],
    )])
    .await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let stranger = Person::sign_up(&server, "stranger@example.com").await;
    let project = owner.built("Build").await;
    // The check that a run ends with saw the page; now its owner does.
    let preview = until("the preview's address is known", async || {
        let path = format!("/api/projects/workspace?project={project}");
        let workspace: Value = owner.get(&path).await;
        let url = workspace["preview"]["url"].as_str()?;
        Some(url.trim_end_matches('/').to_owned())
    })
    .await;

    // A program, a script or a socket without the cookie is refused.
    for mode in ["cors", "no-cors", "websocket"] {
        let refused = visit(&server, &format!("{preview}/"), "", mode).await;
        assert_eq!(refused.status(), 403, "{mode}");
        assert!(!refused.text().await.unwrap().contains("Secret"));
    }
    let led = visit(&server, &format!("{preview}/"), "", "navigate").await;
    let builder = location(&led).to_owned();
    for (session, status) in [("", 403), (&*stranger.cookie, 404)] {
        let refused = visit(&server, &builder, session, "navigate").await;
        assert_eq!(refused.status(), status);
        let text = refused.text().await.unwrap();
        assert!(!text.contains("Secret"), "{text}");
        assert_eq!(text.contains("/sign-in?to="), session.is_empty());
    }

    let cookie = enter(&server, &preview, &owner.cookie).await;
    let page = format!("{preview}/");
    let seen = visit(&server, &page, &cookie, "navigate").await;
    assert!(seen.text().await.unwrap().contains("Secret words"));
    let headers = visit(&server, &format!("{preview}/headers"), &cookie, "cors").await;
    let headers: Value = headers.json().await.unwrap();
    assert!(
        headers.get("cookie").is_none(),
        "the app learns of the pass: {headers}"
    );
    // Another session's, another sandbox's, or one that was changed is none.
    let other = preview.replacen("3000-i", "3000-ix", 1);
    assert_eq!(
        visit(&server, &format!("{other}/"), &cookie, "cors")
            .await
            .status(),
        403
    );
    let changed = &cookie[..cookie.len() - 2];
    assert_eq!(visit(&server, &page, changed, "cors").await.status(), 403);

    let mut stream = visit(&server, &format!("{preview}/api/stream"), &cookie, "cors").await;
    assert!(stream.chunk().await.unwrap().is_some());
    let mut socket = open_socket(&server, &preview, &cookie).await;
    let signed_out = owner.ask(Method::POST, "/api/account/sign-out", &[]).await;
    assert_eq!(signed_out.status(), 200);
    while let Ok(Some(_)) = stream.chunk().await {}
    while let Some(Ok(_)) = futures::StreamExt::next(&mut socket).await {}
    assert_eq!(visit(&server, &page, &cookie, "cors").await.status(), 403);
}

async fn open_socket(
    server: &Server,
    preview: &str,
    cookie: &str,
) -> tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

    let url = format!("ws://127.0.0.1:{}/socket", server.port);
    let mut request = url.into_client_request().unwrap();
    let host = preview.strip_prefix("http://").unwrap();
    let headers = request.headers_mut();
    headers.insert("host", host.parse().unwrap());
    headers.insert("cookie", cookie.parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

#[tokio::test]
async fn a_member_sees_the_preview_until_they_are_removed() {
    let data = data_dir();
    let build = vec![Reply::write("index.html", "<h1>Words</h1>"), Reply::done()];
    let model = Model::start([("Build", build)]).await;
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let viewer = Person::sign_up(&server, "viewer@example.com").await;
    let project = owner.built("Build").await;
    join(&owner, project, "viewer", &viewer).await;
    let preview = until("the preview's address is known", async || {
        let path = format!("/api/projects/workspace?project={project}");
        let workspace: Value = viewer.get(&path).await;
        let url = workspace["preview"]["url"].as_str()?;
        Some(url.trim_end_matches('/').to_owned())
    })
    .await;
    let cookie = enter(&server, &preview, &viewer.cookie).await;
    let owners = enter(&server, &preview, &owner.cookie).await;
    let page = format!("{preview}/");
    let seen = visit(&server, &page, &cookie, "navigate").await;
    assert!(seen.text().await.unwrap().contains("Words"));
    let stream = format!("{preview}/api/stream");
    let mut stream = visit(&server, &stream, &cookie, "cors").await;
    assert!(stream.chunk().await.unwrap().is_some());
    let mut socket = open_socket(&server, &preview, &cookie).await;
    remove(&owner, project, "viewer@example.com").await;
    while let Ok(Some(_)) = stream.chunk().await {}
    while let Some(Ok(_)) = futures::StreamExt::next(&mut socket).await {}
    assert_eq!(visit(&server, &page, &cookie, "cors").await.status(), 403);
    assert_eq!(visit(&server, &page, &owners, "cors").await.status(), 200);
}

#[tokio::test]
async fn without_accounts_a_preview_is_open() {
    let data = data_dir();
    let build = vec![Reply::write("index.html", "<h1>Words</h1>"), Reply::done()];
    let model = Model::start([("Build", build)]).await;
    let server = Server::start(data.path(), &model);
    let person = Person::nobody(&server);
    let project = person.built("Build").await;
    let path = format!("/api/projects/workspace?project={project}");
    let workspace: Value = person.get(&path).await;
    let url = workspace["preview"]["url"].as_str().unwrap();
    let seen = visit(&server, url, "", "navigate").await;
    assert!(seen.text().await.unwrap().contains("Words"));
}
