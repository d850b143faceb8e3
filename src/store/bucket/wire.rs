//! How requests to the bucket are sent: by this program's own HTTP client, each one counted.

use std::{pin::Pin, time::Duration};

use http_body_util::BodyExt as _;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use reqwest::{Method, StatusCode, redirect::Policy};

use crate::http_client;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may send nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one request may take as a whole, with the largest content.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes the client.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = http_client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(TIMEOUT)
            // A signature is valid for one host only.
            .redirect(Policy::none())
            .build();
        let client = client.map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: error.into(),
        })?;
        Ok(HttpClient::new(Sender(client)))
    }
}

#[derive(Debug)]
struct Sender(reqwest::Client);

impl HttpService for Sender {
    fn call<'call, 'future>(
        &'call self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'future>>
    where
        'call: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let operation = operation(request.method(), request.uri().query().unwrap_or_default());
            let sent = self.send(request).await;
            let outcome = match sent.as_ref().map(|response| response.status()) {
                Ok(status) if status.is_success() => "ok",
                Ok(StatusCode::NOT_FOUND) => "missing",
                _ => "failed",
            };
            metrics::counter!(
                "codeflow_bucket_requests_total", "operation" => operation, "outcome" => outcome
            )
            .increment(1);
            sent
        })
    }
}

impl Sender {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse();
        let url =
            url.map_err(|error| HttpError::new::<url::ParseError>(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let response = self.0.execute(request).await.map_err(failure)?;
        let response: axum::http::Response<reqwest::Body> = response.into();
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(failure))))
    }
}

fn operation(method: &Method, query: &str) -> &'static str {
    match *method {
        Method::PUT => "put",
        Method::HEAD => "head",
        Method::GET if query.contains("list-type=") => "list",
        Method::GET => "get",
        // Several objects at once.
        Method::DELETE | Method::POST => "delete",
        _ => "other",
    }
}

/// What failed, and thereby what is tried again: everything but an answer that makes no sense. The
/// crate repeats only what is safe to repeat.
fn failure(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() && !error.is_body() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_do() {
        for (method, query, expected) in [
            (Method::PUT, "", "put"),
            (Method::GET, "", "get"),
            (Method::GET, "list-type=2&prefix=blobs", "list"),
            (Method::HEAD, "", "head"),
            (Method::POST, "delete", "delete"),
            (Method::DELETE, "", "delete"),
            (Method::PATCH, "", "other"),
        ] {
            assert_eq!(operation(&method, query), expected);
        }
    }
}
