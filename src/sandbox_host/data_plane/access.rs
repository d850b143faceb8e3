//! Access to a sandbox: envd requires the sandbox's token or a signature made with it, an app the
//! traffic token if its sandbox's settings say so.

use axum::{
    body::Body,
    http::{HeaderName, Request, Response, StatusCode},
};
use subtle::ConstantTimeEq;

use super::target::Target;
use crate::{
    e2b::{ACCESS_TOKEN, ENVD_PORT, TRAFFIC_TOKEN},
    sandbox_host::{
        http::{api_error, json},
        record::Record,
        sandboxes::Sandboxes,
        signature::{self, Fault},
    },
};

/// The target of a file request that names no sandbox: the sandbox whose token signed it. `None` if
/// it is no such request; the error is its refusal.
pub(in crate::sandbox_host) fn by_signature(
    sandboxes: &Sandboxes,
    request: &Request<Body>,
) -> Result<Option<Target>, Box<Response<Body>>> {
    if request.uri().path() != "/files" {
        return Ok(None);
    }
    let check = |token: &str| signature::check(request.method(), request.uri(), token);
    // Its sandbox says so if it has expired.
    let signed = |record: &Record| {
        let checked = record.token.as_deref().map(check);
        matches!(checked, Some(Ok(()) | Err(Fault::Expired)))
    };
    let mut records = sandboxes.all().into_iter().map(|sandbox| sandbox.record());
    match records.find(signed) {
        Some(record) => Ok(Some(Target {
            id: record.id,
            port: ENVD_PORT,
            by_host: false,
        })),
        None => Err(Box::new(unauthorized(match check("") {
            Err(Fault::Missing) => Fault::Missing,
            _ => Fault::Invalid,
        }))),
    }
}

fn unauthorized(fault: impl ToString) -> Response<Body> {
    api_error(StatusCode::UNAUTHORIZED, fault.to_string())
}

/// The refusal of a request to envd without the sandbox's token, or to one of the host's own
/// routes.
pub(super) fn refuse_envd(record: &Record, request: &Request<Body>) -> Option<Response<Body>> {
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
        if request.headers().contains_key(ACCESS_TOKEN) {
            return Some(unauthorized(
                "access token present in header but does not match",
            ));
        }
        return signature::check(request.method(), request.uri(), token)
            .err()
            .map(unauthorized);
    }
    Some(unauthorized(
        "unauthorized access, please provide a valid access token or method signing if supported",
    ))
}

/// Whether the header's value is the token.
fn carries(request: &Request<Body>, name: &HeaderName, token: &str) -> bool {
    let given = request.headers().get(name);
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

/// The refusal of a request to an app without the traffic token, if its sandbox's settings require
/// one.
pub(super) fn refuse_app(record: &Record, request: &Request<Body>) -> Option<Response<Body>> {
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
