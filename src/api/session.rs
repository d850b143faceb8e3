//! The session's cookie in a response, redirects after forms, and access for administrators.

use axum::http::{HeaderValue, Uri, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{answer, is_plain_form};
use crate::{
    accounts::{Accounts, AdminRequest, Requester, SignInStep, SignedIn, Token, own_path},
    protocol::{ApiError, ErrorCode, Notice, UserId},
};

/// The accounts, and the request's sender.
pub fn both() -> Result<(Accounts, Requester), ApiError> {
    use_context::<Accounts>()
        .zip(use_context::<Requester>())
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "The server has no accounts here."))
}

/// The administrator who sent the request; for anyone else, an error as if there were nothing here.
pub fn administrator() -> Result<AdminRequest, ApiError> {
    let (accounts, requester) = both()?;
    answer(accounts.administrator(&requester))
}

/// Records that an administrator opened something of another user's; does nothing for others.
pub async fn opened(
    kind: &'static str,
    id: impl ToString,
    name: &str,
    owner: &UserId,
) -> Result<(), ApiError> {
    let (accounts, requester) = both()?;
    match accounts.administrator(&requester) {
        Ok(administrator) => answer(administrator.opened(kind, id, name, owner).await),
        Err(_) => Ok(()),
    }
}

/// The notice shown after a form was submitted.
pub struct FormNotice(Notice);

impl From<&str> for FormNotice {
    fn from(message: &str) -> Self {
        Self(Notice {
            message: message.to_owned(),
            link: None,
            failed: false,
        })
    }
}

impl FormNotice {
    pub fn with_link(mut self, link: &str) -> Self {
        self.0.link = Some(link.to_owned());
        self
    }
}

/// The answer to an administrator's form. A browser that submitted it without a script is
/// redirected back to its page, which shows the result.
pub fn noted<T: Default>(
    administrator: &AdminRequest,
    done: Result<T, impl Into<ApiError>>,
    outcome: impl FnOnce(&T) -> FormNotice,
) -> Result<T, ApiError> {
    if !is_plain_form() {
        return answer(done);
    }
    administrator.notify(match done {
        Ok(done) => outcome(&done).0,
        Err(error) => Notice {
            message: error.into().message,
            link: None,
            failed: true,
        },
    });
    leptos_axum::redirect(&page_before());
    Ok(T::default())
}

/// The page of this site that contained the form.
fn page_before() -> String {
    let parts = use_context::<Parts>();
    let before = parts.as_ref().and_then(|parts| {
        let referer = parts.headers.get(header::REFERER)?.to_str().ok()?;
        let referer: Uri = referer.parse().ok()?;
        Some(referer.path_and_query()?.as_str().to_owned())
    });
    own_path(before.as_deref()).to_owned()
}

/// Gives the browser its session, or redirects it to the page that asks for the code. Returns the
/// page to go to.
pub fn proceed(accounts: &Accounts, step: SignInStep, to: Option<String>) -> String {
    let token = match step {
        SignInStep::Done(signed_in) => return begin(accounts, &signed_in, to),
        SignInStep::Code(token) => token,
    };
    set_cookie(&accounts.step_cookie(&token));
    let to = utf8_percent_encode(own_path(to.as_deref()), NON_ALPHANUMERIC);
    lead(format!("/sign-in/code?to={to}"))
}

/// Gives the browser the session of a two-step sign-in. Returns the page to go to.
pub fn finish(accounts: &Accounts, signed_in: &SignedIn, to: Option<String>) -> String {
    set_cookie(&accounts.expired_step_cookie());
    begin(accounts, signed_in, to)
}

/// Gives the browser its session. Returns the page to go to: `to`, if that is on this site.
pub fn begin(accounts: &Accounts, signed_in: &SignedIn, to: Option<String>) -> String {
    set_cookie(&accounts.session_cookie(signed_in));
    lead(own_path(to.as_deref()).to_owned())
}

/// Redirects the browser to another service, which redirects it back. Returns the page to go to.
pub fn leave(accounts: &Accounts, token: &Token, page: String) -> String {
    set_cookie(&accounts.outside_cookie(token));
    lead(page)
}

/// Returns the challenge for an authenticator, and sets the cookie that must come with its answer.
pub fn ask(accounts: &Accounts, token: &Token, question: String) -> String {
    set_cookie(&accounts.passkey_cookie(token));
    question
}

/// Removes the challenge's cookie, because the answer has arrived.
pub fn answered(accounts: &Accounts) {
    set_cookie(&accounts.expired_passkey_cookie());
}

/// Removes the session's cookie from the browser.
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

/// Redirects a browser that submitted the form without a script. A script decides for itself, and
/// reloads the page. Returns the page.
pub fn lead(to: String) -> String {
    if is_plain_form() {
        leptos_axum::redirect(&to);
    }
    to
}
