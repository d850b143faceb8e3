//! The HTTP API for programs, `/api/v1`: JSON in and out, with an API token (`docs/api.md`).
//! `orders` decides the answers.

use axum::{
    Json,
    extract::{FromRequest, Path, Query, Request, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    download::VersionQuery,
    orders::{File, Listed, Order, Ordered, Orders, Report},
};
use crate::protocol::{ApiError, ErrorCode, Fragment, NewPrompt, ORDER_KEY};

/// The key that identifies the order if it is sent again.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    NewPrompt::read_order_key(headers.get(ORDER_KEY).map(HeaderValue::as_bytes))
}

type Answer<T> = Result<Json<T>, ApiError>;

/// A request's body. An unreadable one is refused like any invalid input.
pub struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Json::from_request(request, state).await;
        body.map(|Json(body)| Self(body))
            .map_err(|rejection: JsonRejection| {
                let code = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
                    _ => ErrorCode::Invalid,
                };
                ApiError::new(code, rejection.body_text())
            })
    }
}

#[derive(Debug, Deserialize)]
pub struct NewProject {
    prompt: String,
    mode: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct NewMessage {
    text: String,
    mode: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Wait {
    timeout: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ProjectList {
    projects: Vec<Listed>,
}

#[derive(Debug, Serialize)]
pub struct FileList {
    files: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct VersionList {
    versions: Vec<Fragment>,
}

pub async fn create(
    orders: Orders,
    headers: HeaderMap,
    Body(new): Body<NewProject>,
) -> Answer<Ordered> {
    let order = Order {
        text: new.prompt,
        mode: new.mode,
        model: new.model,
        key: self::key(&headers)?,
    };
    orders.create(order).await.map(Json)
}

pub async fn list(orders: Orders) -> Answer<ProjectList> {
    let projects = orders.list().await?;
    Ok(Json(ProjectList { projects }))
}

pub async fn get(orders: Orders, Path(project): Path<String>) -> Answer<Report> {
    orders.get(&project).await.map(Json)
}

pub async fn send(
    orders: Orders,
    Path(project): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewMessage>,
) -> Answer<Ordered> {
    let order = Order {
        text: new.text,
        mode: new.mode,
        model: new.model,
        key: self::key(&headers)?,
    };
    orders.send(&project, order).await.map(Json)
}

/// Ends if the client disconnects.
pub async fn wait(
    orders: Orders,
    Path(project): Path<String>,
    Query(Wait { timeout }): Query<Wait>,
) -> Answer<Report> {
    let seconds = timeout.map(|text| text.parse()).transpose();
    let seconds = seconds.map_err(|_| {
        ApiError::invalid(
            "timeout",
            "The timeout is a number of seconds, 300 at most.",
        )
    })?;
    orders.wait(&project, seconds).await.map(Json)
}

pub async fn files(
    orders: Orders,
    Path(project): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Answer<FileList> {
    let files = orders.files(&project, query.version()).await?;
    Ok(Json(FileList { files }))
}

pub async fn file(
    orders: Orders,
    Path((project, path)): Path<(String, String)>,
    Query(query): Query<VersionQuery>,
) -> Answer<File> {
    let file = orders.file(&project, &path, query.version());
    file.await.map(Json)
}

pub async fn versions(orders: Orders, Path(project): Path<String>) -> Answer<VersionList> {
    let versions = orders.versions(&project).await?;
    Ok(Json(VersionList { versions }))
}

pub async fn stop(orders: Orders, Path(project): Path<String>) -> Answer<Report> {
    orders.stop(&project).await.map(Json)
}
