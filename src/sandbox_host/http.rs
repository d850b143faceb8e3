//! Common parts of the host's HTTP services: plain responses, E2B's error bodies, what apps may not
//! see of a request, and reading requests to their end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header},
    middleware::Next,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

use crate::e2b;

/// How much of an answered request is still read, in bytes and in time: a client that keeps sending
/// does not listen.
const MAX_REST: usize = 64 << 20;
const REST_TIMEOUT: Duration = Duration::from_secs(5);

/// The name prefix of the builder's own cookies.
const COOKIE_PREFIX: &[u8] = b"codeflow";
/// Header prefixes that no app may see: E2B's and ours, and those with which proxies in front of us
/// identify a visitor.
const NOT_FOR_APPS: [&str; 43] = [
    "x-access-token",
    "e2b-",
    "forwarded",
    "x-forwarded-",
    "x-real-ip",
    "x-auth-request-",
    "x-authenticated-",
    "x-authentik-",
    "x-authp-",
    "x-client-cert",
    "x-credential-",
    "x-id-token",
    "x-jwt-assertion",
    "x-ldap-",
    "x-oidc-",
    "x-pomerium-",
    "x-proxy-user",
    "x-remote-",
    "x-saml-",
    "x-ssl-",
    "x-ssl_",
    "x-tinyauth-",
    "x-token-claim-",
    "x-token-user-",
    "x-vouch-",
    "x-webauth-",
    "x-zitadel-",
    "auth-user",
    "http_",
    "iv-",
    "oidc",
    "remote-",
    "remote_",
    "sm_",
    "smuser",
    "ssl-client-",
    "ssl_client_",
    "cf-access-",
    "cf-connecting-ip",
    "x-goog-",
    "x-ms-",
    "x-amzn-oidc-",
    "tailscale-",
];
/// Cookie prefixes with which proxies in front of us identify a visitor, without `__Host-` and
/// `__Secure-`: oauth2-proxy, Cloudflare, Azure, AWS, Google, Authelia, authentik, Vouch, Pomerium,
/// Apache's modules, Traefik's, Keycloak, Shibboleth, SimpleSAMLphp, Teleport, Ory, AD FS,
/// SiteMinder, Oracle, OpenAM, F5, PingAccess, tinyauth and Caddy's portal.
const SIGN_IN_COOKIES: [&str; 42] = [
    "_oauth2_proxy",
    "cf_authorization",
    "cf_appsession",
    "cf_binding",
    "appserviceauthsession",
    "awselbauthsessioncookie",
    "gcp_ia",
    "authelia",
    "authentik",
    "vouch",
    "_pomerium",
    "mod_auth_",
    "mellon-",
    "_forward_auth",
    "traefik-forward-auth",
    "keycloak_",
    "kc-access",
    "kc-state",
    "_shib",
    "_saml",
    "simplesaml",
    "grv_",
    "ory_",
    "fedauth",
    "msisauth",
    "smsession",
    "smchallenge",
    "obssocookie",
    "oamauthn",
    "oam_",
    "iplanetdirectorypro",
    "amlbcookie",
    "mrhsession",
    "lastmrh_session",
    "pa.",
    "tinyauth",
    "authp_",
    "zitadel.",
    "dex_",
    "sso",
    "_sso",
    "tailscale",
];

/// Reads the rest of a request's body before sending the response. Otherwise the connection would
/// have to be closed, which a client might notice only with its next request.
pub(super) async fn read_to_its_end(request: Request<Body>, next: Next) -> Response<Body> {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let response = next
        .run(Request::from_parts(head, Body::new(Shared(body.clone()))))
        .await;
    // Whoever is still forwarding the body reads it.
    if let Some(rest) = Arc::into_inner(body) {
        let mut rest = rest.into_inner();
        let reading = async {
            let mut length = 0;
            while let Some(Ok(piece)) = rest.frame().await {
                length += piece.data_ref().map_or(0, Bytes::len);
                if length > MAX_REST {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(REST_TIMEOUT, reading).await;
    }
    response
}

/// A body that can be read further after its reader has dropped it.
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}

/// A plain text response.
pub(super) fn response(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", text.into())
}

/// E2B's error body: the status as a number, and a message.
pub(super) fn api_error(status: StatusCode, message: impl Into<String>) -> Response<Body> {
    json(
        status,
        &serde_json::json!({ "code": status.as_u16(), "message": message.into() }),
    )
}

pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => with_type(status, "application/json; charset=utf-8", text),
        Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

pub(super) fn html(status: StatusCode, text: String) -> Response<Body> {
    with_type(status, "text/html; charset=utf-8", text)
}

fn with_type(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Removes what concerns only us, our clients or a proxy in front of us: keys, tokens, our own
/// cookies, and the visitor's identity. An app's own headers stay, whatever their names.
pub(super) fn strip_ours(headers: &mut HeaderMap, key: &str) {
    let strange = |name: &&HeaderName| {
        NOT_FOR_APPS
            .iter()
            .any(|start| name.as_str().starts_with(start))
    };
    let named: Vec<HeaderName> = headers.keys().filter(strange).cloned().collect();
    for name in named {
        headers.remove(name);
    }
    let is_ours = |value: &HeaderValue| {
        value
            .as_bytes()
            .windows(key.len())
            .any(|part| part == key.as_bytes())
    };
    for name in [header::AUTHORIZATION, e2b::API_KEY] {
        if headers.get_all(&name).iter().any(is_ours) {
            headers.remove(&name);
        }
    }
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(without_our_cookies)
        .collect();
    headers.remove(header::COOKIE);
    for cookie in cookies {
        headers.append(header::COOKIE, cookie);
    }
}

/// A header's cookies without ours and those of a proxy's sign-in; `None` if none remain.
fn without_our_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    let begins = |name: &[u8], start: &[u8]| {
        name.get(..start.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(start))
    };
    let ours = |cookie: &&[u8]| {
        let name = cookie.trim_ascii_start();
        let name = name
            .strip_prefix(b"__Host-")
            .or_else(|| name.strip_prefix(b"__Secure-"))
            .unwrap_or(name);
        begins(name, COOKIE_PREFIX)
            || SIGN_IN_COOKIES
                .iter()
                .any(|start| begins(name, start.as_bytes()))
    };
    let cookies = value.as_bytes().split(|byte| *byte == b';');
    let kept: Vec<&[u8]> = cookies
        .filter(|cookie| !ours(cookie))
        .map(<[u8]>::trim_ascii)
        .collect();
    HeaderValue::from_bytes(&kept.join(&b"; "[..]))
        .ok()
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_app_gets_its_own_cookies_and_authorization_and_none_of_ours() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static(
                "theme=dark; codeflow_session=s; __Host-codeflow=s; _oauth2_proxy_0=s; \
                 CF_Authorization=s; __Secure-authelia_session=s; a=b",
            ),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("codeflow=1"));
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer theirs"),
        );
        headers.append("x-api-key", HeaderValue::from_static("e2b_1"));
        headers.insert("x-access-token", HeaderValue::from_static("t"));
        headers.insert("x-own", HeaderValue::from_static("kept"));
        headers.insert("x-forwarded-user", HeaderValue::from_static("alice"));
        headers.insert("e2b-sandbox-id", HeaderValue::from_static("i1"));
        strip_ours(&mut headers, "e2b_1");
        let cookies: Vec<_> = headers
            .get_all(header::COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(cookies, ["theme=dark; a=b"]);
        assert_eq!(headers[header::AUTHORIZATION], "Bearer theirs");
        assert_eq!(headers.len(), 3);
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer e2b_1"),
        );
        strip_ours(&mut headers, "e2b_1");
        assert!(!headers.contains_key(header::AUTHORIZATION));
    }
}
