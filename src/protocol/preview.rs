//! Errors of the running app in a preview. The app itself reports them, so every field is bounded
//! on arrival.

use serde::{Deserialize, Serialize};

use super::first_chars;

/// The maximum number of errors kept per page, and the maximum length of a message, in characters.
const MAX_ERRORS: usize = 20;
const MAX_MESSAGE: usize = 2000;
/// The maximum length of a location or path, in characters.
const MAX_PLACE: usize = 300;

/// How an error surfaced, the most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewErrorKind {
    /// Thrown and never caught.
    Error,
    /// A rejected promise that nobody handled.
    Rejection,
    /// Written to the console as an error.
    Console,
}

/// An error that the app's page reported while somebody watched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewError {
    pub kind: PreviewErrorKind,
    /// Such as `TypeError: x is undefined`.
    pub message: String,
    /// The first place in the app's own sources, `app/page.tsx:12:9`, where one is known.
    #[serde(default)]
    pub location: Option<String>,
    /// The path of the page, such as `/about`.
    #[serde(default)]
    pub path: String,
}

impl PreviewError {
    /// At most 20 of the reported errors, in order. Each message appears once, with its most
    /// serious kind; texts are cut.
    pub fn fold(reported: Vec<Self>) -> Vec<Self> {
        let mut folded: Vec<Self> = Vec::new();
        for mut error in reported {
            cut(&mut error.message, MAX_MESSAGE);
            cut(&mut error.path, MAX_PLACE);
            if let Some(location) = &mut error.location {
                cut(location, MAX_PLACE);
            }
            let known = folded
                .iter()
                .position(|known| known.message == error.message);
            match known {
                Some(at) => folded[at].kind = folded[at].kind.min(error.kind),
                None if folded.len() < MAX_ERRORS => folded.push(error),
                None => {}
            }
        }
        folded
    }
}

fn cut(text: &mut String, chars: usize) {
    text.truncate(first_chars(text, chars).len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: PreviewErrorKind, message: &str) -> PreviewError {
        PreviewError {
            kind,
            message: message.to_owned(),
            location: None,
            path: "/".to_owned(),
        }
    }

    #[test]
    fn each_message_is_there_once_with_its_gravest_kind() {
        let reported = vec![
            error(PreviewErrorKind::Console, "a"),
            error(PreviewErrorKind::Rejection, "b"),
            error(PreviewErrorKind::Error, "a"),
            error(PreviewErrorKind::Console, "b"),
        ];
        let folded = [
            error(PreviewErrorKind::Error, "a"),
            error(PreviewErrorKind::Rejection, "b"),
        ];
        assert_eq!(PreviewError::fold(reported), folded);
    }

    #[test]
    fn no_app_can_report_without_bounds() {
        let many = (0..1000).map(|number| {
            error(
                PreviewErrorKind::Error,
                &format!("{number} {}", "ü".repeat(9000)),
            )
        });
        let folded = PreviewError::fold(many.collect());
        assert_eq!(folded.len(), MAX_ERRORS);
        assert!(
            folded
                .iter()
                .all(|error| error.message.chars().count() == MAX_MESSAGE)
        );
    }
}
