//! Prepares a chat's history for any protocol: names, arguments and ids that a provider would
//! refuse are made harmless, and what came from one provider is sent back only to that one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    llm::{Thoughts, ToolCall},
    protocol::first_chars,
};

/// The maximum length of a tool's name and of a call's id (OpenAI, Anthropic).
const MAX_NAME: usize = 64;

/// A system message in the middle of a chat, as a note from the user.
pub fn note(content: &str) -> String {
    format!("<system_note>\n{content}\n</system_note>")
}

/// The call's name, without characters that providers refuse.
pub fn name(call: &ToolCall) -> String {
    let name = sendable(&call.name);
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

/// The call's arguments. Providers reject arguments that are not an object; such a call has an
/// error as its result.
pub fn arguments(call: &ToolCall) -> &str {
    let valid =
        serde_json::from_str::<Value>(&call.arguments).is_ok_and(|arguments| arguments.is_object());
    if valid { &call.arguments } else { "{}" }
}

fn sendable(text: &str) -> String {
    let is_allowed = |letter: &char| letter.is_ascii_alphanumeric() || "_-".contains(*letter);
    text.chars().filter(is_allowed).take(MAX_NAME).collect()
}

/// The parts of an answer by this provider, protocol and model; `None` for any other answer.
pub fn own_items<'a>(
    thoughts: Option<&'a Thoughts>,
    provider: &str,
    wire: &str,
    model: &str,
) -> Option<&'a [Value]> {
    thoughts
        .filter(|thoughts| {
            thoughts.provider == provider && thoughts.wire == wire && thoughts.model == model
        })
        .map(|thoughts| &*thoughts.items)
        .filter(|items| !items.is_empty())
}

/// Makes call ids valid and unique in the whole chat, because some providers restart their
/// numbering with each answer. The same chat always gets the same ids.
#[derive(Debug, Default)]
pub struct CallIds {
    used: BTreeSet<String>,
    /// For the latest answer: its calls' own ids, and the ones sent.
    latest: BTreeMap<String, String>,
}

impl CallIds {
    /// Begins an answer: results refer to its calls from here on.
    pub fn begin_answer(&mut self) {
        self.latest.clear();
    }

    /// The id of a call of the latest answer.
    pub fn call(&mut self, id: &str) -> String {
        let valid = sendable(id);
        let valid = if valid.is_empty() { "call" } else { &valid };
        let mut sent = valid.to_owned();
        let mut number = 1;
        while !self.used.insert(sent.clone()) {
            number += 1;
            let tail = format!("_{number}");
            sent = first_chars(valid, MAX_NAME - tail.len()).to_owned() + &tail;
        }
        self.latest.insert(id.to_owned(), sent.clone());
        sent
    }

    /// The id under which a result is sent; `None` if its call is not in the chat.
    pub fn result(&self, id: &str) -> Option<&str> {
        self.latest.get(id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_valid_and_unique_in_a_chat_and_results_name_the_latest_call() {
        let mut ids = CallIds::default();
        ids.begin_answer();
        assert_eq!(ids.call("call_0"), "call_0");
        assert_eq!(ids.call("functions.readFiles:1"), "functionsreadFiles1");
        assert_eq!(
            ids.result("functions.readFiles:1"),
            Some("functionsreadFiles1")
        );
        ids.begin_answer();
        assert_eq!(ids.call("call_0"), "call_0_2");
        assert_eq!(ids.call(""), "call");
        assert_eq!(ids.result("call_0"), Some("call_0_2"));
        assert_eq!(ids.result("functions.readFiles:1"), None);
        let long = "x".repeat(80);
        let first = ids.call(&long);
        let second = ids.call(&long);
        assert!(first != second && first.len() == 64 && second.len() == 64);
    }

    #[test]
    fn an_answer_s_items_are_those_of_the_provider_the_protocol_and_the_model_it_came_from() {
        let thoughts = Thoughts {
            provider: "openai".to_owned(),
            wire: "responses".to_owned(),
            model: "gpt-6-sol".to_owned(),
            items: vec![Value::Null],
            ..Thoughts::default()
        };
        let own = |provider, wire, model| own_items(Some(&thoughts), provider, wire, model);
        assert!(own("openai", "responses", "gpt-6-sol").is_some());
        for (provider, wire, model) in [
            ("custom", "responses", "gpt-6-sol"),
            ("openai", "messages", "gpt-6-sol"),
            ("openai", "responses", "gpt-6-luna"),
        ] {
            assert!(
                own(provider, wire, model).is_none(),
                "{provider} {wire} {model}"
            );
        }
    }
}
