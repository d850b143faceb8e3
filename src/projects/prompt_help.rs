//! Help with a prompt before it is sent.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::{ProjectError, Projects};
use crate::protocol::{ImprovedPrompt, NewPrompt, WordChange};

/// How long to search for a short diff; after that, a longer one is returned.
const DIFF_TIMEOUT: Duration = Duration::from_millis(200);

impl Projects {
    /// An improved version of the prompt, for users who may send it. `Refused` if no model answers.
    pub async fn improve_prompt(&self, prompt: &NewPrompt) -> Result<ImprovedPrompt, ProjectError> {
        let improved = self.agent().await?.improve(prompt).await;
        let text = improved.map_err(ProjectError::Refused)?;
        Ok(ImprovedPrompt {
            changes: changes(prompt.as_str(), &text),
            text,
        })
    }
}

/// The differences word by word; neighbours of the same kind are joined.
fn changes(before: &str, after: &str) -> Vec<WordChange> {
    let diff = TextDiff::configure()
        .timeout(DIFF_TIMEOUT)
        .diff_words(before, after);
    let mut changes: Vec<WordChange> = Vec::new();
    for change in diff.iter_all_changes() {
        let words = change.value();
        match (change.tag(), changes.last_mut()) {
            (ChangeTag::Equal, Some(WordChange::Kept(text)))
            | (ChangeTag::Insert, Some(WordChange::Added(text)))
            | (ChangeTag::Delete, Some(WordChange::Removed(text))) => text.push_str(words),
            (ChangeTag::Equal, _) => changes.push(WordChange::Kept(words.to_owned())),
            (ChangeTag::Insert, _) => changes.push(WordChange::Added(words.to_owned())),
            (ChangeTag::Delete, _) => changes.push(WordChange::Removed(words.to_owned())),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_word_by_word_and_make_both_texts() {
        let (before, after) = ("A blue shop", "A blue and round shop with a cart");
        let changes = changes(before, after);
        let text = |kept: fn(&WordChange) -> Option<&String>| -> String {
            changes
                .iter()
                .filter_map(kept)
                .map(String::as_str)
                .collect()
        };
        let old = text(|change| match change {
            WordChange::Kept(words) | WordChange::Removed(words) => Some(words),
            WordChange::Added(_) => None,
        });
        let new = text(|change| match change {
            WordChange::Kept(words) | WordChange::Added(words) => Some(words),
            WordChange::Removed(_) => None,
        });
        assert_eq!((&*old, &*new), (before, after));
        assert_eq!(changes[0], WordChange::Kept("A blue ".to_owned()));
    }
}
