//! The server's side of an answer: the one place where an [`ApiError`] becomes a response, for
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
    protocol::{
        ApiError, ErrorCode, ImageId, Mode, NameTooLong, NewPrompt, ORDER_KEY, PromptError,
        PromptName,
    },
};

/// A refused prompt, attributed to its input field.
pub fn refused(field: &'static str) -> impl Fn(PromptError) -> ApiError {
    move |error| ApiError::invalid(field, error.to_string())
}

/// The name and the text of a prompt to save.
pub fn saved_prompt(name: &str, text: &str) -> Result<(PromptName, NewPrompt), ApiError> {
    let too_long = |error: NameTooLong| ApiError::invalid("name", error.to_string());
    let name = PromptName::new(name).map_err(too_long)?;
    Ok((name, NewPrompt::new(text).map_err(refused("text"))?))
}

/// The id of the image attached to a prompt, if there is one.
pub fn attached(image: Option<String>) -> Result<Option<ImageId>, ApiError> {
    let unknown = |_| ApiError::invalid("image", "The image is no longer stored. Attach it again.");
    image.map(ImageId::try_from).transpose().map_err(unknown)
}

/// The mode in a form, if there is one.
pub fn mode(mode: Option<String>) -> Result<Option<Mode>, ApiError> {
    let unknown = |why| ApiError::invalid("mode", why);
    mode.map(|mode| mode.parse()).transpose().map_err(unknown)
}

/// The key of the order that is being answered, if it has one.
pub fn order_key() -> Result<Option<String>, ApiError> {
    let parts = use_context::<Parts>();
    let sent = parts
        .as_ref()
        .and_then(|parts| parts.headers.get(ORDER_KEY));
    NewPrompt::read_order_key(sent.map(HeaderValue::as_bytes))
}

/// The request's address; `None` for calls within the server.
pub fn client_address() -> Option<std::net::IpAddr> {
    use_context::<Requester>().map(|requester| requester.client.address)
}

/// Sets the response's status, of a server function or of the page being rendered, to that of the
/// error's code.
pub fn answer<T>(result: Result<T, impl Into<ApiError>>) -> Result<T, ApiError> {
    result.map_err(|error| {
        let error = error.into();
        if let Some(response) = use_context::<ResponseOptions>() {
            // The browser returns to its page, which shows the error. An error status would prevent
            // that.
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

/// Sets the status 400 for a request that can't be parsed.
pub fn respond_invalid() {
    if let Some(response) = use_context::<ResponseOptions>()
        && !is_plain_form()
    {
        response.set_status(StatusCode::BAD_REQUEST);
    }
}

/// Whether a browser submitted a form without a script.
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
