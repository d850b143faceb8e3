//! Buying plans: `GET /api/billing/checkout` and `GET /api/billing/portal` redirect to Stripe;
//! `POST /api/billing/webhook` receives Stripe's events.

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};

use super::AppState;
use crate::{
    accounts::{AccountError, Requester},
    protocol::ApiError,
};

pub async fn checkout(
    State(state): State<AppState>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let page = match requester.identity() {
        Ok(identity) => state.accounts.checkout(identity).await,
        Err(error) => Err(error),
    };
    lead(page, &headers)
}

pub async fn portal(
    State(state): State<AppState>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let page = match requester.identity() {
        Ok(identity) => state.accounts.portal(identity).await,
        Err(error) => Err(error),
    };
    lead(page, &headers)
}

pub async fn webhook(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(), ApiError> {
    let signature = headers.get("stripe-signature");
    let signature = signature.and_then(|signature| signature.to_str().ok());
    let taken = state
        .accounts
        .take_event(signature.unwrap_or_default(), &body);
    Ok(taken.await?)
}

/// Redirects to the page, or on failure back to the plans, which show the error.
fn lead(page: Result<String, AccountError>, headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT);
    let is_browser = accepts.is_some_and(|kinds| kinds.as_bytes().starts_with(b"text/html"));
    match page {
        Ok(page) => Redirect::to(&page).into_response(),
        Err(AccountError::SignedOut) if is_browser => {
            Redirect::to("/sign-in?to=/pricing").into_response()
        }
        Err(AccountError::Stripe) if is_browser => {
            Redirect::to("/pricing?unreachable=yes").into_response()
        }
        Err(AccountError::Refused(_)) if is_browser => Redirect::to("/pricing").into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}
