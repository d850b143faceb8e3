//! Titles of projects and versions: from the naming model, or from the prompt's first words if it
//! does not answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PrevMessage;
use crate::{
    agent::Agent,
    llm::{ChatMessage, ChatRequest, ModelRole},
    protocol::{Spent, first_chars},
};

/// The longest title, in characters.
const MAX_TITLE: usize = 60;
/// How long to wait for a title.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The titles of a version and its project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Titles {
    pub project: String,
    pub fragment: String,
    #[serde(default)]
    pub spent: Spent,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl Agent {
    /// Names the result, with the first provider (0) or an alternative. If the model fails or takes
    /// too long, the titles come from the prompt.
    pub async fn name(
        &self,
        alternative: usize,
        previous: &[PrevMessage],
        prompt: &str,
        summary: &str,
    ) -> Titles {
        let mut messages = vec![ChatMessage::System {
            content:
                "Give what the user asks for last a title of two to five words, in the user's language: a new app is called by what it \
                      is, a change of one by what it changes. Answer with the title alone: no quotes, no period."
                    .to_owned(),
        }];
        messages.extend(previous.iter().map(PrevMessage::to_chat));
        // The prompt comes last, as in every request.
        messages.insert(
            1,
            ChatMessage::System {
                content: format!("What was made: {summary}"),
            },
        );
        messages.push(ChatMessage::User {
            content: prompt.to_owned(),
        });
        let request = ChatRequest {
            messages: self.redactor.redact_messages(&messages),
            tools: Vec::new(),
            may_call: false,
            in_words: "",
            takes_unfinished: true,
            role: ModelRole::Naming,
            cache_key: String::new(),
        };
        let answer =
            tokio::time::timeout(TIMEOUT, self.model.stream(alternative, &request, |_| {})).await;
        let (title, spent, model) = match answer {
            Ok(Ok(reply)) => (clean(&reply.text), reply.spent, reply.model),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the naming model failed; the title comes from the prompt");
                (None, Spent::default(), None)
            }
            Err(_) => {
                tracing::warn!("the naming model took too long; the title comes from the prompt");
                (None, Spent::default(), None)
            }
        };
        let title = title.unwrap_or_else(|| provisional_title(prompt));
        Titles {
            project: title.clone(),
            fragment: title,
            spent,
            model,
        }
    }
}

/// The title in a model's answer; `None` if there is none.
fn clean(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let line = line.trim_matches(['"', '\'', '“', '”', '*', '#', '.', ' ']);
    (!line.is_empty()).then(|| shorten(line))
}

/// A title from the prompt's first words.
pub fn provisional_title(prompt: &str) -> String {
    let words = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    shorten(&words)
}

/// At most [`MAX_TITLE`] characters, cut between words.
fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_TITLE {
        return text.to_owned();
    }
    let cut = first_chars(text, MAX_TITLE - 1);
    let words = cut.rsplit_once(' ').map_or(cut, |(words, _)| words);
    format!("{}…", words.trim_end_matches([',', '.', ';', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_short_plain_and_cut_between_words() {
        assert_eq!(
            clean("**\"Todo app\"**\n\nIt is nice"),
            Some("Todo app".to_owned())
        );
        assert_eq!(clean(" \n"), None);
        let title = provisional_title(&"käse brot und noch viel mehr ".repeat(9));
        assert!(
            title.chars().count() <= MAX_TITLE && title.ends_with('…') && !title.contains("  "),
            "{title}"
        );
    }
}
