//! Access to previews. A preview has another origin than the builder and doesn't see its sessions,
//! so a browser without a pass is redirected through the builder: `/preview/{name}` checks whose
//! sandbox it is, and sends the browser back with a pass, which the preview keeps in a cookie of
//! its own. Shared apps are open to anyone who knows their address, and without accounts all
//! previews are.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cookie::{Cookie, SameSite, time};
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{AppState, identity::Seen, preview_hosts::PreviewHosts};
use crate::{
    accounts::{Accounts, Pass, PassKind, Requester, own_path},
    projects::{ProjectError, Projects},
    protocol::{ApiError, ErrorCode, ProjectRole, SessionId},
};

/// The cookie's name. The sandbox host hides cookies with this prefix from apps.
const COOKIE: &str = "codeflow-preview";
/// The paths where a preview receives the pass from the builder, and where it checks that the
/// browser kept the cookie.
const ENTER: &str = "/__codeflow/enter";
const ENTERED: &str = "/__codeflow/entered";
/// How long a connection may outlive a session that has expired.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The gate in front of the previews on this server's own listener.
pub struct PreviewGate {
    projects: Projects,
    accounts: Accounts,
    public_url: Arc<str>,
    /// Whether the builder is only reachable from this machine, on whatever port it listens.
    on_loopback: bool,
    /// The sessions that view previews, each by its preview's sandbox.
    viewers: Mutex<HashMap<(SessionId, String), Viewer>>,
}

/// A session that views a preview.
#[derive(Debug, Clone)]
struct Viewer {
    role: ProjectRole,
    /// The time of the check, and the count of membership changes at that time.
    at: Instant,
    changes: u64,
    /// Cancelled when access ends.
    ends: CancellationToken,
}

/// A request that may pass to its preview.
#[derive(Debug, Default)]
pub struct Admission {
    /// Cancelled when its sender may no longer see the preview.
    pub ends: Option<CancellationToken>,
    /// `Set-Cookie` values for the response.
    pub cookies: Vec<HeaderValue>,
}

impl PreviewGate {
    /// Creates the gate, which cuts connections when their session ends, until the shutdown.
    pub fn new(
        projects: Projects,
        accounts: Accounts,
        public_url: Arc<str>,
        on_loopback: bool,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let gate = Arc::new(Self {
            projects,
            accounts,
            public_url,
            on_loopback,
            viewers: Mutex::default(),
        });
        let watching = gate.clone();
        tokio::spawn(shutdown.run_until_cancelled_owned(async move { watching.watch().await }));
        gate
    }

    async fn watch(&self) {
        let (mut ends, mut changes) = (self.accounts.ends(), self.projects.memberships());
        loop {
            tokio::select! {
                _ = ends.changed() => {}
                _ = changes.changed() => {}
                // Eventually notices sessions that expired, or that another process ended.
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
            }
            let known: Vec<(SessionId, String)> = self.viewers.lock().keys().cloned().collect();
            if known.is_empty() {
                continue;
            }
            let sessions = known.iter().map(|(session, _)| *session).collect();
            match self.accounts.open_among(sessions).await {
                Ok(open) => self.viewers.lock().retain(|(session, _), viewer| {
                    let is_open = open.contains(session);
                    if !is_open {
                        viewer.ends.cancel();
                    }
                    is_open
                }),
                Err(error) => {
                    tracing::warn!(%error, "whether sessions have ended can't be known");
                }
            }
            for (session, sandbox) in known {
                if let Err(error) = self.look(session, &sandbox).await {
                    tracing::warn!(%error, "who may see a preview can't be known");
                }
            }
        }
    }

    /// A token that is cancelled when the session may no longer see the preview; `None` if it may
    /// not now. An owner's access is cached as long as the session lasts, others' for a while.
    async fn look(
        &self,
        session: SessionId,
        sandbox: &str,
    ) -> Result<Option<CancellationToken>, ProjectError> {
        let key = (session, sandbox.to_owned());
        let changes = *self.projects.memberships().borrow();
        let known = self.viewers.lock().get(&key).cloned();
        if let Some(viewer) = &known {
            let is_fresh = viewer.changes == changes && viewer.at.elapsed() < CHECK_INTERVAL;
            if viewer.role == ProjectRole::Owner || is_fresh {
                return Ok(Some(viewer.ends.clone()));
            }
        }
        let role = self.projects.role_of_session(session, sandbox).await?;
        let mut viewers = self.viewers.lock();
        let Some(role) = role else {
            if let Some(viewer) = viewers.remove(&key) {
                viewer.ends.cancel();
            }
            return Ok(None);
        };
        let ends = viewers.get(&key).map(|viewer| viewer.ends.clone());
        let ends = ends.unwrap_or_default();
        let viewer = Viewer {
            role,
            at: Instant::now(),
            changes,
            ends: ends.clone(),
        };
        viewers.insert(key, viewer);
        Ok(Some(ends))
    }

    /// Lets a request to the sandbox's port pass, or answers it.
    pub async fn admit(
        &self,
        port: u16,
        sandbox: &str,
        request: &Parts,
    ) -> Result<Admission, Response> {
        if self.projects.is_shared(sandbox) {
            return Ok(Admission::default());
        }
        let query = |name| parameter(request, name);
        let to = query("to");
        let to = own_path(to.as_deref());
        let path = request.uri.path();
        if path == ENTER {
            let pass = query("pass").unwrap_or_default();
            return Err(self.enter(sandbox, request, &pass, to).await);
        }
        let shown = self.shown_pass(sandbox, &request.headers).await;
        let Some(pass) = shown.map_err(IntoResponse::into_response)? else {
            return Err(match path {
                ENTERED => not_kept(),
                _ => self.refuse(port, sandbox, request),
            });
        };
        if path == ENTERED {
            return Err(Redirect::to(to).into_response());
        }
        let ends = self.look(pass.session, sandbox).await;
        let ends = ends.map_err(|error| ApiError::from(error).into_response())?;
        let Some(ends) = ends else {
            return Err(self.refuse(port, sandbox, request));
        };
        let mut cookies = Vec::new();
        if pass.is_old && navigates(request) {
            let fresh = self
                .accounts
                .pass(pass.session, sandbox, PassKind::Cookie)
                .await;
            if let Ok(Some(fresh)) = fresh {
                cookies = self.cookies(request, &fresh);
            }
        }
        Ok(Admission {
            ends: Some(ends),
            cookies,
        })
    }

    /// The valid pass among the browser's cookies.
    async fn shown_pass(
        &self,
        sandbox: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Pass>, ApiError> {
        let values = headers.get_all(header::COOKIE).into_iter();
        let values = values.filter_map(|value| value.to_str().ok());
        let sent: Vec<String> = values
            .flat_map(|value| Cookie::split_parse(value).flatten())
            .filter(|cookie| cookie.name() == COOKIE)
            .map(|cookie| cookie.value().to_owned())
            .collect();
        for pass in sent {
            let found = self.accounts.check_pass(&pass, sandbox, PassKind::Cookie);
            if let Some(pass) = found.await? {
                return Ok(Some(pass));
            }
        }
        Ok(None)
    }

    /// Exchanges the builder's pass for a cookie.
    async fn enter(&self, sandbox: &str, request: &Parts, pass: &str, to: &str) -> Response {
        let accounts = &self.accounts;
        let entering = async {
            let entry = accounts.check_pass(pass, sandbox, PassKind::Entry).await?;
            match entry {
                Some(entry) => {
                    accounts
                        .pass(entry.session, sandbox, PassKind::Cookie)
                        .await
                }
                None => Ok(None),
            }
        };
        let kept = match entering.await {
            Ok(Some(kept)) => kept,
            // The page was reopened from the history: start over.
            Ok(None) => return Redirect::to(to).into_response(),
            Err(error) => return ApiError::from(error).into_response(),
        };
        let to = utf8_percent_encode(to, NON_ALPHANUMERIC);
        let mut response = Redirect::to(&format!("{ENTERED}?to={to}")).into_response();
        for cookie in self.cookies(request, &kept) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        secret(response)
    }

    /// The pass as cookies. A frame on another site needs a partitioned cookie, which browsers
    /// accept only over connections they consider secure; the other cookie is for everything else.
    fn cookies(&self, request: &Parts, pass: &str) -> Vec<HeaderValue> {
        let is_encrypted = self.public_url.starts_with("https://");
        let cookie = || {
            let lifetime = PassKind::Cookie.lifetime().as_secs();
            let lifetime = i64::try_from(lifetime).unwrap_or_default();
            Cookie::build((COOKIE, pass.to_owned()))
                .path("/")
                .http_only(true)
                .max_age(time::Duration::seconds(lifetime))
        };
        let own = cookie().secure(is_encrypted).same_site(SameSite::Lax);
        let framed = cookie()
            .secure(true)
            .same_site(SameSite::None)
            .partitioned(true);
        let is_framed = text(request, "sec-fetch-dest") != "document";
        let cookies = match (is_framed, is_encrypted) {
            (true, true) => vec![framed],
            (true, false) => vec![own, framed],
            (false, _) => vec![own],
        };
        let values = cookies.into_iter().map(|cookie| cookie.build().to_string());
        values
            .filter_map(|value| HeaderValue::try_from(value).ok())
            .collect()
    }

    /// Redirects a browser that navigates to a page through the builder; refuses everything else.
    fn refuse(&self, port: u16, sandbox: &str, request: &Parts) -> Response {
        if !navigates(request) {
            return ApiError::new(
                ErrorCode::Forbidden,
                "This preview is private. Open its project in CodeFlow.",
            )
            .into_response();
        }
        let to = request.uri.path_and_query();
        let to = to.map_or("/", |to| to.as_str());
        let to = utf8_percent_encode(to, NON_ALPHANUMERIC);
        let builder = self.builder(request);
        let way = format!("{builder}/preview/{port}-{sandbox}?to={to}");
        secret(Redirect::to(&way).into_response())
    }

    fn builder(&self, request: &Parts) -> String {
        let port = text(request, "host").rsplit_once(':').map(|(_, port)| port);
        match port {
            // Previews are on the builder's own listener.
            Some(port) if self.on_loopback => format!("http://localhost:{port}"),
            _ => self.public_url.to_string(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Target {
    to: Option<String>,
}

/// `/preview/{port}-{sandbox}?to={path}`: redirects users who may see the preview to it, with a
/// pass.
pub async fn lead(
    State(state): State<AppState>,
    Seen(projects): Seen,
    Extension(requester): Extension<Requester>,
    Path(name): Path<String>,
    Query(Target { to }): Query<Target>,
) -> Response {
    let parts = name.split_once('-');
    let parts = parts.and_then(|(port, sandbox)| Some((port.parse::<u16>().ok()?, sandbox)));
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Some((port, sandbox)) = parts.filter(|(_, sandbox)| is_id(sandbox)) else {
        return absent();
    };
    let to = own_path(to.as_deref());
    let PreviewHosts { scheme, domain } = &state.previews;
    let preview = format!("{scheme}://{port}-{sandbox}.{domain}");
    if projects.is_shared(sandbox) {
        return Redirect::to(&format!("{preview}{to}")).into_response();
    }
    match projects.expect_sandbox(sandbox).await {
        Ok(()) => {}
        Err(ProjectError::SignedOut) => return signed_out(&name, to),
        Err(ProjectError::NotFound(_)) => return absent(),
        Err(error) => return ApiError::from(error).into_response(),
    }
    let session = requester.identity.and_then(|identity| identity.session);
    let Some(session) = session else {
        // The server has no accounts.
        return Redirect::to(&format!("{preview}{to}")).into_response();
    };
    match state.accounts.pass(session, sandbox, PassKind::Entry).await {
        Ok(Some(pass)) => {
            let to = utf8_percent_encode(to, NON_ALPHANUMERIC);
            let way = format!("{preview}{ENTER}?pass={pass}&to={to}");
            secret(Redirect::to(&way).into_response())
        }
        Ok(None) => signed_out(&name, to),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// A response that is not cached, and whose address does not leak into `Referer`.
fn secret(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let silent = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, silent);
    response
}

fn signed_out(name: &str, to: &str) -> Response {
    let to = utf8_percent_encode(to, NON_ALPHANUMERIC).to_string();
    let way = format!("/preview/{name}?to={to}");
    let way = utf8_percent_encode(&way, NON_ALPHANUMERIC);
    let link = format!("<a href=\"/sign-in?to={way}\" target=\"_top\">Sign in</a>");
    let text = format!("It is for those who work on its project. {link} to see it.");
    page(StatusCode::FORBIDDEN, "This preview is private", &text)
}

fn absent() -> Response {
    let text = "It may have ended, or it is somebody else's.";
    page(StatusCode::NOT_FOUND, "There is no such preview", text)
}

fn not_kept() -> Response {
    let text = "This browser doesn't keep the cookie that says who you are in a preview. Allow \
                cookies here, or open the preview in a tab of its own.";
    let mut response = page(
        StatusCode::FORBIDDEN,
        "This preview can't be opened here",
        text,
    );
    // It appears in the builder's frame, on the preview's origin.
    response.headers_mut().remove(header::X_FRAME_OPTIONS);
    response
}

/// The style of its own pages.
const STYLE: &str = "
  body { margin: 0; min-height: 100dvh; display: grid; place-items: center; font: 15px/1.5 system-ui, sans-serif;
         background: light-dark(#fff, #0f0f11); color: light-dark(#18181b, #f4f4f5); }
  main { max-width: 26rem; padding: 2rem; text-align: center; }
  h1 { margin: 0 0 .25rem; font-size: 1rem; font-weight: 600; }
  p { margin: 0; color: light-dark(#52525b, #a1a1aa); }
  a { color: inherit; }
";

/// Their policy, which allows that style alone.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
});

/// A short page, which the builder may frame.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p></main></body>
</html>
"#
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
    ];
    (status, headers, Body::from(html)).into_response()
}

/// Whether a browser is navigating to a page.
fn navigates(request: &Parts) -> bool {
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    is_read
        && match text(request, "sec-fetch-mode") {
            "" => text(request, header::ACCEPT.as_str()).contains("text/html"),
            mode => mode == "navigate",
        }
}

fn text<'a>(request: &'a Parts, name: &'static str) -> &'a str {
    let value = request.headers.get(HeaderName::from_static(name));
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn parameter(request: &Parts, name: &str) -> Option<String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&request.uri)
        .ok()?
        .0;
    let mut pairs = pairs.into_iter();
    pairs
        .find(|(found, _)| found == name)
        .map(|(_, value)| value)
}
