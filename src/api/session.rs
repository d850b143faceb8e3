//! The session's cookie in an answer, and where a form leads.

use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::is_plain_form;
use crate::{
    accounts::{Accounts, Requester, SignInStep, SignedIn, Token, own_path},
    protocol::{ApiError, ErrorCode},
};

/// The accounts, and who asks.
pub fn both() -> Result<(Accounts, Requester), ApiError> {
    use_context::<Accounts>()
        .zip(use_context::<Requester>())
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "The server has no accounts here."))
}

/// Gives the browser its session, or leads it to where the code is asked for. Returns the page to go
/// to.
pub fn proceed(accounts: &Accounts, step: SignInStep, to: Option<String>) -> String {
    let token = match step {
        SignInStep::Done(signed_in) => return begin(accounts, &signed_in, to),
        SignInStep::Code(token) => token,
    };
    set_cookie(&accounts.step_cookie(&token));
    let to = utf8_percent_encode(own_path(to.as_deref()), NON_ALPHANUMERIC);
    lead(format!("/sign-in/code?to={to}"))
}

/// Gives the browser the session of a sign-in that had a second step. Returns the page to go to.
pub fn finish(accounts: &Accounts, signed_in: &SignedIn, to: Option<String>) -> String {
    set_cookie(&accounts.expired_step_cookie());
    begin(accounts, signed_in, to)
}

/// Gives the browser its session. Returns the page to go to, which is `to` if that is of this site.
pub fn begin(accounts: &Accounts, signed_in: &SignedIn, to: Option<String>) -> String {
    set_cookie(&accounts.session_cookie(signed_in));
    lead(own_path(to.as_deref()).to_owned())
}

/// Leads the browser to another service, which leads it back. Returns the page to go to.
pub fn leave(accounts: &Accounts, token: &Token, page: String) -> String {
    set_cookie(&accounts.outside_cookie(token));
    lead(page)
}

/// Takes the session from the browser.
pub fn end(accounts: &Accounts) {
    set_cookie(&accounts.expired_cookie());
    lead("/".to_owned());
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
/// the page anew. Returns the page.
pub fn lead(to: String) -> String {
    if is_plain_form() {
        leptos_axum::redirect(&to);
    }
    to
}
