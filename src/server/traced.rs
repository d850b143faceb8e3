//! The span of a request, which begins a trace or continues that of the client's `traceparent`.
//! Active only if traces are sent.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use super::metrics::method;
use crate::traces;

/// Frequently polled routes that say nothing about users' actions.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Answers within a span named by method and route template: paths contain ids, and queries contain
/// users' texts.
pub async fn trace(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let Some(route) = route.filter(|route| traces::are_on() && !PROBES.contains(&route.as_str()))
    else {
        return next.run(request).await;
    };
    let (method, route) = (method(request.method()), route.as_str());
    let span = traces::within(traces::of(request.headers()), || {
        tracing::info_span!(
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            http.request.method = method,
            http.route = route
        )
    });
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    traces::note(&span, "http.response.status_code", status.as_u16().into());
    if status.is_server_error() {
        traces::fail(&span);
    }
    response
}
