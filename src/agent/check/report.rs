//! The findings of a check: as text for the model and for people, and as a signature that tells
//! whether the same problems have come back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{axe::Barrier, page::Findings, picture};
use crate::agent::{Fault, FaultKind, RunError, text::plain};

/// The longest report for people, in characters.
const FOR_PEOPLE: usize = 1500;
/// The longest report for the model, in characters.
const FOR_MODEL: usize = 12_000;
/// How many notes the model gets.
const MAX_NOTES: usize = 6;
/// How many unchecked routes are named.
const MAX_UNCHECKED: usize = 20;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What keeps the app from being done.
    pub problems: Vec<Problem>,
    /// Other findings.
    pub notes: Vec<String>,
    /// What was checked and works.
    pub seen: Vec<String>,
    /// The journeys that passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journeys: Vec<VerifiedJourney>,
    /// What the first page looks like: a small JPEG. It is not saved.
    #[serde(skip)]
    pub picture: Option<Vec<u8>>,
}

/// A journey that passed. Only its title is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct VerifiedJourney {
    pub title: String,
    /// The page at its end: a small JPEG.
    pub picture: Option<Vec<u8>>,
}

impl From<String> for VerifiedJourney {
    fn from(title: String) -> Self {
        Self {
            title,
            picture: None,
        }
    }
}

impl From<VerifiedJourney> for String {
    fn from(journey: VerifiedJourney) -> Self {
        journey.title
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub kind: ProblemKind,
    /// A route, or the tool that found it.
    pub place: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    NotRunning,
    Compile,
    Types,
    Http,
    Runtime,
    Blank,
    /// A journey that fails.
    Journey,
    /// A journey that can't be read.
    JourneyFile,
    /// A journey that was there and is not any more.
    JourneyGone,
    /// Something that keeps people from using a page that works.
    Barrier,
}

impl ProblemKind {
    fn title(self) -> &'static str {
        match self {
            Self::NotRunning => "The app does not run",
            Self::Compile => "It does not compile",
            Self::Types => "Type errors",
            Self::Http => "It answers with an error",
            Self::Runtime => "The page fails when it is loaded",
            Self::Blank => "The page is empty",
            Self::Journey => "A journey fails",
            Self::JourneyFile => "A journey can't be read",
            Self::JourneyGone => "A journey is gone",
            Self::Barrier => "Not everybody can use the page",
        }
    }
}

impl Problem {
    pub fn new(kind: ProblemKind, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
            text: plain::text(text.into().as_bytes()),
        }
    }
}

impl Report {
    /// Whether nothing keeps the app from being done.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether the app itself is sound, so that its journeys can be played.
    pub(super) fn is_sound(&self) -> bool {
        let mut kinds = self.problems.iter().map(|problem| problem.kind);
        kinds.all(|kind| matches!(kind, ProblemKind::JourneyGone | ProblemKind::Barrier))
    }

    /// Whether the app does what it should, if not for everybody.
    pub(in crate::agent) fn has_only_barriers(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.all(|problem| problem.kind == ProblemKind::Barrier)
    }

    /// The summary of an app that works, with the barriers that are left.
    pub(in crate::agent) fn with_barriers(&self, summary: String) -> String {
        let barriers = self.problems.iter().map(|problem| {
            let text = shortened(&problem.text, FOR_PEOPLE / 5).replace('`', "'");
            format!("\n- {}: `{text}`", problem.place)
        });
        let barriers: String = barriers.collect();
        format!("{summary}\n\nThe app works, but not everybody can use it:\n{barriers}")
    }

    /// Puts what fails before what keeps only some people from using it.
    pub(super) fn barriers_last(&mut self) {
        self.problems
            .sort_by_key(|problem| problem.kind == ProblemKind::Barrier);
    }

    pub fn for_model(&self) -> String {
        let mut text = if self.is_well() {
            let mut text = format!("The app works. Looked at: {}.", self.seen.join(", "));
            if !self.journeys.is_empty() {
                let titles: Vec<&str> = self.journeys.iter().map(|one| &*one.title).collect();
                text.push_str(&format!(" Journeys passed: {}.", titles.join(", ")));
            }
            text
        } else {
            let count = self.problems.len();
            let mut text = format!(
                "The check found {count} {}:",
                if count == 1 { "problem" } else { "problems" }
            );
            for (number, problem) in self.problems.iter().enumerate() {
                text.push_str(&format!(
                    "\n\n{}. {} ({}):\n{}",
                    number + 1,
                    problem.kind.title(),
                    problem.place,
                    problem.text
                ));
            }
            text
        };
        for note in self.notes.iter().take(MAX_NOTES) {
            text.push_str(&format!("\n\nNote: {note}"));
        }
        shortened(&text, FOR_MODEL)
    }

    /// The first problem, and how many more there are.
    pub fn for_people(&self) -> String {
        let Some(problem) = self.problems.first() else {
            return String::new();
        };
        let text = shortened(problem.text.trim(), FOR_PEOPLE).replace("```", "'''");
        let more = match self.problems.len() - 1 {
            0 => String::new(),
            1 => "\n\nAnd one more problem.".to_owned(),
            more => format!("\n\nAnd {more} more problems."),
        };
        format!(
            "{} ({}):\n\n```\n{text}\n```{more}",
            problem.kind.title(),
            problem.place
        )
    }

    /// The problems without the parts that vary, that is numbers such as lines and addresses. An
    /// HTTP status stays, because it says what is wrong.
    pub fn signature(&self) -> BTreeSet<(String, String)> {
        let problems = self.problems.iter();
        problems
            .map(|problem| {
                let first = problem.text.lines().take(3).collect::<Vec<_>>().join("\n");
                (
                    format!("{:?} {}", problem.kind, problem.place),
                    without_numbers(&first),
                )
            })
            .collect()
    }

    /// Adds what was found on a page, and returns what it links to.
    pub(super) fn add_page(&mut self, path: &str, findings: Findings) -> BTreeSet<String> {
        let warnings = findings.warnings.into_iter();
        self.notes
            .extend(warnings.map(|text| format!("{path} says on the console: {text}")));
        if path == "/" {
            self.picture = findings.screenshot.as_deref().and_then(picture::small);
        }
        let problems = findings
            .errors
            .into_iter()
            .map(|text| Problem::new(ProblemKind::Runtime, path, text));
        self.problems.extend(problems);
        for Barrier { advice, elements } in findings.barriers {
            // The pages of an app have much in common.
            if !self.problems.iter().any(|one| one.text.starts_with(advice)) {
                let text = format!("{advice}: {elements}.");
                self.problems
                    .push(Problem::new(ProblemKind::Barrier, path, text));
            }
        }
        findings.links
    }

    /// Names what was not checked, before the notes on pages, of which only the first are reported.
    pub(super) fn note_unchecked(&mut self, paths: &[String]) {
        if paths.is_empty() {
            return;
        }
        let named = paths
            .iter()
            .take(MAX_UNCHECKED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        let more = match paths.len().saturating_sub(MAX_UNCHECKED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.notes.insert(
            0,
            format!("not looked at, or only asked for: {named}{more}"),
        );
    }

    /// Whether it reports that a journey is missing.
    pub(in crate::agent) fn reports_missing_journey(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.kind == ProblemKind::JourneyGone)
    }

    pub(super) fn is_not_running(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.kind == ProblemKind::NotRunning)
    }
}

/// A transient error that keeps a check from finishing. The sandbox is not in doubt.
pub(super) fn unfinished(why: &str) -> RunError {
    RunError::Transient(Fault {
        kind: FaultKind::Slow,
        message: format!("{why} The files are kept. Send a message to continue."),
        retry_after: None,
    })
}

fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        plain.push_str(before);
        let end = number
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(number.len());
        plain.push_str(if before.ends_with("HTTP ") {
            &number[..end]
        } else {
            "#"
        });
        rest = &number[end..];
    }
    plain + rest
}

fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}\n…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(texts: &[&str]) -> Report {
        let problem = |text: &&str| Problem::new(ProblemKind::Types, "tsc --noEmit", *text);
        Report {
            problems: texts.iter().map(problem).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn the_same_error_on_another_line_is_the_same_and_another_error_is_not() {
        let before = report(&["app/page.tsx(3,14): error TS2322: no"]);
        assert_eq!(
            before.signature(),
            report(&["app/page.tsx(25,1): error TS2322: no"]).signature()
        );
        assert_ne!(
            before.signature(),
            report(&["app/page.tsx(3,14): error TS2322: other"]).signature()
        );
        assert_ne!(
            before.signature(),
            report(&["app/page.tsx(3,14): error TS2322: no", "b"]).signature()
        );
        let status = |text: &str| report(&[text]).signature();
        assert_ne!(
            status("It answers with HTTP 500."),
            status("It answers with HTTP 404.")
        );
        assert_eq!(status("HTTP 500 at 3:14"), status("HTTP 500 at 25:1"));
    }

    #[test]
    fn people_see_the_first_problem_and_the_model_all_of_them() {
        let report = report(&["one", "two", "three"]);
        assert_eq!(
            report.for_people(),
            "Type errors (tsc --noEmit):\n\n```\none\n```\n\nAnd 2 more problems."
        );
        assert!(
            report.for_model().contains("3 problems")
                && report
                    .for_model()
                    .contains("3. Type errors (tsc --noEmit):\nthree")
        );
        let well = Report {
            seen: vec!["/".to_owned(), "types".to_owned()],
            ..Report::default()
        };
        assert_eq!(well.for_model(), "The app works. Looked at: /, types.");
    }

    #[test]
    fn what_was_not_checked_comes_first_in_brief() {
        let mut report = Report {
            notes: vec!["a note".to_owned()],
            ..Report::default()
        };
        report.note_unchecked(&[]);
        assert_eq!(report.notes.len(), 1);
        report.note_unchecked(&vec!["/a".to_owned(); MAX_UNCHECKED + 3]);
        assert!(
            report.notes[0].starts_with("not looked at")
                && report.notes[0].ends_with("/a and 3 more")
        );
    }
}
