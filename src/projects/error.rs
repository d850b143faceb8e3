//! Project errors: one type for everything that can fail below, and the one place that maps it to
//! what clients see.

use std::time::Duration;

use crate::{
    accounts::AccountError,
    agent::{FaultKind, OwnPathError, RunError},
    protocol::{ApiError, Credits, ErrorCode, ImageError, Timestamp},
    store::StoreError,
};

/// Why a request about a project was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Nobody is signed in.
    #[error("Your session has ended. Sign in to continue.")]
    SignedOut,
    /// The user may see it but not change it; the sentence is for the user.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It does not exist, or is somebody else's.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// The app has no such file.
    #[error("There is no such file in the app.")]
    NoFile,
    /// The invitation is invalid, or no longer valid.
    #[error(
        "This invitation can't be used: it has expired, was used already, or was withdrawn. Ask for \
         a new one."
    )]
    NoInvitation,
    /// There are too few credits left for a run.
    #[error("{}", out_of_credits(.0))]
    OutOfCredits(Credits),
    /// Its current state does not allow it; the sentence is for the user.
    #[error("{0}")]
    Conflict(&'static str),
    /// The app's files don't allow the request; the sentence says what does work.
    #[error("{0}")]
    Refused(String),
    /// The input in a field is invalid; the sentence says how to fix it.
    #[error("{why}")]
    Invalid { field: &'static str, why: String },
    /// The input is too large to be stored.
    #[error("{0}")]
    TooLarge(String),
    /// The sandbox can't be reached right now.
    #[error("The app's sandbox can't be reached right now: {0} Try again in a moment.")]
    Unreachable(String),
    /// There were too many requests; try again after this wait.
    #[error("{why}")]
    TooMany { why: &'static str, wait: Duration },
    /// The server's disk is full.
    #[error(
        "The server's disk is full, so nothing was saved. Free some space there, then try again."
    )]
    DiskFull,
    /// The bucket with the contents of files can't be used.
    #[error(
        "The server's storage of files can't be reached, so nothing was read or saved. Try again \
         in a moment."
    )]
    StorageDown,
    /// A file's content is missing from the storage.
    #[error(
        "The content of this {0} is missing from the server's storage. The server's administrator \
         can look for it with codeflow doctor."
    )]
    LostContent(&'static str),
    /// The uploaded file can't be used as an image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A refusal or fault of the accounts.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A fault of the server.
    #[error(transparent)]
    Internal(anyhow::Error),
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound("invitation") => Self::NoInvitation,
            StoreError::NotFound(what) => Self::NotFound(what),
            StoreError::Conflict(why) => Self::Conflict(why),
            StoreError::OutOfCredits(credits) => Self::OutOfCredits(credits),
            StoreError::LostContent(what) => Self::LostContent(what),
            StoreError::Bucket(why) => {
                tracing::error!(why, "the storage of files can't be used");
                Self::StorageDown
            }
            error if error.is_disk_full() => Self::DiskFull,
            error => Self::Internal(error.into()),
        }
    }
}

impl From<RunError> for ProjectError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::User(why) => Self::Refused(why),
            RunError::Transient(fault) if fault.kind == FaultKind::Storage => Self::StorageDown,
            RunError::Transient(fault) => Self::Unreachable(fault.message),
            RunError::Internal(error) => match error.downcast::<StoreError>() {
                Ok(error) => error.into(),
                Err(error) => Self::Internal(error),
            },
        }
    }
}

impl From<OwnPathError> for ProjectError {
    fn from(error: OwnPathError) -> Self {
        Self::Invalid {
            field: "path",
            why: error.to_string(),
        }
    }
}

impl From<ProjectError> for ApiError {
    /// Maps errors to what a client sees. A fault is logged here.
    fn from(error: ProjectError) -> Self {
        let text = error.to_string();
        match error {
            ProjectError::SignedOut => Self::new(ErrorCode::Unauthorized, text),
            ProjectError::NotFound(_)
            | ProjectError::NoFile
            | ProjectError::NoInvitation
            | ProjectError::LostContent(_) => Self::new(ErrorCode::NotFound, text),
            ProjectError::Forbidden(_) => Self::new(ErrorCode::Forbidden, text),
            ProjectError::Account(error) => error.into(),
            ProjectError::OutOfCredits(credits) => Self {
                retry_after: Some(seconds_until(credits.next_refill)),
                ..Self::new(ErrorCode::OutOfCredits, text)
            },
            ProjectError::Conflict(_) | ProjectError::Refused(_) => {
                Self::new(ErrorCode::Conflict, text)
            }
            ProjectError::Invalid { field, .. } => Self::invalid(field, text),
            ProjectError::TooLarge(_) => Self::new(ErrorCode::TooLarge, text),
            ProjectError::Unreachable(_) | ProjectError::DiskFull | ProjectError::StorageDown => {
                Self::new(ErrorCode::Unavailable, text)
            }
            ProjectError::TooMany { wait, .. } => Self {
                retry_after: Some(wait.as_secs().saturating_add(1)),
                ..Self::new(ErrorCode::TooMany, text)
            },
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

fn out_of_credits(credits: &Credits) -> String {
    let Credits { left, cost, .. } = credits;
    let day = chrono::DateTime::from_timestamp_millis(credits.next_refill.0);
    let day = day.map(|day| day.format("on %-d %B %Y").to_string());
    format!(
        "You are out of credits: a run costs {cost}, and you have {left}. The next refill is {}.",
        day.unwrap_or_else(|| "later".to_owned())
    )
}

/// Whole seconds, at least one.
fn seconds_until(at: Timestamp) -> u64 {
    let millis = at.0.saturating_sub(Timestamp::now().0);
    u64::try_from(millis).unwrap_or_default() / 1000 + 1
}
