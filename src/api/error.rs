//! How errors travel: an [`ApiError`] as JSON, with the HTTP status of its code.

use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};

use super::json::JsonText;
use crate::protocol::{ApiError, ErrorCode};

impl FromServerFnError for ApiError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => {
                crate::respond_invalid();
                Self::new(
                    ErrorCode::Invalid,
                    "The server could not read the request: a field is missing or has a value that it can't have. \
                     Reload the page and try again.",
                )
            }
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Self::new(
                ErrorCode::Unavailable,
                "The server can't be reached right now. Please try again.",
            ),
            _ => Self::new(
                ErrorCode::Internal,
                "Something went wrong on the server. Please try again.",
            ),
        }
    }
}
