//! The server's half of an answer: what went wrong below becomes an [`ApiError`], and its code the
//! HTTP status.

use axum::http::StatusCode;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::{
    protocol::{ApiError, ErrorCode, ImageId, PromptError},
    runs::FilesError,
    store::StoreError,
};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => {
                Self::new(ErrorCode::NotFound, format!("There is no such {what}."))
            }
            StoreError::Conflict(why) => Self::new(ErrorCode::Conflict, why),
            error => {
                tracing::error!(%error, "a request failed");
                Self::new(
                    ErrorCode::Internal,
                    "Something went wrong on the server. Please try again.",
                )
            }
        }
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::NoFile => Self::new(ErrorCode::NotFound, error.to_string()),
            FilesError::Store(error) => error.into(),
        }
    }
}

/// A prompt's refusal, in the input field it concerns.
pub fn refused(field: &'static str) -> impl Fn(PromptError) -> ApiError {
    move |error| ApiError::invalid(field, error.to_string())
}

/// The id of the image that goes with a prompt, where there is one.
pub fn attached(image: Option<String>) -> Result<Option<ImageId>, ApiError> {
    let unknown = |_| {
        ApiError::invalid(
            "image",
            "That is no image that was uploaded. Attach it again.",
        )
    };
    image.map(ImageId::try_from).transpose().map_err(unknown)
}

/// Gives the response the status of the error's code.
pub fn answer<T>(result: Result<T, ApiError>) -> Result<T, ApiError> {
    if let Err(error) = &result
        && let Some(response) = use_context::<ResponseOptions>()
    {
        response.set_status(
            StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        );
    }
    result
}
