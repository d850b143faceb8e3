//! Improves the wording of a user's prompt; the user decides whether to accept it.

use std::time::Duration;

use crate::{
    agent::Agent,
    llm::{ChatMessage, ChatRequest, ModelRole},
    protocol::NewPrompt,
};

/// A prompt's version on the first line, then the rules.
const PROMPT: &str = include_str!("prompts/improve.md");
/// How long to wait for one model.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What the model writes around the text.
const TAGS: (&str, &str) = ("<prompt>", "</prompt>");

impl Agent {
    /// The improved prompt, from the naming model of the first provider that answers. The error is
    /// a message for the user.
    pub async fn improve(&self, prompt: &NewPrompt) -> Result<String, String> {
        if self.model.notice().demo {
            return Err(
                "The demo plays recorded builds and can't improve a prompt. Set the key of a \
                        provider to use a real model."
                    .to_owned(),
            );
        }
        let (_, rules) = PROMPT.split_once('\n').unwrap_or_default();
        let messages = [
            ChatMessage::System {
                content: rules.trim().to_owned(),
            },
            ChatMessage::User {
                content: prompt.as_str().to_owned(),
            },
        ];
        let request = ChatRequest {
            messages: self.redactor.redact_messages(&messages),
            tools: Vec::new(),
            may_call: false,
            in_words: "",
            takes_unfinished: false,
            role: ModelRole::Naming,
            cache_key: String::new(),
        };
        let mut why = String::new();
        for alternative in 0..=self.alternatives() {
            let answer = self.model.stream(alternative, &request, |_| {});
            why = match tokio::time::timeout(TIMEOUT, answer).await {
                Ok(Ok(reply)) => match improved(&reply.text) {
                    Some(text) => return Ok(text),
                    None => "it answered without a text".to_owned(),
                },
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} seconds", TIMEOUT.as_secs()),
            };
            tracing::warn!(
                model.alternative = alternative,
                why,
                "the prompt was not improved"
            );
        }
        Err(format!(
            "The model did not improve your text: {}. Your text is as it was; try again, or send it \
             as it is.",
            why.trim_end_matches('.')
        ))
    }
}

/// The text in a model's answer; `None` if it contains none that could be sent.
fn improved(answer: &str) -> Option<String> {
    let begun = answer.split_once(TAGS.0).map_or(answer, |(_, after)| after);
    let text = begun.split_once(TAGS.1).map_or(begun, |(text, _)| text);
    NewPrompt::new(text).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_improved_text_is_what_stands_between_the_tags_and_could_be_sent() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            improved("Sure!\n<prompt>\nA shop\n</prompt> Bye"),
            some("A shop")
        );
        assert_eq!(improved("<prompt>A shop"), some("A shop"));
        assert_eq!(improved(" A shop\n"), some("A shop"));
        assert_eq!(improved("<prompt> </prompt>"), None);
        assert_eq!(improved(&"x".repeat(20_000)), None);
    }

    #[test]
    fn the_prompt_changes_only_deliberately() {
        let (version, rules) = PROMPT.split_once('\n').unwrap_or_default();
        insta::assert_snapshot!(format!("{version}\n{}", rules.trim()));
    }
}
