//! `<task_summary>`: how the model says that it is done.

const OPEN: &str = "<task_summary>";
const CLOSE: &str = "</task_summary>";

/// The summary in a finished answer, if there is one: the last, because the model may mention the
/// tag before. A missing end tag is forgiven: the answer is complete.
pub fn find(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once(OPEN)?;
    let summary = after.split(CLOSE).next().unwrap_or(after).trim();
    summary.contains(char::is_alphanumeric).then_some(summary)
}

/// The part of an unfinished answer that people see: the text before the summary, without the
/// beginning of its tag.
pub fn without(text: &str) -> &str {
    if let Some((before, _)) = text.rsplit_once(OPEN) {
        return before.trim_end();
    }
    let partial = (1..OPEN.len())
        .rev()
        .find(|length| text.ends_with(&OPEN[..*length]));
    partial.map_or(text, |length| &text[..text.len() - length])
}

#[cfg(test)]
mod tests {
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
        for end in 0..=text.len() {
            assert!(!without(&text[..end]).contains('<'), "{}", &text[..end]);
        }
        assert_eq!(without("a < b"), "a < b");
    }
}
