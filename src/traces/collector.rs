//! The connection to the collector: requests on the server's own runtime and with its TLS. Failures
//! are logged once in a while. Only the thread that batches spans waits for them.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use crate::http_client;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The minimum time between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    /// When a failure was logged last.
    logged: Mutex<Option<Instant>>,
}

impl Collector {
    /// Fails if TLS can't be set up. Must be called on a runtime.
    pub(super) fn new() -> anyhow::Result<Self> {
        let http = http_client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none());
        Ok(Self {
            http: http.build()?,
            runtime: Handle::try_current()?,
            logged: Mutex::default(),
        })
    }

    fn log(&self, why: &str) {
        let mut logged = self.logged.lock();
        if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *logged = Some(Instant::now());
            tracing::warn!(
                why,
                "the collector (OTEL_EXPORTER_OTLP_ENDPOINT) does not take traces; they are lost"
            );
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sending = self.runtime.spawn(send(self.http.clone(), request));
        Box::pin(async move {
            let answer = sending.await.map_err(anyhow::Error::from).flatten();
            match &answer {
                Ok(response) if response.status().is_success() => {}
                Ok(response) => self.log(response.status().as_str()),
                Err(error) => self.log(&format!("{error:#}")),
            }
            Ok(answer?)
        })
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
    // Otherwise errors would contain the address.
    let unnamed = reqwest::Error::without_url;
    let response = http.execute(request.try_into().map_err(unnamed)?).await;
    let response = response.map_err(unnamed)?;
    let mut answer = Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    Ok(answer.body(response.bytes().await.map_err(unnamed)?)?)
}
