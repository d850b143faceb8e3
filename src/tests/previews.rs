//! Previews over HTTP: what an app's answers may say about framing and cookies, what an app learns
//! about its visitor, and which ports are shown.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, Response, header::HeaderMap};
use serde_json::Value;

use crate::support::{Host, Model, Reply, Server, data_dir, until};

const DOMAIN: &str = "preview.codeflow.test";
const BUILDER: &str = "https://build.example.test";

/// A host whose previews have a domain, and a sandbox with the app running.
async fn on_a_domain() -> (Host, String) {
    let host = Host::start_with(|settings| {
        (settings.domain, settings.public_url) = (DOMAIN.to_owned(), BUILDER.to_owned());
        settings.preview_headers = vec!["x-shop-*".to_owned()];
    })
    .await;
    let sandbox = host.create().await;
    until("the app answers", async || {
        sandbox.fetch(3000, "/", 1000).await.unwrap()
    })
    .await;
    let id = sandbox.id().to_owned();
    (host, id)
}

/// A request as a browser makes it for a page in a frame.
fn framed(request: RequestBuilder) -> RequestBuilder {
    request
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "iframe")
        .header("accept-encoding", "gzip")
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_app_is_framed_by_the_builder_whatever_it_answers_and_keeps_its_cookies_to_itself() {
    let (host, id) = on_a_domain().await;
    let answer = async |query: &str| -> Response {
        let request = framed(host.preview(&id, 3000, &format!("/answer?{query}")));
        request.send().await.unwrap()
    };
    let ours = format!("frame-ancestors 'self' {BUILDER}");
    for (query, policies) in [
        ("x-frame-options=DENY", vec![ours.clone()]),
        (
            "X-Frame-Options=SAMEORIGIN&content-security-policy=img-src%20*",
            vec!["img-src *".to_owned(), ours.clone()],
        ),
        (
            "x-frame-options=DENY&content-security-policy=frame-ancestors%20'none'%3Bimg-src%20*&content-security-policy=FRAME-ANCESTORS%20'self'",
            vec![format!("{ours};img-src *"), ours.clone()],
        ),
        (
            "x-frame-options=DENY&x-frame-options=SAMEORIGIN",
            vec![ours.clone()],
        ),
        (
            "content-security-policy=upgrade-insecure-requests%3Bimg-src%20*",
            vec!["upgrade-insecure-requests;img-src *".to_owned()],
        ),
        ("x-own=1", vec![]),
    ] {
        let answer = answer(query).await;
        assert_eq!(
            values(answer.headers(), "content-security-policy"),
            policies,
            "{query}"
        );
        assert!(!answer.headers().contains_key("x-frame-options"), "{query}");
    }
    let answered =
        answer("strict-transport-security=max-age%3D9&alt-svc=h3&set-cookie=a=b%3BDomain=codeflow.test%3BPath=/&set-cookie=c=d").await;
    assert!(
        !answered.headers().contains_key("strict-transport-security")
            && !answered.headers().contains_key("alt-svc")
    );
    // In the frame, which is one of another site, cookies are the frame's own.
    let frames = "SameSite=None; Secure; Partitioned";
    let mark = format!("codeflow_frame=1; Path=/; HttpOnly; {frames}");
    let of_frame = [
        format!("a=b;Path=/; {frames}"),
        format!("c=d; {frames}"),
        mark,
    ];
    assert_eq!(values(answered.headers(), "set-cookie"), of_frame);
    let by_script = async |cookie: &str| {
        let path = "/answer?set-cookie=a=b%3BDomain=codeflow.test%3BPath=/&set-cookie=c=d";
        let request = host.preview(&id, 3000, path).header("cookie", cookie);
        let headers = request.send().await.unwrap().headers().clone();
        values(&headers, "set-cookie").join("\n")
    };
    assert_eq!(by_script("x=y").await, "a=b;Path=/\nc=d");
    assert_eq!(
        by_script("x=y; codeflow_frame=1").await,
        of_frame[..2].join("\n")
    );
    for (place, seen) in [
        ("http://127.0.0.1:3000/login", "/login"),
        ("//localhost:3000/login", "/login"),
        (&format!("http://3000-{id}.{DOMAIN}/login"), "/login"),
        ("http://localhost:3001/login", "http://localhost:3001/login"),
    ] {
        let answered = answer(&format!("location={place}&refresh=0%3Burl={place}")).await;
        assert_eq!(values(answered.headers(), "location"), [seen]);
        assert_eq!(
            values(answered.headers(), "refresh"),
            [format!("0;url={seen}")]
        );
    }

    // By E2B's headers a program gets what the app says.
    let plain = host
        .http
        .get(format!("{}/answer?x-frame-options=DENY", host.host.url()));
    let plain = plain
        .header("e2b-sandbox-id", &id)
        .header("e2b-sandbox-port", "3000");
    let plain = framed(plain).send().await.unwrap();
    assert_eq!(values(plain.headers(), "x-frame-options"), ["DENY"]);
    assert!(!plain.text().await.unwrap().contains("/__codeflow/"));
    host.stop().await;
}

#[tokio::test]
async fn a_framed_page_loads_the_preview_script_whatever_the_app_s_files_and_policies_are() {
    let (host, id) = on_a_domain().await;
    let page = async |path: &str| framed(host.preview(&id, 3000, path)).send().await.unwrap();
    let answer = page("/answer?content-security-policy=script-src%20'nonce-abc'").await;
    assert!(!answer.headers().contains_key("content-encoding"));
    let text = answer.text().await.unwrap();
    let tag = text.strip_prefix("<!doctype html><html><head>").unwrap();
    let address = tag
        .strip_prefix("<script src=\"")
        .and_then(|tag| tag.split('"').next())
        .unwrap();
    assert!(
        tag.contains(" nonce=\"abc\"></script><title>An answer</title></head></html>"),
        "{text}"
    );
    let script = host.preview(&id, 3000, address).send().await.unwrap();
    assert_eq!(
        script.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let script = script.text().await.unwrap();
    assert!(
        script.contains(&format!("\"CODEFLOW_URL\":\"{BUILDER}\"")),
        "{script}"
    );
    // However the app compresses it, and whatever the browser has of it already.
    for encoding in ["gzip", "br", "deflate"] {
        let answer = page(&format!("/answer?content-encoding={encoding}")).await;
        assert!(!answer.headers().contains_key("content-encoding"));
        let text = answer.text().await.unwrap();
        assert!(
            text.starts_with("<!doctype html><html><head><script src="),
            "{text}"
        );
    }
    let known = host.preview(&id, 3000, "/answer?etag=x");
    let known = known.header("if-none-match", "x");
    let answer = framed(known).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("etag"));
    assert_eq!(values(answer.headers(), "vary"), ["sec-fetch-dest"]);
    assert!(answer.text().await.unwrap().contains("/__codeflow/"));
    // A page without a head gets it in front, and what is no page gets none.
    let text = page("/").await.text().await.unwrap();
    assert!(
        text.starts_with("<script src=") && text.ends_with("</script><h1>The template</h1>"),
        "{text}"
    );
    assert!(
        !page("/answer?content-type=text/plain")
            .await
            .text()
            .await
            .unwrap()
            .contains("/__codeflow/")
    );
    // Nor does whoever asks for no page in a frame.
    let alone = host
        .preview(&id, 3000, "/")
        .header("sec-fetch-dest", "document")
        .header("sec-fetch-mode", "navigate");
    for request in [alone, host.preview(&id, 3000, "/")] {
        assert_eq!(
            request.send().await.unwrap().text().await.unwrap(),
            "<h1>The template</h1>"
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn the_visitor_s_identity_never_reaches_generated_code() {
    let (host, id) = on_a_domain().await;
    let seen = async |sent: &[(&str, &str)]| -> BTreeMap<String, Value> {
        let mut request = host.preview(&id, 3000, "/headers");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().json().await.unwrap()
    };
    let of_proxies = [
        "x-forwarded-user",
        "x-auth-request-email",
        "remote-user",
        "x-authentik-username",
        "x-vouch-user",
        "x-pomerium-jwt-assertion",
        "cf-access-jwt-assertion",
        "x-goog-iap-jwt-assertion",
        "x-amzn-oidc-data",
        "x-ms-client-principal",
        "tailscale-user-login",
        "ssl-client-s-dn",
        "x-user-email",
    ];
    let mut sent: Vec<(&str, &str)> = of_proxies.map(|name| (name, "alice")).to_vec();
    sent.extend([
        (
            "cookie",
            "theme=dark; _oauth2_proxy=s; CF_Authorization=s; codeflow_session=s; a=b",
        ),
        ("authorization", "Basic YWxpY2U6cGFzcw=="),
        ("next-action", "x"),
        ("rsc", "1"),
        ("x-shop-id", "7"),
    ]);
    let got = seen(&sent).await;
    assert!(
        !serde_json::to_string(&got).unwrap().contains("alice"),
        "{got:?}"
    );
    assert_eq!(got["cookie"], "theme=dark; a=b");
    assert!(!got.contains_key("authorization"));
    for name in ["next-action", "rsc", "x-shop-id"] {
        assert!(got.contains_key(name), "{name}: {got:?}");
    }
    assert_eq!(got["host"], format!("3000-{id}.{DOMAIN}"));
    assert_eq!(
        seen(&[("authorization", "Bearer own")]).await["authorization"],
        "Bearer own"
    );
    host.stop().await;
}

#[tokio::test]
async fn the_sandbox_s_own_ports_and_debuggers_are_not_previews() {
    let (host, id) = on_a_domain().await;
    for port in [3128, 9229, 9230, 9222, 5858] {
        let answer = host.preview(&id, port, "/json").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{port}");
        let person = host
            .preview(&id, port, "/")
            .header("sec-fetch-mode", "navigate")
            .send()
            .await
            .unwrap();
        assert_eq!(person.status(), 404, "{port}");
        assert!(
            person
                .text()
                .await
                .unwrap()
                .contains("This port is not a preview")
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn only_names_of_our_own_get_certificates() {
    let data = data_dir();
    let model = Model::start([(
        "Build",
        vec![Reply::write("index.html", "<h1>One</h1>"), Reply::done()],
    )])
    .await;
    let env = [
        ("PUBLIC_URL", BUILDER),
        ("SANDBOX_DOMAIN", DOMAIN),
        ("AUTH", "off"),
    ];
    let server = Server::start_and(data.path(), &model, &env);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    let preview = feed.preview().await;
    let preview = preview.split('/').nth(2).unwrap();
    let (_, id) = preview.split_once('-').unwrap();
    let id = id.strip_suffix(&format!(".{DOMAIN}")).unwrap();
    let ask = async |name: &str| {
        let path = format!("/internal/tls-ask?domain={name}");
        server.get(&path).await.status().as_u16()
    };
    let own = [
        "build.example.test".to_owned(),
        "BUILD.example.test".to_owned(),
        preview.to_owned(),
        preview.to_uppercase(),
        format!("8080-{id}.{DOMAIN}"),
    ];
    for name in own {
        assert_eq!(ask(&name).await, 200, "{name}");
    }
    let others = [
        String::new(),
        "example.test".to_owned(),
        "other.example.test".to_owned(),
        DOMAIN.to_owned(),
        format!("3000-inone.{DOMAIN}"),
        format!("3000-{id}.example.test"),
        format!("3000-{id}-more.{DOMAIN}"),
        format!("0-{id}.{DOMAIN}"),
        format!("03000-{id}.{DOMAIN}"),
        format!("70000-{id}.{DOMAIN}"),
        format!("{id}.{DOMAIN}"),
        format!("a.3000-{id}.{DOMAIN}"),
        format!("{}{preview}", "a.".repeat(200)),
    ];
    for name in others {
        assert_eq!(ask(&name).await, 404, "{name}");
    }
    assert_eq!(server.get("/internal/tls-ask").await.status(), 404);
}
