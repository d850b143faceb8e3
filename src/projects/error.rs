//! What can go wrong with a project: the one error of this room, whatever failed below, and the
//! one mapping of it to what clients see.

use crate::{
    protocol::{ApiError, ErrorCode, ImageError},
    store::StoreError,
};

/// Why a request about a project was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// It does not exist.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// The app has no such file.
    #[error("There is no such file in the app.")]
    NoFile,
    /// Its state does not allow it; the sentence is for the user.
    #[error("{0}")]
    Conflict(&'static str),
    /// The uploaded file is no image that can be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A fault of the server.
    #[error(transparent)]
    Internal(anyhow::Error),
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::NotFound(what),
            StoreError::Conflict(why) => Self::Conflict(why),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<ProjectError> for ApiError {
    /// The one mapping of errors to what a client sees. A fault is logged here.
    fn from(error: ProjectError) -> Self {
        let text = error.to_string();
        match error {
            ProjectError::NotFound(_) | ProjectError::NoFile => {
                Self::new(ErrorCode::NotFound, text)
            }
            ProjectError::Conflict(_) => Self::new(ErrorCode::Conflict, text),
            ProjectError::Image(ImageError::TooLarge) => Self {
                code: ErrorCode::TooLarge,
                ..Self::invalid("image", text)
            },
            ProjectError::Image(
                ImageError::WrongType | ImageError::TooManyPixels | ImageError::Damaged,
            ) => Self::invalid("image", text),
            ProjectError::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "a request failed");
                Self::new(
                    ErrorCode::Internal,
                    "Something went wrong on the server. Please try again.",
                )
            }
        }
    }
}
