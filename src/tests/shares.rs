//! Sharing as visitors see it: private at first, open by its link, remixed, and closed at once when
//! its owner says so.

use codeflow::protocol::{PreviewState, ProjectId, Share, ShareState, SharedApp, SharedSource};
use futures::StreamExt as _;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{Model, Reply, Server, data_dir, http, secrets, until};

const PASSWORD: &str = "seven uncommon lanterns";

/// Somebody at the server, by the session's cookie; nobody without one.
pub struct Person<'a> {
    server: &'a Server,
    pub cookie: String,
}

impl<'a> Person<'a> {
    pub fn nobody(server: &'a Server) -> Self {
        Self {
            server,
            cookie: String::new(),
        }
    }

    /// Whose session has this cookie.
    pub fn of(server: &'a Server, cookie: &str) -> Self {
        Self {
            server,
            cookie: cookie.to_owned(),
        }
    }

    pub async fn sign_up(server: &'a Server, email: &str) -> Self {
        let nobody = Self::nobody(server);
        let form = [("email", email), ("password", PASSWORD)];
        let response = nobody
            .ask(Method::POST, "/api/account/sign-up", &form)
            .await;
        let set = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        Self { server, cookie }
    }

    pub async fn ask(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Response {
        secrets::remember_request(&self.cookie, form);
        let mut request = http()
            .request(method.clone(), format!("{}{path}", self.server.url()))
            .header("accept", "application/json")
            .header("cookie", &self.cookie);
        if method == Method::POST {
            request = request.form(form);
        }
        request.send().await.unwrap()
    }

    pub async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let response = self.ask(Method::GET, path, &[]).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> T {
        let response = self.ask(Method::POST, path, form).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn page(&self, path: &str) -> (StatusCode, String) {
        let request = http()
            .get(format!("{}{path}", self.server.url()))
            .header("accept", "text/html")
            .header("cookie", &self.cookie);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// A project with an app of these words, once its run has ended.
    pub async fn built(&self, prompt: &str) -> ProjectId {
        let project: ProjectId = self
            .post("/api/projects/create", &[("prompt", prompt)])
            .await;
        self.done(project, 1).await;
        project
    }

    pub async fn done(&self, project: ProjectId, runs: usize) {
        until("the run ends", async || {
            let path = format!("/api/projects/workspace?project={project}");
            let workspace: Value = self.get(&path).await;
            let done = workspace["runs"].as_array().unwrap().iter();
            (done.filter(|run| run["state"] == "succeeded").count() == runs).then_some(())
        })
        .await;
    }
}

/// What a preview's address answers at the path, as its host name says.
pub async fn preview(server: &Server, url: &str, path: &str) -> Option<Response> {
    let host = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let request = http()
        .get(format!("http://127.0.0.1:{}{path}", server.port))
        .header("host", host);
    request.send().await.ok()
}

async fn model() -> Model {
    let write = |words: &str| vec![Reply::write("index.html", words), Reply::done()];
    Model::start([
        ("Build", write("<h1>First words</h1>")),
        ("Change", write("<h1>Second words</h1>")),
    ])
    .await
}

/// The address of the running shared app.
async fn opened(visitor: &Person<'_>, slug: &str) -> String {
    until("the shared app runs", async || {
        let app: SharedApp = visitor.get(&format!("/api/shares/open?slug={slug}")).await;
        match app.preview {
            PreviewState::Ready { url, .. } => Some(url),
            PreviewState::Failed { reason, .. } => panic!("{reason}"),
            _ => None,
        }
    })
    .await
}

#[tokio::test]
async fn an_app_is_private_until_it_is_shared_and_again_afterwards() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let owner = Person::sign_up(&server, "owner@example.com").await;
    let visitor = Person::nobody(&server);
    let project = owner.built("Build").await;
    let id = project.to_string();
    let state: ShareState = owner.get(&format!("/api/shares/get?project={id}")).await;
    assert!(state.share.is_none());
    let (version, number) = state.version.unwrap();
    assert_eq!(number, 1);

    let wrong = [("project", &*id), ("category", "No such category")];
    let refused = owner.ask(Method::POST, "/api/shares/save", &wrong).await;
    assert_eq!(refused.status(), 400);
    let version = version.to_string();
    let pinned = [("project", &*id), ("version", &*version)];
    let share: Share = owner.post("/api/shares/save", &pinned).await;
    assert!(share.slug.len() >= 22, "{}", share.slug);
    let slug = &*share.slug;

    // In a sandbox of its own: the version stays, whatever becomes of the project.
    let url = opened(&visitor, slug).await;
    let own: Value = owner
        .get(&format!("/api/projects/workspace?project={id}"))
        .await;
    assert_ne!(own["preview"]["url"].as_str(), Some(&*url));
    let words = async |url: &str| {
        preview(&server, url, "/")
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(words(&url).await.contains("First words"));
    let change = [("project", &*id), ("text", "Change")];
    let _: Value = owner.post("/api/messages/send", &change).await;
    owner.done(project, 2).await;
    assert_eq!(opened(&visitor, slug).await, url);
    assert!(words(&url).await.contains("First words"));

    let (status, page) = visitor.page(&format!("/s/{slug}")).await;
    assert_eq!(status, 200);
    for part in [
        "title=\"Preview\"",
        "Remix",
        "og:title",
        &*url,
        "action=\"/sign-in\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(page.matches("og:title").count(), 1);
    let source = format!("/api/shares/source?slug={slug}");
    assert_eq!(visitor.ask(Method::GET, &source, &[]).await.status(), 404);

    // Always the newest, with its source, and in the showcase.
    let categories = state.categories;
    let open = [
        ("project", &*id),
        ("source", "true"),
        ("category", &*categories[0]),
    ];
    let changed: Share = owner.post("/api/shares/save", &open).await;
    assert_eq!(changed.slug, slug);
    let newest = opened(&visitor, slug).await;
    assert_ne!(newest, url);
    assert!(words(&newest).await.contains("Second words"));
    let source = format!("{source}&path=index.html");
    let source: SharedSource = visitor.get(&source).await;
    assert!(
        source
            .file
            .text
            .unwrap_or_default()
            .contains("Second words")
    );
    let (status, page) = visitor
        .page(&format!("/s/{slug}/source?path=index.html"))
        .await;
    assert!(status == 200 && page.contains("Second words"), "{page}");
    assert!(visitor.page("/").await.1.contains(&format!("/s/{slug}")));

    // A copy belongs to whoever made it.
    let remix = [("slug", slug)];
    let refused = visitor.ask(Method::POST, "/api/shares/remix", &remix).await;
    assert_eq!(refused.status(), 401);
    let other = Person::sign_up(&server, "other@example.com").await;
    let copy: ProjectId = other.post("/api/shares/remix", &remix).await;
    let read = format!("/api/files/read?project={copy}&path=index.html");
    let file: Value = other.get(&read).await;
    assert!(file["text"].as_str().unwrap().contains("Second words"));
    assert_eq!(owner.ask(Method::GET, &read, &[]).await.status(), 404);
    let theirs = [("project", &*id)];
    for path in ["/api/shares/save", "/api/shares/end"] {
        assert_eq!(other.ask(Method::POST, path, &theirs).await.status(), 404);
    }

    // Over at once: what is open ends too.
    let mut stream = preview(&server, &newest, "/api/stream").await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let _: () = owner.post("/api/shares/end", &theirs).await;
    while let Ok(Some(_)) = stream.chunk().await {}
    for path in [
        format!("/s/{slug}"),
        format!("/s/{slug}/source"),
        format!("/s/{slug}/picture"),
    ] {
        assert_eq!(visitor.page(&path).await.0, 404, "{path}");
    }
    let open = format!("/api/shares/open?slug={slug}");
    assert_eq!(visitor.ask(Method::GET, &open, &[]).await.status(), 404);
    let over = preview(&server, &newest, "/").await.unwrap();
    assert!(!over.status().is_success(), "{}", over.status());
    // The next link is another one.
    let again: Share = owner.post("/api/shares/save", &theirs).await;
    assert_ne!(again.slug, slug);
    assert!(!server.log().contains(slug), "a link is in the log");
}

#[tokio::test]
async fn a_flood_of_visits_is_refused_for_a_while() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start_and(data.path(), &model, &[("AUTH", "on")]);
    let visitor = Person::nobody(&server);
    // A few at a time: the server disconnects who takes long to send its request.
    let asks = (0..200).map(|_| visitor.ask(Method::GET, "/api/shares/open?slug=none", &[]));
    let answers: Vec<Response> = futures::stream::iter(asks)
        .buffer_unordered(10)
        .collect()
        .await;
    let refused = answers
        .iter()
        .find(|answer| answer.status() == 429)
        .unwrap();
    let wait = refused.headers()["retry-after"].to_str().unwrap();
    assert!(wait.parse::<u64>().unwrap() >= 1, "{wait}");
    assert!(answers.iter().any(|answer| answer.status() == 404));
}
