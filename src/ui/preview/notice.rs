//! Reports of the app in the frame (`postMessage` of the template). They are untrusted, of any size
//! and rate: only known notices are accepted, within limits of length and number.

use leptos::wasm_bindgen::JsValue;

use crate::{
    protocol::{PreviewError, PreviewErrorKind},
    ui::browser::{flag_of, list_of, text_of},
};

/// The maximum number of errors in a notice, and the maximum length of a text in UTF-16 units.
const MAX_ERRORS: u32 = 20;
const MAX_TEXT_UNITS: u32 = 2000;
/// The rate limit: one notice per this many milliseconds in the long run; and the burst allowed at
/// once, for example for notices held back until the greeting.
const MS_PER_NOTICE: i64 = 100;
const MAX_BURST: i64 = 50;

#[derive(Debug, PartialEq, Eq)]
pub enum PageNotice {
    /// The page was loaded.
    Loaded,
    /// Hot reload changed the page.
    Updated,
    /// Hot reload is connected, or no longer is.
    Connected,
    Disconnected,
    /// The page's path, query and fragment.
    Place(String),
    /// Whether the frame can go back, and forward.
    History(bool, bool),
    /// The page reloads itself, as it was asked to.
    Reloading,
    /// All errors of the page.
    Errors(Vec<PreviewError>),
}

impl PageNotice {
    /// The notice in a message; `None` if it is not one.
    pub fn read(message: &JsValue) -> Option<Self> {
        if text_of(message, "source", MAX_TEXT_UNITS)? != "codeflow-preview" {
            return None;
        }
        match text_of(message, "type", MAX_TEXT_UNITS)?.as_str() {
            "loaded" => Some(Self::Loaded),
            "updated" => Some(Self::Updated),
            "connected" => Some(Self::Connected),
            "disconnected" => Some(Self::Disconnected),
            "reloading" => Some(Self::Reloading),
            "place" => text_of(message, "place", MAX_TEXT_UNITS)
                .filter(|place| place.starts_with('/'))
                .map(Self::Place),
            "history" => Some(Self::History(
                flag_of(message, "back"),
                flag_of(message, "forward"),
            )),
            "errors" => {
                let errors = list_of(message, "errors", MAX_ERRORS)?;
                Some(Self::Errors(
                    errors
                        .iter()
                        .filter_map(|error| read_error(&error))
                        .collect(),
                ))
            }
            _ => None,
        }
    }
}

fn read_error(error: &JsValue) -> Option<PreviewError> {
    Some(PreviewError {
        kind: match text_of(error, "kind", MAX_TEXT_UNITS)?.as_str() {
            "error" => PreviewErrorKind::Error,
            "rejection" => PreviewErrorKind::Rejection,
            "console" => PreviewErrorKind::Console,
            _ => return None,
        },
        message: text_of(error, "message", MAX_TEXT_UNITS)?,
        location: text_of(error, "location", MAX_TEXT_UNITS),
        path: text_of(error, "path", MAX_TEXT_UNITS).unwrap_or_default(),
    })
}

/// Limits the rate of notices. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateLimit {
    left: i64,
    at: i64,
}

impl RateLimit {
    /// Whether a notice at this time is accepted.
    pub fn take(&mut self, now: i64) -> bool {
        self.left = (self.left + now - self.at).clamp(0, MAX_BURST * MS_PER_NOTICE);
        self.at = now;
        let taken = self.left >= MS_PER_NOTICE;
        if taken {
            self.left -= MS_PER_NOTICE;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_notices_is_read_and_a_flood_is_not() {
        let mut limit = RateLimit::default();
        let start = 1_764_000_000_000;
        let read = (0..1000).filter(|_| limit.take(start)).count();
        assert_eq!(read, 50);
        let read = (0..1000)
            .filter(|millisecond| limit.take(start + millisecond))
            .count();
        assert!((9..=10).contains(&read), "{read}");
        assert!(limit.take(start + 60_000));
    }
}
