//! The data plane: forwards requests to a port of a sandbox. Port 49983 is envd's and requires the
//! sandbox's token; every other port belongs to an app and is public to whoever knows the id.

mod access;
mod answers;
mod target;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request, Response, StatusCode, header},
};
use secrecy::ExposeSecret;
use tracing::Instrument;

use super::{
    connection::{Connection, EndsWith, ProxiedBody},
    hop,
    http::{api_error, json, strip_ours},
    pages::Audience,
    preview::{self, Showing},
    running_container::RunningContainer,
    sandboxes::{Awake, Sandboxes, Waiting},
};
use crate::{
    config,
    e2b::{ACCESS_TOKEN, ENVD_PORT, PASSIVE, SANDBOX_ID, SANDBOX_PORT},
    traces,
};
pub(super) use access::by_signature;
use target::Target;
pub(super) use target::{by_host, target};

/// How many times a closed port is dialled, and the pause in between: dev servers restart.
const MAX_DIALS: u32 = 5;
const REDIAL_DELAY: Duration = Duration::from_millis(100);

/// Answers a request addressed to a sandbox's port by its host name alone, as browsers do.
pub(super) async fn serve_preview(
    sandboxes: Arc<Sandboxes>,
    mut request: Request<Body>,
) -> Response<Body> {
    for name in [SANDBOX_ID, SANDBOX_PORT] {
        request.headers_mut().remove(name);
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match host.and_then(|host| by_host(host, &sandboxes.settings().domain)) {
        Some(target) => serve(sandboxes, target, request).await,
        None => api_error(StatusCode::NOT_FOUND, "no such preview"),
    }
}

/// Answers a request with what the sandbox's port answers.
pub(super) async fn serve(
    sandboxes: Arc<Sandboxes>,
    target: Target,
    request: Request<Body>,
) -> Response<Body> {
    // Apps have traces of their own.
    let traceparent = traces::of(request.headers()).filter(|_| target.port == ENVD_PORT);
    let span = traces::within(traceparent, || {
        tracing::info_span!(
            "sandbox_request",
            sandbox.id = target.id,
            port = target.port
        )
    });
    answer(sandboxes, target, request).instrument(span).await
}

async fn answer(
    sandboxes: Arc<Sandboxes>,
    target: Target,
    request: Request<Body>,
) -> Response<Body> {
    let audience = Audience::of(request.headers());
    if target.by_host {
        if preview::is_refused(target.port) {
            return answers::no_preview(&target, audience);
        }
        if let Some(file) = preview::own_file(&request, sandboxes.settings()) {
            return file;
        }
    }
    let Ok(sandbox) = sandboxes.get(&target.id) else {
        return answers::not_found(&target, audience);
    };
    let record = sandbox.record();
    let refusal = if target.port == ENVD_PORT {
        access::refuse_envd(&record, &request)
    } else {
        access::refuse_app(&record, &request)
    };
    if let Some(refusal) = refusal {
        return refusal;
    }
    let mut in_use = sandbox.in_use();
    // In a task of its own: a client that disconnects must not leave the sandbox half awake.
    // SDKs ask for its health to find out whether it runs, such as when a pause ended a stream.
    let only_asks = target.port == ENVD_PORT && request.uri().path() == "/health";
    let waking = tokio::spawn({
        let (sandboxes, sandbox) = (sandboxes.clone(), sandbox.clone());
        async move {
            if only_asks {
                sandboxes.if_running(&sandbox).await
            } else {
                sandboxes.reach(&sandbox).await
            }
        }
        .in_current_span()
    });
    let Awake {
        container,
        connected,
        ..
    } = match waking.await.map_err(anyhow::Error::from).flatten() {
        Ok(Some(awake)) => awake,
        Ok(None) => return answers::not_found(&target, audience),
        Err(error) => return answers::not_woken(&target, audience, &error),
    };
    if target.port == ENVD_PORT && request.uri().path() == "/metrics" {
        return json(StatusCode::OK, &sandboxes.moment(&sandbox).await);
    }
    if target.port == ENVD_PORT && request.headers().contains_key(PASSIVE) {
        in_use.stop_counting();
    }
    let ends = request.extensions().get::<EndsWith>();
    let ends = ends.map(|ends| ends.0.clone());
    let connection = Connection::new(connected.clone(), ends, in_use);
    let forwarding = async {
        if target.port == ENVD_PORT {
            forward_to_envd(&container, request, connection)
                .await
                .map(Some)
        } else {
            let mask = record.network.mask_request_host.as_deref();
            forward_to_app(
                &container,
                &target,
                mask,
                sandboxes.settings(),
                request,
                connection,
            )
            .await
        }
    };
    let answered = tokio::select! {
        answered = forwarding => answered,
        () = connected.cancelled() => return answers::not_found(&target, audience),
    };
    match answered {
        Ok(Some(response)) => response,
        Ok(None) => answers::closed(&target, audience, sandbox.health().notice()),
        Err(error) => {
            tracing::debug!(
                error = format!("{error:#}"),
                "a request to a sandbox failed"
            );
            // The next request by a person starts it again.
            if container.ended.is_cancelled()
                && (audience == Audience::Program || !sandbox.record().auto_resume)
            {
                return answers::not_found(&target, audience);
            }
            answers::closed(&target, audience, sandbox.health().notice())
        }
    }
}

async fn forward_to_envd(
    container: &RunningContainer,
    mut request: Request<Body>,
    connection: Connection,
) -> anyhow::Result<Response<Body>> {
    hop::origin_form(&mut request);
    hop::strip_headers(request.headers_mut());
    for name in [ACCESS_TOKEN, PASSIVE, SANDBOX_ID, SANDBOX_PORT] {
        request.headers_mut().remove(name);
    }
    request.headers_mut().remove(traces::TRACEPARENT);
    let mut response = container.request(request).await?;
    hop::strip_headers(response.headers_mut());
    Ok(response.map(|body| Body::new(ProxiedBody::new(body, connection))))
}

/// `None` if nothing listens on the port.
async fn forward_to_app(
    container: &RunningContainer,
    target: &Target,
    mask: Option<&str>,
    settings: &config::SandboxHost,
    mut request: Request<Body>,
    connection: Connection,
) -> anyhow::Result<Option<Response<Body>>> {
    let waiting = connection.in_use().health().wait_for(target.port);
    let Some(stream) = dial(container, target.port).await? else {
        return Ok(None);
    };
    hop::origin_form(&mut request);
    let showing = target
        .by_host
        .then(|| Showing::of(&mut request, target.port, settings));
    let upgrade = hop::begin(&mut request);
    let headers = request.headers_mut();
    strip_ours(headers, settings.host_key.expose_secret());
    if let Some(mask) = mask {
        if let Some(host) = headers.insert(
            header::HOST,
            HeaderValue::from_str(&mask.replace("${PORT}", &target.port.to_string()))?,
        ) {
            headers.insert(HeaderName::from_static("x-forwarded-host"), host);
        }
    } else if !target.by_host {
        headers.insert(
            header::HOST,
            HeaderValue::from_str(&format!("localhost:{}", target.port))?,
        );
    }

    let mut response = hop::send(stream, request).await?;
    waiting.into_iter().for_each(Waiting::answered);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        hop::strip_headers(response.headers_mut());
        // A service worker may only control its own folder, and an app must not clear what others
        // stored.
        response.headers_mut().remove("service-worker-allowed");
        response.headers_mut().remove("clear-site-data");
        let response = response.map(|body| Body::new(ProxiedBody::new(body, connection)));
        return Ok(Some(match showing {
            Some(showing) => showing.answer(response, settings).await,
            None => response,
        }));
    }
    if let Some(upgrade) = upgrade {
        hop::join(
            upgrade,
            &mut response,
            async move { connection.cut().await },
        );
    }
    Ok(Some(response.map(|_| Body::empty())))
}

async fn dial(
    container: &RunningContainer,
    port: u16,
) -> anyhow::Result<Option<hyper::upgrade::Upgraded>> {
    for attempt in 1..=MAX_DIALS {
        if let Some(stream) = container.tunnel(port).await? {
            return Ok(Some(stream));
        }
        if attempt < MAX_DIALS {
            tokio::time::sleep(REDIAL_DELAY).await;
        }
    }
    Ok(None)
}
