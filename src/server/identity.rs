//! The sender of a request: read from its cookie once, for pages, server functions, the feed and
//! files alike, which find a [`Requester`] in the request's extensions. What they may see is
//! decided by `projects` and `accounts`; here, visitors who aren't signed in are only redirected to
//! the sign-in page. Programs have routes of their own, where a token counts and a cookie does not.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Extension,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderName, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::AppState;
use crate::{
    accounts::{AccountError, Accounts, Client, Effort, Requester},
    projects::Projects,
    protocol::{ApiError, ErrorCode},
};

/// How long a socket may outlive a session that has expired.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Frequently requested paths that are the same for everyone.
const PUBLIC: [&str; 3] = ["/pkg/", "/healthz", "/readyz"];
/// The pages for signed-in users.
const PRIVATE: [&str; 5] = ["/projects/", "/settings", "/usage", "/admin/", "/invite/"];
/// The pages for visitors who aren't signed in.
const ENTRANCES: [&str; 3] = ["/sign-in", "/sign-in/code", "/sign-up"];

/// Projects, as the request's sender sees them.
pub struct Seen(pub Projects);

impl FromRequestParts<AppState> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let requester = parts.extensions.get::<Requester>();
        let identity = requester.and_then(|requester| requester.identity.clone());
        Ok(Self(state.projects.seen_by(identity)))
    }
}

/// Returns when the session that opened a socket has ended.
pub async fn signed_out(accounts: &Accounts, requester: Option<Extension<Requester>>) {
    let Some(identity) = requester.and_then(|Extension(requester)| requester.identity) else {
        return std::future::pending().await;
    };
    let mut ends = accounts.ends();
    loop {
        // Eventually notices sessions that expired, or that another process ended.
        let _ = tokio::time::timeout(CHECK_INTERVAL, ends.changed()).await;
        if let Ok(false) = accounts.is_open(&identity).await {
            return;
        }
    }
}

pub async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if PUBLIC.iter().any(|public| path.starts_with(public)) {
        return next.run(request).await;
    }
    let accounts = &state.accounts;
    let (mut token, mut step, mut passkey) = (None, None, None);
    let identified = if is_for_programs(path) {
        let sent = request.headers().get(header::AUTHORIZATION);
        let sent = sent.map(|sent| sent.to_str().unwrap_or_default());
        accounts.identify_program(sent).await.map(Some)
    } else {
        token = accounts.sent_token(texts(&request, header::COOKIE));
        step = accounts.sent_step(texts(&request, header::COOKIE));
        passkey = accounts.sent_passkey(texts(&request, header::COOKIE));
        accounts.identify(token.as_ref()).await
    };
    let identity = match identified {
        Ok(identity) => identity,
        Err(AccountError::Token(why)) => return without_token(why),
        Err(error) => return ApiError::from(error).into_response(),
    };
    if let Some(elsewhere) = elsewhere(&request, identity.is_some()) {
        return Redirect::to(&elsewhere).into_response();
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let forwarded: Vec<&str> =
        texts(&request, HeaderName::from_static("x-forwarded-for")).collect();
    let agent = texts(&request, header::USER_AGENT).next();
    let client = Client {
        address: accounts.client_address(peer, &forwarded.join(",")),
        agent: agent.unwrap_or_default().to_owned(),
    };
    if let Some(effort) = effort(&request)
        && let Err(error) = accounts.admit(effort, identity.as_ref(), &client)
    {
        return ApiError::from(error).into_response();
    }
    let credits = match identity.as_ref().filter(|_| is_page(&request)) {
        // A page without its balance is better than no page.
        Some(identity) => accounts.credits(identity).await.ok().flatten(),
        None => None,
    };
    request.extensions_mut().insert(Requester {
        credits,
        identity,
        client,
        token,
        step,
        passkey,
    });
    next.run(request).await
}

/// Whether the path takes a token and no cookie.
fn is_for_programs(path: &str) -> bool {
    path == "/mcp" || path.starts_with("/api/v1/")
}

/// The answer to a program without a valid token (RFC 6750).
fn without_token(why: &'static str) -> Response {
    let challenge = (header::WWW_AUTHENTICATE, "Bearer");
    let error = ApiError::new(ErrorCode::Unauthorized, why);
    ([challenge], error).into_response()
}

/// The readable values of the header.
fn texts(request: &Request, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = request.headers().get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// The limited kind of work that the request asks for, if any.
fn effort(request: &Request) -> Option<Effort> {
    const PROMPTS: [&str; 7] = [
        "/api/projects/create",
        "/api/messages/send",
        "/api/messages/edit",
        "/api/messages/improve",
        "/api/messages/retry",
        "/api/account/model-keys/test",
        "/api/runs/replay",
    ];
    const UPLOADS: [&str; 2] = ["/api/images", "/api/files/upload"];
    let path = request.uri().path();
    let is_post = request.method() == Method::POST;
    if path.starts_with("/ws/") {
        Some(Effort::Socket)
    } else if is_post && PROMPTS.contains(&path) {
        Some(Effort::Prompt)
    } else if is_post && UPLOADS.contains(&path) {
        Some(Effort::Upload)
    } else if is_post && path == "/api/journeys/play" {
        Some(Effort::Journey)
    } else {
        None
    }
}

/// Whether a browser is requesting a page.
fn is_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT);
    matches!(*request.method(), Method::GET | Method::HEAD)
        && accepts.is_some_and(|accepts| accepts.as_bytes().starts_with(b"text/html"))
}

/// The page to redirect to if the requested one is not for this visitor.
fn elsewhere(request: &Request, is_signed_in: bool) -> Option<String> {
    if !is_page(request) {
        return None;
    }
    let path = request.uri().path();
    let is_private = PRIVATE.iter().any(|private| path.starts_with(private));
    let is_entrance = ENTRANCES.contains(&path);
    if is_private && !is_signed_in {
        let target = request.uri().path_and_query()?.as_str();
        let target = utf8_percent_encode(target, NON_ALPHANUMERIC);
        return Some(format!("/sign-in?to={target}"));
    }
    (is_entrance && is_signed_in).then(|| "/".to_owned())
}
