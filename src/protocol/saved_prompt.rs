//! A user's own prompts, saved to be used again.

use serde::{Deserialize, Serialize};

use super::{SavedPromptId, Timestamp, text::one_line};

/// The longest name of a saved prompt, in characters.
pub const PROMPT_NAME_MAX_CHARS: usize = 100;

/// A prompt in the user's library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPrompt {
    pub id: SavedPromptId,
    /// One line, unless its user gave it none the prompt's first words.
    pub name: String,
    pub text: String,
    /// When it was last saved.
    pub saved_at: Timestamp,
}

impl SavedPrompt {
    /// Whether the name or the text contains every word of the search, in any case.
    pub fn matches(&self, search: &str) -> bool {
        let (name, text) = (self.name.to_lowercase(), self.text.to_lowercase());
        let search = search.to_lowercase();
        let mut words = search.split_whitespace();
        words.all(|word| name.contains(word) || text.contains(word))
    }
}

/// The name of a saved prompt as the user typed it, checked: one line, not too long; blank if the
/// prompt's first words shall name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptName(String);

/// The name is too long; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "That is {chars} characters; a name has at most {PROMPT_NAME_MAX_CHARS}. Please shorten it."
)]
pub struct NameTooLong {
    chars: usize,
}

impl PromptName {
    /// Collapses white space and checks the length.
    pub fn new(text: &str) -> Result<Self, NameTooLong> {
        let name = one_line(text);
        match name.chars().count() {
            chars if chars > PROMPT_NAME_MAX_CHARS => Err(NameTooLong { chars }),
            _ => Ok(Self(name)),
        }
    }

    /// `None` if it is blank.
    pub fn given(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_found_by_words_of_its_name_and_its_text() {
        let prompt = SavedPrompt {
            id: SavedPromptId(uuid::Uuid::nil()),
            name: "Äpfel shop".to_owned(),
            text: "Build a shop with a cart".to_owned(),
            saved_at: Timestamp(0),
        };
        for search in ["", " ÄPF ", "cart shop", "build äpfel"] {
            assert!(prompt.matches(search), "{search:?}");
        }
        for search in ["pear", "cart pear"] {
            assert!(!prompt.matches(search), "{search:?}");
        }
    }

    #[test]
    fn a_name_is_one_line_and_may_be_blank_but_not_long() {
        let name = |text: &str| PromptName::new(text).map(PromptName::given);
        assert_eq!(name(" My\n  shop\0 "), Ok(Some("My shop".to_owned())));
        assert_eq!(name(" \n"), Ok(None));
        let long = "ü".repeat(PROMPT_NAME_MAX_CHARS + 1);
        assert_eq!(name(&long), Err(NameTooLong { chars: 101 }));
    }
}
