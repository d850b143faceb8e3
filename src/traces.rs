//! OpenTelemetry traces: prompt → run → step → model call or sandbox operation form one trace,
//! across HTTP and restarts of the server. The spans are `tracing`'s. This module sends them to a
//! collector if one is configured (`config::Traces`), and carries a trace from the request to the
//! run as a W3C `traceparent` (<https://www.w3.org/TR/trace-context/>). Events stay in the log:
//! traces contain ids, names and times, and no texts that people wrote.

mod collector;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use collector::Collector;
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{Status, TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use tracing::{Level, Metadata, Span, Subscriber, subscriber::Interest};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};

use crate::config;

/// The header, and the key in stored contexts.
pub const TRACEPARENT: &str = "traceparent";
/// Spans that may begin a trace. Others without a parent are left out: the server's own upkeep, and
/// browsers' requests to apps.
const BEGINNINGS: [&str; 2] = ["request", "run"];
/// How long sending the last spans may delay the server's stop.
const FLUSH: Duration = Duration::from_secs(3);

/// Whether this process sends traces.
static ARE_ON: AtomicBool = AtomicBool::new(false);

/// Sends the process's spans to the collector.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Fails if the client can't be set up. Must be called on a runtime, which then sends the
    /// spans.
    pub fn start(settings: &config::Traces) -> anyhow::Result<Self> {
        let headers = settings.headers.iter();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_headers(
                headers
                    .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
                    .collect(),
            )
            .build()?;
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        ARE_ON.store(true, Ordering::Relaxed);
        Ok(Self { provider })
    }

    /// Collects the spans, independent of the log level: those of this program at `info` or above
    /// that are part of a trace. Libraries' spans contain addresses of requests.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        OpenTelemetryLayer::new(self.provider.tracer("codeflow"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(
                dynamic_filter_fn(|span, context| {
                    is_ours(span)
                        && (BEGINNINGS.contains(&span.name())
                            || context.lookup_current().is_some()
                            || Context::map_current(Context::has_active_span))
                })
                // Otherwise unwanted spans would be created, and come between others.
                .with_callsite_filter(|span| match is_ours(span) {
                    true => Interest::sometimes(),
                    false => Interest::never(),
                })
                .with_max_level_hint(Level::INFO),
            )
    }

    /// Sends the remaining spans, for a few seconds at most.
    pub async fn stop(self) {
        let provider = self.provider;
        let stopping = move || provider.shutdown_with_timeout(FLUSH);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(stopping).await {
            tracing::warn!(%error, "the last traces may not have been sent");
        }
    }
}

fn is_ours(span: &Metadata<'_>) -> bool {
    span.is_span()
        && *span.level() <= Level::INFO
        && span.target().split("::").next() == Some("codeflow")
}

/// Whether this process sends traces.
pub fn are_on() -> bool {
    ARE_ON.load(Ordering::Relaxed)
}

/// The current span as a `traceparent`, so that others can continue its trace; `None` if it is not
/// part of one.
pub fn traceparent() -> Option<String> {
    if !are_on() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// The `traceparent` among a request's headers.
pub fn of(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACEPARENT)?.to_str().ok()
}

/// The span created by `make`, as a part of the `traceparent`'s trace. An unreadable one is
/// ignored.
pub fn within(traceparent: Option<&str>, make: impl FnOnce() -> Span) -> Span {
    let (true, Some(traceparent)) = (are_on(), traceparent) else {
        return make();
    };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let propagator = TraceContextPropagator::new();
    let _attached = propagator
        .extract_with_context(&Context::new(), &carrier)
        .attach();
    make()
}

/// Marks the span as failed. The log says why.
pub fn fail(span: &Span) {
    span.set_status(Status::error(""));
}

/// Records a number on the span.
pub fn note(span: &Span, key: &'static str, number: u64) {
    span.set_attribute(key, i64::try_from(number).unwrap_or(i64::MAX));
}
