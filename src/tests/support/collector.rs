//! A scripted OpenTelemetry collector: it receives spans by OTLP over HTTP and keeps them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message;

/// A span, with its attributes as text.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub name: String,
    pub attributes: HashMap<String, String>,
    pub failed: bool,
    /// Of the service that sent it.
    pub service: String,
}

#[derive(Clone, Default)]
struct Taken {
    spans: Arc<Mutex<Vec<Span>>>,
    /// The bodies of all requests, as they came.
    bytes: Arc<Mutex<Vec<u8>>>,
}

/// A running collector.
pub struct Collector {
    pub url: String,
    taken: Taken,
    serving: tokio::task::JoinHandle<()>,
}

impl Collector {
    /// What it asks for in `x-collector-key`.
    pub const KEY: &'static str = "key-of-the-collector";

    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Taken::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(taken.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            taken,
            serving,
        }
    }

    /// The spans that came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.taken.spans.lock().unwrap().clone()
    }

    /// Whether this text was sent.
    pub fn has_seen(&self, text: &str) -> bool {
        let bytes = self.taken.bytes.lock().unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is = |name, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    if !is("x-collector-key", Collector::KEY) {
        return StatusCode::UNAUTHORIZED;
    }
    if !is("content-type", "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(&*body) else {
        return StatusCode::BAD_REQUEST;
    };
    taken.bytes.lock().unwrap().extend(&body);
    let mut spans = taken.spans.lock().unwrap();
    for resource in request.resource_spans {
        let about = texts(resource.resource.unwrap_or_default().attributes);
        let service = &about["service.name"];
        for span in resource.scope_spans.into_iter().flat_map(|of| of.spans) {
            spans.push(Span {
                trace: hex::encode(span.trace_id),
                id: hex::encode(span.span_id),
                parent: hex::encode(span.parent_span_id),
                name: span.name,
                attributes: texts(span.attributes),
                failed: span.status.is_some_and(|status| status.code == 2),
                service: service.clone(),
            });
        }
    }
    StatusCode::OK
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter();
    pairs
        .map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))))
        .collect()
}
