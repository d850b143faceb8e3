//! `<task_summary>`: how the model says that it is done.

const OPEN: &str = "<task_summary>";
const CLOSE: &str = "</task_summary>";

/// The summary in a finished answer, when there is one: the last, because the tag may be spoken of
/// before. A missing end is forgiven: the answer is whole.
pub fn find(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once(OPEN)?;
    let summary = after.split(CLOSE).next().unwrap_or(after).trim();
    summary.contains(char::is_alphanumeric).then_some(summary)
}

/// What of an answer in the making is for the conversation: the text before the summary, without
/// the beginning of its tag.
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
    fn the_summary_is_found_and_never_shown_as_text_not_even_its_beginning() {
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
