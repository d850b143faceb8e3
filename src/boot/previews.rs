//! Previews on the app's own listener, recognized by the Host header: served by the sandbox host in
//! this process, or passed on to the one that has the sandbox.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Response, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
};
use futures::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    e2b::{ENVD_PORT, SANDBOX_ID, SANDBOX_PORT},
    projects::Projects,
    sandbox_host::{EndsWith, SandboxHost, hop, preview_target},
    server::{Admission, FindPreview, PreviewGate},
};

/// How long connecting to a sandbox host may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who serves previews.
#[derive(Clone)]
pub(super) enum PreviewServer {
    /// The sandbox host in this process.
    Own(Arc<SandboxHost>),
    /// The hosts of `SANDBOX_HOSTS`.
    Remote {
        projects: Projects,
        /// The domain of previews.
        domain: Arc<str>,
    },
}

impl PreviewServer {
    /// The port and the sandbox that a Host header names, if any.
    fn target(&self, name: &str) -> Option<(u16, String)> {
        let domain = match self {
            Self::Own(host) => host.domain(),
            Self::Remote { domain, .. } => domain,
        };
        preview_target(name, domain)
    }

    async fn serve(&self, sandbox: &str, request: Request) -> Response<Body> {
        match self {
            Self::Own(host) => match host.previews().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Self::Remote { projects, .. } => match projects.preview_server(sandbox).await {
                Ok(Some(server)) => pass_on(&server, request).await.unwrap_or_else(|error| {
                    tracing::info!(server, error = format!("{error:#}"), "no preview");
                    no_answer(StatusCode::BAD_GATEWAY)
                }),
                Ok(None) => no_answer(StatusCode::NOT_FOUND),
                Err(error) => {
                    tracing::info!(sandbox.id = sandbox, %error, "a preview's host is unknown");
                    no_answer(StatusCode::BAD_GATEWAY)
                }
            },
        }
    }

    /// Finds existing previews by their whole host names.
    pub(super) fn finder(self) -> FindPreview {
        Arc::new(move |name| {
            let server = self.clone();
            Box::pin(async move { server.find(&name).await })
        })
    }

    async fn find(&self, name: &str) -> Option<(u16, String)> {
        let projects = match self {
            Self::Own(host) => return host.preview_at(name),
            Self::Remote { projects, .. } => projects,
        };
        let (port, sandbox) = self.target(name)?;
        // Each preview has one name.
        let is_whole = name.split('.').next() == Some(&format!("{port}-{sandbox}"));
        let is_there = is_whole
            && projects
                .has_sandbox(&sandbox)
                .await
                .is_ok_and(|found| found);
        is_there.then_some((port, sandbox))
    }
}

fn no_answer(status: StatusCode) -> Response<Body> {
    let text = match status {
        StatusCode::NOT_FOUND => "There is no such preview. Open its project in CodeFlow.",
        _ => {
            "The machine of this preview does not answer. Open its project in CodeFlow, which \
             makes the app again on another one."
        }
    };
    (status, text).into_response()
}

/// Serves requests for a preview's host name, once the gate admits them; all other requests go to
/// the app.
pub(super) fn with_previews(
    app: Router,
    server: PreviewServer,
    gate: Option<Arc<PreviewGate>>,
) -> Router {
    app.layer(middleware::from_fn(move |request: Request, next: Next| {
        let (mut request, body) = request.into_parts();
        let name = request
            .headers
            .get(header::HOST)
            .and_then(|name| name.to_str().ok())
            .unwrap_or_default();
        let target = server.target(name);
        let (server, gate) = (server.clone(), gate.clone());
        async move {
            let Some((port, sandbox)) = target else {
                return next.run(Request::from_parts(request, body)).await;
            };
            let mut admission = Admission::default();
            // envd requires a token itself.
            if let Some(gate) = gate.filter(|_| port != ENVD_PORT) {
                admission = match gate.admit(port, &sandbox, &request).await {
                    Ok(admission) => admission,
                    Err(answer) => return answer,
                };
            }
            if let Some(ends) = admission.ends {
                request.extensions.insert(EndsWith(ends));
            }
            let request = Request::from_parts(request, body);
            let mut response = server.serve(&sandbox, request).await;
            for cookie in admission.cookies {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
    }))
}

/// The answer of a sandbox host, which finds the sandbox by the same Host header.
async fn pass_on(server: &str, mut request: Request) -> anyhow::Result<Response<Body>> {
    let ends = request.extensions().get::<EndsWith>();
    let ends = ends.map_or_else(CancellationToken::new, |ends| ends.0.clone());
    hop::origin_form(&mut request);
    let upgrade = hop::begin(&mut request);
    for name in [SANDBOX_ID, SANDBOX_PORT] {
        request.headers_mut().remove(name);
    }
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(server)).await??;
    stream.set_nodelay(true)?;
    let mut response = hop::send(TokioIo::new(stream), request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        hop::strip_headers(response.headers_mut());
        return Ok(response.map(|body| {
            let body = Body::new(body).into_data_stream();
            Body::from_stream(body.take_until(ends.cancelled_owned()))
        }));
    }
    if let Some(upgrade) = upgrade {
        hop::join(upgrade, &mut response, ends.cancelled_owned());
    }
    Ok(response.map(|_| Body::empty()))
}
