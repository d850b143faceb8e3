//! What browsers are told about every answer, and what is refused because of where it comes from:
//! over all paths of the router.

use codeflow::server;
use reqwest::{Method, Response};

use crate::support::{Model, Server, data_dir, http};

/// A path with something in place of its parameters.
fn asked(path: &str) -> String {
    let id = "00000000-0000-7000-8000-000000000000";
    let parts = path.split('/').map(|part| match part {
        "{name}" => "3000-inone",
        part if part.starts_with([':', '{']) => id,
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn send(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = http().request(method, format!("{}{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn where_the_site_has_tls_browsers_are_told_to_keep_to_it() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let url = [("PUBLIC_URL", "https://build.example.test"), ("AUTH", "on")];
    let server = Server::start_and(data.path(), &model, &url);
    let answer = send(&server, Method::GET, "/healthz", &[]).await;
    assert_eq!(
        header(&answer, "strict-transport-security"),
        "max-age=31536000"
    );
}

#[tokio::test]
async fn no_other_site_changes_anything_and_what_is_missing_is_said() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start(data.path(), &model);
    for path in server::paths() {
        let path = asked(&path);
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://3000-iabc.localhost:3000"),
            ("origin", "null"),
        ] {
            let refused = send(&server, Method::POST, &path, &[foreign]).await;
            assert_eq!(refused.status(), 403, "{path} {foreign:?}");
            if path.starts_with("/api/") || path.starts_with("/ws/") {
                let refused = send(&server, Method::GET, &path, &[foreign]).await;
                assert_eq!(refused.status(), 403, "{path} {foreign:?}");
            }
        }
        // Health is what the machine says.
        if !path.starts_with("/api/") {
            continue;
        }
        let empty = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
        ];
        for method in [Method::GET, Method::POST] {
            let answer = send(&server, method.clone(), &path, &empty).await;
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert!(
                !status.is_server_error(),
                "{method} {path}: {status} {text}"
            );
        }
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let missing = send(&server, Method::POST, "/api/projects/create", &form).await;
    assert_eq!(missing.status(), 400);
    let text = missing.text().await.unwrap();
    assert!(text.contains("a field is missing"), "{text}");
}
