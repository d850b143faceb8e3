//! Why a request about an account was refused or failed, and what the client sees of it. No error
//! tells an unknown account from a wrong password.

use std::time::Duration;

use crate::{
    protocol::{ApiError, ErrorCode, OutsideRefusal},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The passkey is unknown, or the answer does not fit the challenge; also if the account may
    /// not sign in.
    #[error("This passkey signs nobody in here. Use another one, or your address and password.")]
    Passkey,
    /// The input in a field is invalid; the sentence says how to fix it.
    #[error("{why}")]
    Invalid { field: &'static str, why: String },
    /// The account is unknown, the password wrong, or the account may not sign in.
    #[error("The e-mail address or the password is wrong.")]
    Wrong,
    /// The address is taken, or can't have an account here.
    #[error(
        "An account can't be made with this address. If you have one, sign in or reset its \
         password."
    )]
    Unusable,
    /// The link is not valid (any more).
    #[error("This link has expired or was used already. Ask for a new one.")]
    Link,
    /// Nobody is signed in.
    #[error("Your session has ended. Sign in to continue.")]
    SignedOut,
    /// A program's request has no valid token; the sentence says which one it needs.
    #[error("{0}")]
    Token(&'static str),
    /// The user may not do this; the sentence is for the user.
    #[error("{0}")]
    Refused(&'static str),
    /// The current state does not allow it; the sentence is for the user.
    #[error("{0}")]
    Conflict(&'static str),
    /// There is no such thing.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// There were too many attempts.
    #[error("There were too many attempts. Try again in {}.", in_words(.0))]
    TooMany(Duration),
    /// Stripe can't be reached, or refuses what is asked.
    #[error("Stripe can't be reached right now, so nothing was changed. Try again in a moment.")]
    Stripe,
    /// Too many people are signing in at the moment.
    #[error("Too many people are signing in right now. Try again in a moment.")]
    Busy,
    /// Signing in with another service failed.
    #[error(transparent)]
    Outside(#[from] OutsideRefusal),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound("link") => Self::Link,
            StoreError::NotFound(what) => Self::NotFound(what),
            StoreError::Conflict(why) => Self::Conflict(why),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::Invalid { field, .. } => Self::invalid(field, text),
            AccountError::Wrong
            | AccountError::Passkey
            | AccountError::SignedOut
            | AccountError::Token(_) => Self::new(ErrorCode::Unauthorized, text),
            AccountError::Unusable => Self::invalid("email", text),
            AccountError::Link => Self::invalid("link", text),
            AccountError::Outside(OutsideRefusal::Unreachable) => {
                Self::new(ErrorCode::Unavailable, text)
            }
            AccountError::Outside(_) | AccountError::Refused(_) => {
                Self::new(ErrorCode::Forbidden, text)
            }
            AccountError::Conflict(_) => Self::new(ErrorCode::Conflict, text),
            AccountError::NotFound(_) => Self::new(ErrorCode::NotFound, text),
            AccountError::TooMany(wait) => Self {
                retry_after: Some(seconds(&wait)),
                ..Self::new(ErrorCode::TooMany, text)
            },
            AccountError::Busy | AccountError::Stripe => Self::new(ErrorCode::Unavailable, text),
            AccountError::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "a request failed");
                Self::new(
                    ErrorCode::Internal,
                    "Something went wrong on the server. Please try again.",
                )
            }
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: &Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn in_words(wait: &Duration) -> String {
    match seconds(wait) {
        0 | 1 => "a second".to_owned(),
        seconds @ ..=90 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}
