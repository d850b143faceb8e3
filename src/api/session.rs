//! The session's cookie in an answer, and where a form leads.

use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use super::answer::is_plain_form;
use crate::{
    accounts::{Accounts, Requester, SignedIn, own_path},
    protocol::{ApiError, ErrorCode},
};

/// The accounts, and who asks.
pub fn both() -> Result<(Accounts, Requester), ApiError> {
    use_context::<Accounts>()
        .zip(use_context::<Requester>())
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "The server has no accounts here."))
}

/// Gives the browser its session. Returns the page to go to, which is `to` if that is of this site.
pub fn begin(accounts: &Accounts, signed_in: &SignedIn, to: Option<String>) -> String {
    set_cookie(&accounts.session_cookie(signed_in));
    let to = own_path(to.as_deref()).to_owned();
    lead_form(&to);
    to
}

/// Takes the session from the browser.
pub fn end(accounts: &Accounts) {
    set_cookie(&accounts.expired_cookie());
    lead_form("/");
}

fn set_cookie(cookie: &str) {
    if let (Some(response), Ok(cookie)) = (
        use_context::<ResponseOptions>(),
        HeaderValue::from_str(cookie),
    ) {
        response.append_header(header::SET_COOKIE, cookie);
    }
}

/// Leads a browser to the page that sent the form by itself. A script decides for itself, and loads
/// the page anew.
fn lead_form(to: &str) {
    if is_plain_form() {
        leptos_axum::redirect(to);
    }
}
