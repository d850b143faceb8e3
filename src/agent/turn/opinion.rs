//! What a look at the app and a review of its change have in common: another model's findings, which
//! are sent to the building model, and which the run can do without.

use crate::{
    agent::{
        AgentInput, RunError,
        text::{plain, tag},
    },
    llm::ChatMessage,
    protocol::{EventKind, ToolUse, first_chars},
};

/// How much of the user's message the other model gets, in characters.
const MAX_REQUEST: usize = 8000;
/// How many findings are used, and their maximum length, in characters.
const MAX_FINDINGS: usize = 5;
pub(super) const MAX_FINDING: usize = 300;

/// The user's last message, for the other model.
pub(super) fn request_of(input: &AgentInput) -> &str {
    let mut said = input.messages.iter().rev();
    let wish = said.find_map(|message| match message {
        ChatMessage::User { content } => Some(first_chars(content, MAX_REQUEST)),
        _ => None,
    });
    wish.unwrap_or_default()
}

/// The items of the list in an answer, except those that contain the words for "nothing found".
pub(super) fn findings(text: &str, nothing: &str) -> Vec<String> {
    let items = text.lines().filter_map(|line| {
        let line = line.trim();
        let listed = line.strip_prefix(['-', '*', '•']).or_else(|| {
            line.trim_start_matches(|letter: char| letter.is_ascii_digit())
                .strip_prefix(['.', ')'])
        });
        let item = plain::line(listed?.trim());
        let is_found = !item.is_empty() && !item.to_uppercase().contains(nothing);
        is_found.then(|| first_chars(&item, MAX_FINDING).to_owned())
    });
    items.take(MAX_FINDINGS).collect()
}

/// The findings between the tags, as a list for the building model.
pub(super) fn tagged(findings: &[String], name: &str) -> String {
    let list: String = findings
        .iter()
        .map(|finding| format!("- {finding}\n"))
        .collect();
    format!("<{name}>\n{}</{name}>", tag::without(&list, name))
}

/// The event for something that is being looked at; with an output, for the findings.
pub(super) fn shown(step: &str, tool: &str, title: &str, output: Option<String>) -> EventKind {
    EventKind::Tool {
        tool: ToolUse {
            step: step.to_owned(),
            tool: tool.to_owned(),
            title: title.to_owned(),
            output,
            failed: false,
            took: None,
        },
    }
}

/// The findings for people: `nobody` if there is no opinion, `nothing` if nothing was found.
pub(super) fn for_people(findings: Option<&[String]>, nobody: &str, nothing: &str) -> String {
    match findings {
        None => nobody.to_owned(),
        Some([]) => nothing.to_owned(),
        Some(findings) => findings.join("\n"),
    }
}

/// The summary of the app as it was before the findings, if the model stopped while mending them:
/// that is optional, and no more opinions are `taken`. Otherwise the error.
pub(super) fn give_up(
    error: RunError,
    summary: Option<String>,
    taken: &mut u32,
) -> Result<String, RunError> {
    match (error, summary) {
        (RunError::User(_) | RunError::Transient(_), Some(summary)) => {
            *taken = u32::MAX;
            Ok(summary)
        }
        (error, _) => Err(error),
    }
}
