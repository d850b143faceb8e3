//! A scripted Unsplash with one photo, and the requests that it received.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::sync::Notify;

/// What it has.
#[derive(Debug, Clone, Default)]
pub struct Photos {
    /// The photo's bytes.
    pub image: &'static [u8],
    /// Where the photo is said to be, when not here.
    pub elsewhere: Option<String>,
    /// The status of each answer, when it refuses.
    pub refusal: Option<u16>,
    /// Whether a search is answered only after [`Unsplash::release`].
    pub held: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub query: String,
    /// Its `Authorization`; empty without one.
    pub authorization: String,
}

#[derive(Clone)]
struct Shared {
    url: String,
    photos: Photos,
    asked: Arc<Mutex<Vec<Asked>>>,
    released: Arc<Notify>,
}

/// The running service.
pub struct Unsplash {
    shared: Shared,
    serving: tokio::task::JoinHandle<()>,
}

impl Unsplash {
    /// The access key that [`Unsplash::env`] sets.
    pub const KEY: &'static str = "photos-of-the-test";

    pub async fn start(photos: Photos) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Shared {
            url: format!("http://{}", listener.local_addr().unwrap()),
            photos,
            asked: Arc::default(),
            released: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, serving }
    }

    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The variables that make a server use it.
    pub fn env(&self) -> [(&str, &str); 2] {
        [
            ("UNSPLASH_API_URL", self.url()),
            ("UNSPLASH_ACCESS_KEY", Self::KEY),
        ]
    }

    /// All that it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Releases a held search, even one that is yet to come.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Drop for Unsplash {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let authorization = request.headers().get("authorization");
    let asked = Asked {
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        authorization: authorization
            .map_or("", |value| value.to_str().unwrap())
            .to_owned(),
    };
    let path = asked.path.clone();
    shared.asked.lock().unwrap().push(asked);
    if let Some(status) = shared.photos.refusal {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let url = &shared.url;
    match path.as_str() {
        "/search/photos" => {
            if shared.photos.held {
                shared.released.notified().await;
            }
            let regular = shared
                .photos
                .elsewhere
                .clone()
                .unwrap_or_else(|| format!("{url}/lake.jpg?w=1080"));
            let photo = json!({
                "id": "lake",
                "alt_description": "a lake between mountains",
                "urls": { "regular": regular },
                "links": { "download_location": format!("{url}/photos/lake/download?ixid=1") },
                "user": { "name": "Ada Lens", "links": { "html": "https://unsplash.com/@ada" } },
            });
            Json(json!({ "total": 1, "total_pages": 1, "results": [photo] })).into_response()
        }
        "/lake.jpg" => ([("content-type", "image/jpeg")], shared.photos.image).into_response(),
        "/photos/lake/download" => {
            Json(json!({ "url": format!("{url}/lake.jpg") })).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
