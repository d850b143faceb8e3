//! Journeys of an app, once they were played.

use serde::{Deserialize, Serialize};

use super::ImageId;

/// Where an app's journeys are.
pub const JOURNEYS: &str = "tests/journeys/";

/// Whether this file of an app is a journey.
pub fn is_journey(path: &str) -> bool {
    let name = path.strip_prefix(JOURNEYS);
    name.is_some_and(|name| name.ends_with(".json") && !name.contains('/'))
}

/// A journey that passed before a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedJourney {
    pub title: String,
    /// The page at its end; only the first journeys of a run have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<ImageId>,
}

/// What a result's text says of the journeys that passed. The conversation shows them with their
/// pictures instead.
pub fn journeys_note<'a>(titles: impl IntoIterator<Item = &'a str>) -> String {
    let mut note = "\n\nPlayed in a browser, and passed:\n".to_owned();
    for title in titles {
        note.push_str("\n- ");
        note.push_str(title);
    }
    note
}

/// The outcome of a journey that somebody played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayedJourney {
    pub title: String,
    /// Which step failed and why; `None` if it passed.
    pub failure: Option<String>,
    /// The page at its end: a JPEG, as a `data:` URL.
    pub picture: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_are_the_json_files_of_their_folder() {
        assert!(is_journey("tests/journeys/add-a-task.json"));
        for other in [
            "journeys/rome.json",
            "tests/journeys/README.md",
            "tests/journeys/old/add.json",
            "app/tests/journeys/add.json",
        ] {
            assert!(!is_journey(other), "{other}");
        }
    }
}
