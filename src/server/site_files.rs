//! Serves the page's files from the executable (`bundle`).

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use percent_encoding::percent_decode_str;

use super::AppState;

/// Answers requests for files in the archive. Requests with a route of their own, or for other
/// files, pass on.
pub async fn serve(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let has_route = request.extensions().get::<MatchedPath>().is_some();
    if let Some(bundle) = state.bundle.filter(|_| is_read && !has_route) {
        let path = request.uri().path().trim_start_matches('/');
        let path = percent_decode_str(path).decode_utf8_lossy();
        if let Some(answer) = bundle.answer(&path, request.headers()).await {
            return answer;
        }
    }
    next.run(request).await
}
