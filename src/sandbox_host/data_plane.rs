//! The data plane: requests to a port of a sandbox, told by the Host's first label
//! (`<port>-<id>.<domain>`) or by E2B's headers. Port 49983 is envd's, which asks for the sandbox's
//! token; every other port is an app's, and public to who knows the id.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header,
    },
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::{
    error::HostError,
    http::{api_error, html, json, strip_hop_by_hop, strip_ours},
    live::Live,
    pages,
    passage::{Passage, Passing},
    preview::{self, Showing},
    record::Record,
    sandboxes::{Awake, Notice, Sandboxes, Waiting},
    signature,
};
use crate::{
    config,
    e2b::{ACCESS_TOKEN, ENVD_PORT, SANDBOX_ID, SANDBOX_PORT, TRAFFIC_TOKEN},
};

/// How often a port that is not open is tried again, and how long after: dev servers restart.
const DIALS: u32 = 5;
const BETWEEN_DIALS: Duration = Duration::from_millis(100);

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub id: String,
    pub port: u16,
    /// Told by the Host header, which then means something to the app.
    by_host: bool,
}

/// What a browser on this machine finds every sandbox below, whatever the previews' domain is.
const LOCALHOST: &str = "localhost";

/// The target of a request to the data plane; `None` when the request is not one. The error is a
/// refusal's text. A host name that stands for a port wins, as with E2B: a page may set headers,
/// and is to reach its own origin alone.
pub(super) fn target(headers: &HeaderMap, domain: &str) -> Result<Option<Target>, &'static str> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let named = text(&header::HOST)
        .and_then(|host| by_host(host, domain).or_else(|| by_host(host, LOCALHOST)));
    match (named, text(&SANDBOX_ID), text(&SANDBOX_PORT)) {
        (Some(target), ..) => Ok(Some(target)),
        (None, None, None) => Ok(None),
        (None, Some(id), Some(port)) => match port.parse() {
            Ok(port) if is_id(id) => Ok(Some(Target {
                id: id.to_owned(),
                port,
                by_host: false,
            })),
            _ => Err("the headers E2b-Sandbox-Id and E2b-Sandbox-Port name no sandbox's port"),
        },
        _ => Err("missing header: E2b-Sandbox-Id and E2b-Sandbox-Port belong together"),
    }
}

/// The target of a request for a signed file that names no sandbox: the one whose token signed it.
pub(super) fn by_signature(sandboxes: &Sandboxes, request: &Request<Body>) -> Option<Target> {
    if request.uri().path() != "/files" {
        return None;
    }
    let signed = |record: &Record| {
        let token = record.token.as_ref()?;
        signature::check(request.method(), request.uri(), token).ok()
    };
    let records = sandboxes.all().into_iter().map(|sandbox| sandbox.record());
    let record = records
        .into_iter()
        .find(|record| signed(record).is_some())?;
    Some(Target {
        id: record.id,
        port: ENVD_PORT,
        by_host: false,
    })
}

/// Answers a request to a sandbox's port by its host name alone, as browsers send them.
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

/// The target that a host name stands for, below the domain; ports of both don't matter.
pub(super) fn by_host(host: &str, domain: &str) -> Option<Target> {
    let without_port = |name: &str| {
        name.rsplit_once(':')
            .map_or(name, |(name, _)| name)
            .to_ascii_lowercase()
    };
    let host = without_port(host);
    let label = host
        .strip_suffix(&without_port(domain))?
        .strip_suffix('.')?;
    let (port, id) = label.split_once('-')?;
    // Behind a second dash, E2B's older names carry more.
    let id = id.split('-').next()?;
    if !is_id(id) || port.starts_with(['0', '+']) {
        return None;
    }
    Some(Target {
        id: id.to_owned(),
        port: port.parse().ok()?,
        by_host: true,
    })
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Answers a request with what the sandbox's port says.
pub(super) async fn serve(
    sandboxes: Arc<Sandboxes>,
    target: Target,
    request: Request<Body>,
) -> Response<Body> {
    let page = pages::Audience::of(request.headers());
    if target.by_host {
        if preview::is_refused(target.port) {
            return no_preview(&target, page);
        }
        if let Some(file) = preview::own_file(&request, sandboxes.settings()) {
            return file;
        }
    }
    let Ok(sandbox) = sandboxes.get(&target.id) else {
        return not_found(&target, page);
    };
    let record = sandbox.record();
    let refusal = if target.port == ENVD_PORT {
        refuse_envd(&record, &request)
    } else {
        refuse_app(&record, &request)
    };
    if let Some(refusal) = refusal {
        return refusal;
    }
    let in_use = sandbox.in_use();
    // In a task of its own: a client that hangs up must not leave the sandbox half awake.
    let waking = tokio::spawn({
        let (sandboxes, sandbox) = (sandboxes.clone(), sandbox.clone());
        async move { sandboxes.reach(&sandbox).await }
    });
    let Awake {
        live, connected, ..
    } = match waking.await.map_err(anyhow::Error::from).flatten() {
        Ok(Some(awake)) => awake,
        Ok(None) => return not_found(&target, page),
        Err(error) => {
            if let Some(HostError::Full(reason)) = error.downcast_ref::<HostError>()
                && page == pages::Audience::Person
            {
                return html(StatusCode::BAD_GATEWAY, pages::waiting_for_room(reason));
            }
            tracing::error!(
                sandbox.id = target.id,
                error = format!("{error:#}"),
                "the sandbox can't be woken"
            );
            let message = format!("the sandbox can't be woken: {error:#}");
            let body =
                serde_json::json!({ "sandboxId": target.id, "message": message, "code": 502 });
            return json(StatusCode::BAD_GATEWAY, &body);
        }
    };
    if target.port == ENVD_PORT && request.uri().path() == "/metrics" {
        return json(StatusCode::OK, &sandboxes.moment(&sandbox).await);
    }
    let passage = Passage::new(connected.clone(), in_use);
    let forwarding = async {
        if target.port == ENVD_PORT {
            forward_to_envd(&live, request, passage).await.map(Some)
        } else {
            let mask = record.network.mask_request_host.as_deref();
            forward_to_app(&live, &target, mask, sandboxes.settings(), request, passage).await
        }
    };
    let answered = tokio::select! {
        answered = forwarding => answered,
        () = connected.cancelled() => return not_found(&target, page),
    };
    match answered {
        Ok(Some(response)) => response,
        Ok(None) => closed(&target, page, sandbox.health().notice()),
        Err(error) => {
            tracing::debug!(
                sandbox.id = target.id,
                port = target.port,
                error = format!("{error:#}"),
                "a request to a sandbox failed"
            );
            // A person's next request starts it again.
            if live.ended.is_cancelled()
                && (page == pages::Audience::Program || !sandbox.record().auto_resume)
            {
                return not_found(&target, page);
            }
            closed(&target, page, sandbox.health().notice())
        }
    }
}

/// The refusal of a request to envd without the sandbox's token, or to what is the host's alone.
fn refuse_envd(record: &Record, request: &Request<Body>) -> Option<Response<Body>> {
    if request.uri().path().starts_with("/codeflow/") {
        return Some(api_error(StatusCode::NOT_FOUND, "no such route"));
    }
    let token = record.token.as_ref()?;
    if request.uri().path() == "/health" {
        return None;
    }
    if carries(request, &ACCESS_TOKEN, token) {
        return None;
    }
    if request.uri().path() == "/files" {
        let fault = if request.headers().contains_key(ACCESS_TOKEN) {
            "access token present in header but does not match"
        } else {
            match signature::check(request.method(), request.uri(), token) {
                Ok(()) => return None,
                Err(fault) => fault,
            }
        };
        return Some(api_error(StatusCode::UNAUTHORIZED, fault));
    }
    Some(api_error(
        StatusCode::UNAUTHORIZED,
        "unauthorized access, please provide a valid access token or method signing if supported",
    ))
}

/// Whether the header's value is the token; digests, so that the time a comparison takes tells
/// nothing.
fn carries(request: &Request<Body>, name: &HeaderName, token: &str) -> bool {
    let given = request
        .headers()
        .get(name)
        .map(|value| Sha256::digest(value.as_bytes()));
    given == Some(Sha256::digest(token))
}

/// The refusal of a request to an app without the traffic token that its sandbox's settings ask
/// for.
fn refuse_app(record: &Record, request: &Request<Body>) -> Option<Response<Body>> {
    let token = record.traffic_token.as_ref()?;
    if carries(request, &TRAFFIC_TOKEN, token) {
        return None;
    }
    let fault = if request.headers().contains_key(TRAFFIC_TOKEN) {
        "is invalid"
    } else {
        "is missing"
    };
    let message = format!(
        "Sandbox is secured with traffic access token. Token header '{TRAFFIC_TOKEN}' {fault}"
    );
    let body = serde_json::json!({ "sandboxId": record.id, "message": message, "code": 403 });
    Some(json(StatusCode::FORBIDDEN, &body))
}

async fn forward_to_envd(
    live: &Live,
    mut request: Request<Body>,
    passage: Passage,
) -> anyhow::Result<Response<Body>> {
    origin_form(&mut request);
    strip_hop_by_hop(request.headers_mut());
    for name in [ACCESS_TOKEN, SANDBOX_ID, SANDBOX_PORT] {
        request.headers_mut().remove(name);
    }
    let mut response = live.request(request).await?;
    strip_hop_by_hop(response.headers_mut());
    Ok(response.map(|body| Body::new(Passing::new(body, passage))))
}

/// `None` when nothing listens on the port.
async fn forward_to_app(
    live: &Live,
    target: &Target,
    mask: Option<&str>,
    settings: &config::SandboxHost,
    mut request: Request<Body>,
    passage: Passage,
) -> anyhow::Result<Option<Response<Body>>> {
    let waiting = passage.in_use().health().wait_for(target.port);
    let Some(stream) = dial(live, target.port).await? else {
        return Ok(None);
    };
    origin_form(&mut request);
    let upgrade = request.headers().get(header::UPGRADE).cloned();
    let showing = target
        .by_host
        .then(|| Showing::of(&mut request, target.port, settings));
    strip_hop_by_hop(request.headers_mut());
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
    if let Some(upgrade) = &upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade.clone());
    }
    let ours = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));

    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await?;
    waiting.into_iter().for_each(Waiting::answered);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip_hop_by_hop(response.headers_mut());
        // A service worker may rule its own folder only, and nobody clears what other apps stored.
        response.headers_mut().remove("service-worker-allowed");
        response.headers_mut().remove("clear-site-data");
        let response = response.map(|body| Body::new(Passing::new(body, passage)));
        return Ok(Some(match showing {
            Some(showing) => showing.answer(response, settings).await,
            None => response,
        }));
    }
    if let Some(ours) = ours {
        let theirs = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let Ok((ours, theirs)) = tokio::try_join!(ours, theirs) {
                let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
                    () = passage.connected.cancelled() => {}
                }
            }
        });
    }
    Ok(Some(response.map(|_| Body::empty())))
}

async fn dial(live: &Live, port: u16) -> anyhow::Result<Option<hyper::upgrade::Upgraded>> {
    for attempt in 1..=DIALS {
        if let Some(stream) = live.tunnel(port).await? {
            return Ok(Some(stream));
        }
        if attempt < DIALS {
            tokio::time::sleep(BETWEEN_DIALS).await;
        }
    }
    Ok(None)
}

/// Leaves path and query only, as HTTP/1.1 has it towards a server.
fn origin_form(request: &mut Request<Body>) {
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = path
            .as_str()
            .parse()
            .unwrap_or_else(|_| Uri::from_static("/"));
    }
    *request.version_mut() = Version::HTTP_11;
}

fn not_found(target: &Target, page: pages::Audience) -> Response<Body> {
    if page == pages::Audience::Person {
        return html(StatusCode::BAD_GATEWAY, pages::gone());
    }
    let body = serde_json::json!({ "sandboxId": target.id, "message": "The sandbox was not found", "code": 502 });
    json(StatusCode::BAD_GATEWAY, &body)
}

fn no_preview(target: &Target, page: pages::Audience) -> Response<Body> {
    if page == pages::Audience::Person {
        return html(StatusCode::NOT_FOUND, pages::no_preview(target.port));
    }
    api_error(
        StatusCode::NOT_FOUND,
        format!("port {} is not shown as a preview", target.port),
    )
}

fn closed(target: &Target, page: pages::Audience, notice: Option<Notice>) -> Response<Body> {
    if page == pages::Audience::Person {
        return html(StatusCode::BAD_GATEWAY, pages::starting(notice.as_ref()));
    }
    let body = serde_json::json!({
        "sandboxId": target.id,
        "message": "The sandbox is running but port is not open",
        "port": target.port,
        "code": 502,
    });
    json(StatusCode::BAD_GATEWAY, &body)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    /// The text with the letters in capitals that the pattern says.
    fn in_odd_case(text: &str, capitals: &[bool]) -> String {
        let capitals = capitals.iter().cycle();
        text.chars()
            .zip(capitals)
            .map(|(letter, capital)| {
                if *capital {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect()
    }

    fn with_port(name: String, port: Option<u16>) -> String {
        port.map_or(name.clone(), |port| format!("{name}:{port}"))
    }

    proptest! {
        #[test]
        fn a_host_name_tells_port_and_sandbox_in_any_case(
            port in 1_u16..,
            id in "[a-z0-9]{1,64}",
            more in "(-[a-z0-9]{0,8}){0,2}",
            domain in "[a-z0-9]{1,9}(\\.[a-z0-9-]{1,9}){0,3}",
            ports in (option::of(any::<u16>()), option::of(any::<u16>())),
            capitals in vec(any::<bool>(), 1..20),
        ) {
            let host = with_port(in_odd_case(&format!("{port}-{id}{more}.{domain}"), &capitals), ports.0);
            let domain = with_port(in_odd_case(&domain, &capitals), ports.1);
            prop_assert_eq!(by_host(&host, &domain), Some(Target { id, port, by_host: true }));
        }

        #[test]
        fn any_text_is_a_host_name_or_none(host in any::<String>(), domain in any::<String>()) {
            let _ = by_host(&host, &domain);
        }

        #[test]
        fn nothing_but_one_label_below_the_domain_names_a_sandbox(
            host in prop_oneof![
                "[+0a]?\\.?[0-9]{1,6}-[a-zA-Z0-9_-]{0,8}\\.?localhost(:[0-9]{0,5})?",
                "[0-9]{1,5}-[a-z0-9]{0,8}\\.(evil\\.com|localhost\\.evil\\.com|evillocalhost|localhost\\.|127\\.0\\.0\\.1)(:3000)?",
            ],
        ) {
            if let Some(target) = by_host(&host, "localhost:3000") {
                let lower = host.to_ascii_lowercase();
                let name = lower.split(':').next().unwrap_or_default();
                let label = name.strip_suffix(".localhost");
                prop_assert!(label.is_some_and(|label| !label.contains('.')), "{host}");
                let told = format!("{}-{}", target.port, target.id);
                prop_assert!(label == Some(&told) || name.starts_with(&format!("{told}-")), "{host}");
                prop_assert!(is_id(&target.id), "{host}");
            }
        }
    }

    #[test]
    fn headers_name_a_port_where_the_host_name_does_not_and_need_both() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:4000"));
        headers.insert(SANDBOX_ID, HeaderValue::from_static("ixyz"));
        assert!(target(&headers, "localhost").is_err());
        headers.insert(SANDBOX_PORT, HeaderValue::from_static("70000"));
        assert!(target(&headers, "localhost").is_err());
        headers.insert(SANDBOX_PORT, HeaderValue::from_static("49983"));
        let found = target(&headers, "localhost").unwrap_or_default();
        assert_eq!(
            found.map(|target| (target.id, target.port)),
            Some(("ixyz".to_owned(), ENVD_PORT))
        );
    }

    #[test]
    fn a_page_can_t_reach_another_port_than_its_own_by_a_header() {
        for host in [
            "3000-iabc.preview.dev",
            "3000-iabc.localhost",
            "3000-iabc.localhost:4000",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers.insert(SANDBOX_ID, HeaderValue::from_static("ixyz"));
            headers.insert(SANDBOX_PORT, HeaderValue::from_static("49983"));
            let found = target(&headers, "preview.dev").unwrap_or_default();
            assert_eq!(
                found.map(|target| (target.id, target.port)),
                Some(("iabc".to_owned(), 3000)),
                "{host}"
            );
        }
    }
}
