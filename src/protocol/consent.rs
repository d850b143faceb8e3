//! Consent to the tools of MCP servers: asked for as a question with three answers, and kept for
//! the project.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Question, Timestamp, named};

/// What a user decides about a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolDecision {
    /// Its use is allowed in the run that follows.
    Once,
    Always,
    Never,
}

named!(ToolDecision: Once = "once", Always = "always", Never = "never");

/// A decision that the project keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolConsent {
    /// What the decision is about; see [`ToolConsent::key`].
    pub tool: String,
    pub decision: ToolDecision,
    pub decided_at: Timestamp,
}

impl ToolConsent {
    /// What a decision is kept under: the tool as models call it, `mcp__server__tool`; if the
    /// server is a project's, followed by `#` and the digest of its definition. So consent ends
    /// when the definition changes.
    pub fn key(tool: &str, definition: Option<&str>) -> String {
        match definition {
            Some(digest) => format!("{tool}#{digest}"),
            None => tool.to_owned(),
        }
    }

    /// The tool of such a key as models call it, and whether its server is a project's.
    pub fn tool_of(key: &str) -> (&str, bool) {
        match key.split_once('#') {
            Some((tool, _)) => (tool, true),
            None => (key, false),
        }
    }
}

impl ToolDecision {
    /// In the order of the buttons.
    pub const ALL: [Self; 3] = [Self::Once, Self::Always, Self::Never];

    /// Its words on a button, and in an answer.
    pub fn label(self) -> &'static str {
        match self {
            Self::Once => "Allow once",
            Self::Always => "Always allow",
            Self::Never => "Never",
        }
    }
}

impl Question {
    /// Asks whether runs of the project may use the server's tool. `key` is what the decision is
    /// kept under, `server` such as "MCP server docs", and `label` the tool's name for people: all
    /// of them without line breaks.
    pub fn about_tool(key: &str, server: &str, label: &str) -> Self {
        let options = ToolDecision::ALL.map(|decision| decision.label().to_owned());
        Self {
            question: format!("May CodeFlow use the tool {label} of the {server}?"),
            options: options.into(),
            tool: Some(key.to_owned()),
        }
    }

    /// The tool that this question is about, and what the answer decides; `None` if it decides
    /// nothing.
    pub fn decision(&self, answer: &str) -> Option<(&str, ToolDecision)> {
        let tool = self.tool.as_deref()?;
        let mut said = answer.lines().filter_map(|line| {
            let said = line.trim().strip_prefix(&*self.question)?.trim();
            let mut all = ToolDecision::ALL.into_iter();
            all.find(|decision| decision.label() == said)
        });
        Some((tool, said.next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_decides_only_in_the_words_of_a_button() {
        let question = Question::about_tool("mcp__docs__search", "MCP server docs", "search");
        let asked = &question.question;
        for decision in ToolDecision::ALL {
            let answer = format!("Hello\n{asked} {}\n", decision.label());
            assert_eq!(
                question.decision(&answer),
                Some(("mcp__docs__search", decision))
            );
        }
        for said in ["", "You decide.", "Always", "Always allow!", "Never mind"] {
            assert_eq!(
                question.decision(&format!("{asked} {said}")),
                None,
                "{said}"
            );
        }
        let other = Question::about_tool("mcp__docs__write", "MCP server docs", "write");
        assert_eq!(other.decision(&format!("{asked} Always allow")), None);
        let plain = Question {
            tool: None,
            ..question.clone()
        };
        assert_eq!(plain.decision(&format!("{asked} Always allow")), None);
    }
}
