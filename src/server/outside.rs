//! Signing in with another service: `GET /sign-in/with/{provider}` redirects there, and the service
//! redirects back to `GET /sign-in/with/{provider}/back`.

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::AppState;
use crate::{
    accounts::{AccountError, OutsideAnswer, OutsideOutcome, Requester, SignInStep, own_path},
    protocol::{IdentityProvider, OutsideRefusal},
};

#[derive(Debug, Deserialize)]
pub struct Target {
    to: Option<String>,
}

/// Redirects to the service.
pub async fn begin(
    State(AppState { accounts, .. }): State<AppState>,
    Extension(requester): Extension<Requester>,
    Path(provider): Path<String>,
    Query(Target { to }): Query<Target>,
) -> Response {
    let Ok(provider) = provider.parse::<IdentityProvider>() else {
        return refused(&requester, OutsideRefusal::Refused);
    };
    let to = own_path(to.as_deref());
    let begun = accounts.begin_outside(provider, to, None, &requester.client);
    match begun.await {
        Ok((page, token)) => with_cookies([accounts.outside_cookie(&token)], &page),
        Err(error) => refused(&requester, reason(error)),
    }
}

/// Handles the redirect back: signs in, or shows why not.
pub async fn finish(
    State(AppState { accounts, .. }): State<AppState>,
    Extension(requester): Extension<Requester>,
    Path(provider): Path<String>,
    Query(answer): Query<OutsideAnswer>,
    headers: HeaderMap,
) -> Response {
    let Ok(provider) = provider.parse::<IdentityProvider>() else {
        return refused(&requester, OutsideRefusal::Refused);
    };
    let cookies = headers.get_all(header::COOKIE).iter();
    let token = accounts.sent_outside(cookies.filter_map(|value| value.to_str().ok()));
    let finished = accounts
        .finish_outside(
            provider,
            &answer,
            token.as_ref(),
            requester.identity.as_ref(),
            &requester.client,
            requester.token.as_ref(),
        )
        .await;
    let used = accounts.expired_outside_cookie();
    match finished {
        Ok(OutsideOutcome::Linked) => with_cookies([used], "/settings"),
        Ok(OutsideOutcome::SignIn(SignInStep::Done(signed_in), to)) => {
            with_cookies([used, accounts.session_cookie(&signed_in)], &to)
        }
        Ok(OutsideOutcome::SignIn(SignInStep::Code(step), to)) => {
            let to = utf8_percent_encode(&to, NON_ALPHANUMERIC);
            let page = format!("/sign-in/code?to={to}");
            with_cookies([used, accounts.step_cookie(&step)], &page)
        }
        Err(error) => refused(&requester, reason(error)),
    }
}

fn reason(error: AccountError) -> OutsideRefusal {
    match error {
        AccountError::Outside(reason) => reason,
        AccountError::TooMany(_) => OutsideRefusal::TooMany,
        error => {
            tracing::error!(
                error = format!("{error:#}"),
                "a sign-in by another service failed"
            );
            OutsideRefusal::Refused
        }
    }
}

/// Redirects to a page that shows the reason.
fn refused(requester: &Requester, reason: OutsideRefusal) -> Response {
    let page = if requester.identity.is_some() {
        "/settings"
    } else {
        "/sign-in"
    };
    Redirect::to(&format!("{page}?refused={}", reason.as_str())).into_response()
}

fn with_cookies<const COUNT: usize>(cookies: [String; COUNT], to: &str) -> Response {
    let cookies = cookies.map(|cookie| {
        let value = HeaderValue::try_from(cookie);
        (
            header::SET_COOKIE,
            value.unwrap_or(HeaderValue::from_static("")),
        )
    });
    (AppendHeaders(cookies), Redirect::to(to)).into_response()
}
