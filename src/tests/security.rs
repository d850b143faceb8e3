//! Security headers on every response, and requests refused because of their origin, on all paths
//! of the router.

use codeflow::server;
use futures::{future::join_all, join};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    api_tokens::PROJECTS,
    orders::Program,
    support::{Model, Reply, Server, data_dir, http},
};

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

/// Asserts that the page has no styles of its own, which its policy would refuse.
fn assert_unstyled(path: &str, page: &str) {
    for style in [" style=\"", "<style"] {
        let found = page.split(style).nth(1);
        let found = found.map(|after| after.split('>').next());
        assert_eq!(found, None, "{path}: {style}");
    }
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let server = Server::start(data.path(), &model);
    let mut pages = 0;
    for path in server::paths() {
        let path = asked(&path);
        let answer = send(&server, Method::GET, &path, &[("accept", "text/html")]).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(header(&answer, name), value, "{path}");
        }
        assert!(
            header(&answer, "permissions-policy").contains("camera=*"),
            "{path}"
        );
        assert!(!answer.headers().contains_key("strict-transport-security"));
        if answer.status().is_redirection() {
            continue;
        }
        let policy = header(&answer, "content-security-policy").to_owned();
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
        let is_framed = path.starts_with("/preview/");
        assert_eq!(
            policy.contains("frame-ancestors 'none'"),
            !is_framed,
            "{path}: {policy}"
        );
        let frames = header(&answer, "x-frame-options");
        assert_eq!(
            frames,
            if is_framed { "SAMEORIGIN" } else { "DENY" },
            "{path}"
        );
        let is_page = header(&answer, "content-type").starts_with("text/html") && !is_framed;
        if !is_page {
            assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
            continue;
        }
        pages += 1;
        assert!(!policy.contains("'unsafe-eval'"), "{policy}");
        let nonces: Vec<&str> = ["script-src", "style-src"]
            .iter()
            .map(|kind| {
                let part = policy.split("; ").find(|part| part.starts_with(kind));
                let nonce = part.unwrap().split("'nonce-").nth(1);
                nonce.unwrap().trim_end_matches('\'')
            })
            .collect();
        let nonce = nonces[0];
        assert_eq!(nonces, [nonce, nonce], "{policy}");
        let text = answer.text().await.unwrap();
        assert_unstyled(&path, &text);
        let tags: Vec<&str> = text.split("<script").skip(1).collect();
        assert!(!tags.is_empty(), "{path}");
        for tag in tags {
            let tag = tag.split('>').next().unwrap();
            assert!(
                tag.contains(&format!("nonce=\"{nonce}\"")),
                "{path}: <script{tag}>"
            );
        }
        let again = send(&server, Method::GET, &path, &[("accept", "text/html")]).await;
        assert_ne!(header(&again, "content-security-policy"), policy, "{path}");
    }
    assert!(pages >= 8, "{pages}");
    let lost = send(
        &server,
        Method::GET,
        "/no/such/page",
        &[("accept", "text/html")],
    )
    .await;
    assert!(header(&lost, "content-security-policy").contains("'nonce-"));
}

#[tokio::test]
async fn what_a_model_wrote_and_what_a_run_took_is_shown_without_styles_of_the_page_s_own() {
    let (data, table) = (data_dir(), "|a|b|\n|-|-:|\n|1|2|");
    let model = Model::start([("Who?", vec![Reply::Text(table)])]).await;
    let server = Server::start(data.path(), &model);
    let local = Program {
        server: &server,
        token: String::new(),
    };
    let asked = json!({ "prompt": "Who?", "mode": "ask" });
    let made = local.ask(Method::POST, PROJECTS, Some(asked)).await;
    let made: Value = made.json().await.unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (project, run) = (text("project"), text("run"));
    let wait = format!("{PROJECTS}/{project}/wait?timeout=120");
    assert_eq!(local.ask(Method::GET, &wait, None).await.status(), 200);
    for (path, shown) in [
        (format!("/projects/{project}"), "<td align=\"right\">2</td>"),
        (format!("/admin/runs/{run}"), "height=\"100%\" rx=\"4\""),
    ] {
        let page = send(&server, Method::GET, &path, &[("accept", "text/html")]).await;
        let page = page.text().await.unwrap();
        assert!(page.contains(shown), "{path}: {page}");
        assert_unstyled(&path, &page);
    }
}

#[tokio::test]
async fn a_page_and_files_that_are_answered_at_the_same_time_keep_their_own_headers() {
    let (data, model) = (data_dir(), Model::start([]).await);
    let site = tempfile::tempdir().unwrap();
    std::fs::write(site.path().join("part.wasm"), "\0asm").unwrap();
    let root = [("LEPTOS_SITE_ROOT", site.path().to_str().unwrap())];
    let server = Server::process(data.path(), &model, &root).await;
    let html = [("accept", "text/html")];
    for _ in 0..25 {
        let pages = ["/", "/no/such/page", "/admin/runs"]
            .map(|path| send(&server, Method::GET, path, &html));
        let files = [(); 12].map(|()| send(&server, Method::GET, "/part.wasm", &[]));
        let (pages, files) = join!(join_all(pages), join_all(files));
        for (page, status) in pages.into_iter().zip([200, 404, 200]) {
            assert_eq!(page.status(), status);
            let policy = header(&page, "content-security-policy");
            assert!(policy.contains("'nonce-"), "{}: {policy}", page.url());
        }
        for file in files {
            assert_eq!(file.status(), 200);
            let policy = header(&file, "content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
        }
    }
    // A file that the browser has is not sent again, and what can't be a file is a page.
    let file = send(&server, Method::GET, "/part.wasm", &[]).await;
    let since = header(&file, "last-modified").to_owned();
    let known = [("if-modified-since", since.as_str())];
    let again = send(&server, Method::GET, "/part.wasm", &known).await;
    assert_eq!(again.status(), 304);
    for path in ["/none.wasm", "/%00"] {
        assert_eq!(send(&server, Method::GET, path, &html).await.status(), 404);
    }
    server.stop();
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
