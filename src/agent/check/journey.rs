//! Journeys: what a visitor does in the app and then sees, in small files that the agent keeps with
//! the app (`docs/journeys.md` describes their format). The check plays them in its own browser
//! once the pages work, each as a new visitor.

mod input;
mod keys;
mod play;
mod read;
mod roles;
mod round;
mod screen;
mod words;

use keys::Stroke;

pub use round::JourneyOutcome;

use super::report::{Problem, ProblemKind, Report};
use crate::{
    agent::Listing,
    protocol::{JOURNEYS, is_journey},
};

/// The maximum number per app.
const MAX_JOURNEYS: usize = 20;

/// A journey, as written in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// The file's path in the app.
    pub file: String,
    pub title: String,
    pub steps: Vec<JourneyStep>,
}

/// Something that the visitor does or sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JourneyStep {
    pub action: Action,
    /// The step as written in the file, on one line.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Goes to a path of the app.
    Open(String),
    Reload,
    Click(Target),
    /// Replaces the text of a field.
    Type {
        text: String,
        field: Target,
    },
    /// Chooses an option of a field.
    Select {
        option: String,
        field: Target,
    },
    Press(Stroke),
    See(Sight),
    NotSee(Sight),
    /// Expects most of the page to be dark, or light.
    Theme(Theme),
}

impl Action {
    /// Whether it changes nothing.
    pub fn is_look(&self) -> bool {
        matches!(self, Self::See(_) | Self::NotSee(_) | Self::Theme(_))
    }
}

/// How a journey ended.
#[derive(Debug, Default)]
pub struct End {
    /// `None` when it passed.
    pub failure: Option<Failure>,
    /// What the page looked like: a small JPEG.
    pub picture: Option<Vec<u8>>,
}

/// Why a journey failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The step with this number, counted from 1, failed; `why` says what was there instead.
    Step { number: usize, why: String },
    /// All steps passed, but its pages threw this.
    Thrown(String),
    /// The browser failed, as this sentence explains.
    Browser(String),
}

/// The element to act on, by its accessible name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    /// `None`: any element with the name; those that can be used come first.
    pub role: Option<String>,
    /// Which one of several, counted from 1.
    pub number: usize,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// A text on the page.
    Text(String),
    /// An element.
    Element(Element),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub role: String,
    /// Empty for any name.
    pub name: String,
    /// The value of a field.
    pub value: Option<String>,
    /// States such as `checked`, and whether each must be set.
    pub states: Vec<(&'static str, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Dark,
    Light,
}

/// Reports those of the journeys that the app no longer has, if its files could be listed.
pub fn require(journeys: &[String], listing: &Listing, report: &mut Report) {
    let gone = journeys
        .iter()
        .filter(|file| listing.is_known && !listing.paths().any(|path| path == file.as_str()));
    report.problems.extend(gone.map(|file| {
        let text = format!(
            "{file} was there before this run, and the user's message does not ask to remove it. \
             Write it again as it was, and change the app so that it passes. Only where the user \
             no longer wants what it shows, leave it out, and say so in the summary."
        );
        Problem::new(ProblemKind::JourneyGone, file.clone(), text)
    }));
}

/// The app's journeys that a message does not ask to remove or rename: it mentions neither them nor
/// journeys in general.
pub fn kept(files: &[String], message: &str) -> Vec<String> {
    let message = message.to_lowercase();
    if message.contains("journey") {
        return Vec::new();
    }
    let is_named = |file: &str| {
        let name = file.strip_prefix(JOURNEYS).unwrap_or(file);
        message.contains(name.trim_end_matches(".json").to_lowercase().as_str())
    };
    let kept = files
        .iter()
        .filter(|file| is_journey(file) && !is_named(file));
    kept.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journey_is_kept_unless_the_message_asks_for_its_removal() {
        let files = [
            "app/page.tsx".to_owned(),
            "tests/journeys/add-task.json".to_owned(),
        ];
        assert_eq!(kept(&files, "Make it blue"), files[1..]);
        assert!(kept(&files, "Delete add-task.json").is_empty());
        assert!(kept(&files, "No more Journeys, please").is_empty());
    }

    #[test]
    fn each_recorded_app_has_journeys_that_can_be_played() -> anyhow::Result<()> {
        let apps = crate::llm::recorded_apps()?;
        assert!(apps.len() >= 8);
        for app in apps {
            let files = app.files().filter(|(path, _)| is_journey(path));
            let read: Vec<_> = files
                .map(|(path, content)| read::read(&path, &content))
                .collect();
            assert!((2..=3).contains(&read.len()), "{}: {read:?}", app.slug);
            assert!(read.iter().all(Result::is_ok), "{}: {read:?}", app.slug);
        }
        Ok(())
    }

    #[test]
    fn a_journey_that_is_gone_is_a_problem_and_an_unknown_folder_is_none() {
        let gone = ["tests/journeys/add.json".to_owned()];
        let listing = Listing {
            is_known: true,
            ..Listing::default()
        };
        let mut report = Report::default();
        require(&gone, &Listing::unknown("no answer"), &mut report);
        assert!(report.is_well());
        require(&gone, &listing, &mut report);
        assert!(report.reports_missing_journey() && report.is_sound());
        assert!(report.for_model().contains("Write it again as it was"));
    }
}
