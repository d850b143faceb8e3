//! What the model is told at the beginning of a run: the system prompt, the app's files, the messages before, the user's message.

use serde::{Deserialize, Serialize};

use super::Design;
use crate::{
    llm::ChatMessage,
    protocol::{Message, Role, Spent},
};

/// Role, environment, rules, and how to end.
const SYSTEM_PROMPT: &str = include_str!("prompts/system.md");
/// How many paths the model is shown; a project with more is explored by tools.
const MAX_PATHS: usize = 400;

/// A message from before this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrevMessage {
    pub role: Role,
    pub content: String,
}

impl PrevMessage {
    pub(super) fn to_chat(&self) -> ChatMessage {
        match self.role {
            Role::User => ChatMessage::User {
                content: self.content.clone(),
            },
            Role::Assistant => ChatMessage::Assistant {
                content: self.content.clone(),
                tool_calls: Vec::new(),
            },
        }
    }
}

impl From<Message> for PrevMessage {
    fn from(message: Message) -> Self {
        let mut content = message.content;
        if message.image.is_some() {
            content.push_str("\n\n[an image was attached]");
        }
        Self {
            role: message.role,
            content,
        }
    }
}

/// The beginning of a run's chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInput {
    pub messages: Vec<ChatMessage>,
    /// What the image that came with the message shows.
    #[serde(default)]
    pub design: Option<Design>,
    /// What looking at the image cost.
    #[serde(default)]
    pub spent: Spent,
}

impl AgentInput {
    /// What never changes comes first, so that the providers' prompt caches hold; the user's words come last and as they are.
    pub fn new(previous: &[PrevMessage], files: &[String], prompt: &str, design: Option<Design>) -> Self {
        let mut messages = vec![ChatMessage::System {
            content: SYSTEM_PROMPT.trim().to_owned(),
        }];
        messages.extend(previous.iter().map(PrevMessage::to_chat));
        let mut listing = files.iter().take(MAX_PATHS).cloned().collect::<Vec<_>>().join("\n");
        if files.len() > MAX_PATHS {
            listing.push_str(&format!("\n… and {} more; use listFiles", files.len() - MAX_PATHS));
        }
        messages.push(ChatMessage::System {
            content: format!("The files of the app at this moment:\n{listing}"),
        });
        messages.push(ChatMessage::User {
            content: design.as_ref().map_or_else(|| prompt.to_owned(), |design| design.before(prompt)),
        });
        Self {
            messages,
            spent: design.as_ref().map(|design| design.spent).unwrap_or_default(),
            design,
        }
    }
}
