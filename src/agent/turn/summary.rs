//! `<task_summary>`, with which the model says that it is done.

const OPEN: &str = "<task_summary>";
const CLOSE: &str = "</task_summary>";

/// The summary in a finished answer, if there is one: the last, because the model may mention the
/// tag earlier. A missing end tag is accepted, because the answer is complete.
pub fn find(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once(OPEN)?;
    let summary = after.split(CLOSE).next().unwrap_or(after).trim();
    summary.contains(char::is_alphanumeric).then_some(summary)
}

/// Finds the visible part of a growing answer. Each byte is examined once.
#[derive(Debug, Default)]
pub struct Visible {
    /// How much of the text was searched, in bytes.
    searched: usize,
    /// The offset of the last tag.
    tag: Option<usize>,
}

impl Visible {
    /// The visible part of the unfinished answer: the text before the summary, without a partial
    /// tag. From one call to the next, the text only grows.
    pub fn of<'a>(&mut self, text: &'a str) -> &'a str {
        let from = self.searched.saturating_sub(OPEN.len() - 1);
        let mut windows = text.as_bytes()[from..].windows(OPEN.len());
        if let Some(at) = windows.rposition(|window| window == OPEN.as_bytes()) {
            self.tag = Some(from + at);
        }
        self.searched = text.len();
        if let Some(tag) = self.tag {
            return text[..tag].trim_end();
        }
        let partial = (1..OPEN.len())
            .rev()
            .find(|length| text.ends_with(&OPEN[..*length]));
        partial.map_or(text, |length| &text[..text.len() - length])
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_summary_is_found_and_no_part_of_it_is_shown_as_text() {
        let text = "All done.\n<task_summary>\nA todo app.\n</task_summary>";
        assert_eq!(find(text), Some("A todo app."));
        assert_eq!(find("<task_summary>A todo app"), Some("A todo app"));
        assert_eq!(find("no summary"), None);
        assert_eq!(find("I end with `<task_summary>`."), None);
        assert_eq!(
            find("I end with <task_summary>.\n<task_summary>A todo app</task_summary>"),
            Some("A todo app")
        );
        let mut visible = Visible::default();
        for end in 0..=text.len() {
            assert!(!visible.of(&text[..end]).contains('<'), "{}", &text[..end]);
        }
        assert_eq!(Visible::default().of("a < b"), "a < b");
    }

    proptest! {
        #[test]
        fn a_text_shows_the_same_whatever_pieces_it_came_in(
            pieces in vec(
                prop_oneof![
                    Just("<task_summary>"),
                    Just("<task_"),
                    Just("summary>"),
                    Just("<"),
                    Just("Käse \n"),
                    Just("</task_summary>"),
                ],
                0..12,
            ),
        ) {
            let (mut visible, mut text) = (Visible::default(), String::new());
            for piece in pieces {
                text.push_str(piece);
                prop_assert_eq!(visible.of(&text), Visible::default().of(&text));
            }
        }
    }
}
