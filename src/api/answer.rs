//! The server's half of an answer: the one place where an [`ApiError`] becomes a response, for
//! pages, server functions and uploads alike.

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::{
    accounts::Requester,
    protocol::{ApiError, ErrorCode, ImageId, Mode, NewPrompt, ORDER_KEY, PromptError},
};

/// A prompt's refusal, in the input field it concerns.
pub fn refused(field: &'static str) -> impl Fn(PromptError) -> ApiError {
    move |error| ApiError::invalid(field, error.to_string())
}

/// The id of the image attached to a prompt, if there is one.
pub fn attached(image: Option<String>) -> Result<Option<ImageId>, ApiError> {
    let unknown = |_| ApiError::invalid("image", "The image is no longer stored. Attach it again.");
    image.map(ImageId::try_from).transpose().map_err(unknown)
}

/// The mode that a form names, if it does.
pub fn mode(mode: Option<String>) -> Result<Option<Mode>, ApiError> {
    let unknown = |why| ApiError::invalid("mode", why);
    mode.map(|mode| mode.parse()).transpose().map_err(unknown)
}

/// The key that came with the order that is being answered, if one did.
pub fn order_key() -> Result<Option<String>, ApiError> {
    let parts = use_context::<Parts>();
    let sent = parts
        .as_ref()
        .and_then(|parts| parts.headers.get(ORDER_KEY));
    NewPrompt::read_order_key(sent.map(HeaderValue::as_bytes))
}

/// Where the request comes from; nowhere known within the server.
pub fn client_address() -> Option<std::net::IpAddr> {
    use_context::<Requester>().map(|requester| requester.client.address)
}

/// Gives the response, of a server function or of the page being rendered, the status of the
/// error's code.
pub fn answer<T>(result: Result<T, impl Into<ApiError>>) -> Result<T, ApiError> {
    result.map_err(|error| {
        let error = error.into();
        if let Some(response) = use_context::<ResponseOptions>() {
            // It goes back to its page, which shows the error: a status of its own would keep the
            // browser from that.
            if !is_plain_form() {
                response.set_status(status(error.code));
            }
            if let Some(seconds) = error.retry_after {
                response.insert_header(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
        error
    })
}

/// Gives the answer to a request that can't be read the status 400.
pub fn respond_invalid() {
    if let Some(response) = use_context::<ResponseOptions>()
        && !is_plain_form()
    {
        response.set_status(StatusCode::BAD_REQUEST);
    }
}

/// Whether a browser sent a form by itself, without a script.
pub fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let accepts = parts.headers.get(header::ACCEPT);
        parts.method == Method::POST
            && accepts.is_some_and(|accepts| accepts.as_bytes().starts_with(b"text/html"))
    })
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after.map(HeaderValue::from);
        let mut response = (status(self.code), Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
