//! A chat, independent of the provider: messages and tools in, an answer in pieces out.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{ModelTask, Spent};

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum ChatMessage {
    System {
        content: String,
    },
    User {
        content: String,
    },
    /// A user message with images.
    UserImages {
        content: String,
        images: Vec<ChatImage>,
    },
    Assistant {
        content: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thoughts: Option<Thoughts>,
    },
    /// The result of a tool call.
    Tool {
        tool_call_id: String,
        content: String,
    },
}

impl ChatMessage {
    /// The same message with its content changed; tool calls stay as they are.
    pub fn map_content(&self, change: impl FnOnce(&str) -> String) -> Self {
        let mut message = self.clone();
        match &mut message {
            Self::System { content }
            | Self::User { content }
            | Self::UserImages { content, .. }
            | Self::Assistant { content, .. }
            | Self::Tool { content, .. } => {
                *content = change(content);
            }
        }
        message
    }
}

/// An image in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatImage {
    /// Such as `image/png`.
    pub media_type: String,
    /// The image's bytes in base64.
    pub data: String,
}

impl ChatImage {
    pub fn new(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            data: STANDARD.encode(bytes),
        }
    }

    /// The image as a data URL.
    pub(super) fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.data)
    }
}

/// A tool call that the model asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON as the model wrote it; it may be invalid.
    pub arguments: String,
    /// Sent back to the provider with the call: Gemini signs its calls.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub extra_content: Value,
}

/// Reasoning that a provider returns with an answer and expects unchanged in later requests, so
/// that the model can continue its thought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thoughts {
    /// Its provider. Other providers refuse it, and the calls' extra content.
    pub provider: String,
    /// As DeepSeek and its kin send it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning_content: String,
    /// As OpenRouter sends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
    /// The protocol it came over; empty for chat completions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wire: String,
    /// The model of the items below; no other model can read them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The parts of the answer as received, if the protocol wants them back: output items of
    /// Responses, content blocks of Messages. Unknown parts are kept too. Arguments of calls are
    /// only in the calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Value>,
}

impl Thoughts {
    /// Roughly how many bytes they add to a request.
    pub fn size(&self) -> usize {
        let details = self.reasoning_details.iter().chain(&self.items);
        let details = details.map(|detail| detail.to_string().len());
        self.reasoning_content.len() + details.sum::<usize>()
    }
}

/// A tool's description for the model.
#[derive(Debug, Clone, Serialize)]
pub struct ToolSpec {
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// A request for one answer.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    /// Empty if the model must answer in words.
    pub tools: Vec<ToolSpec>,
    /// Whether this answer may call tools. The tools are sent in any case, because the providers'
    /// prompt caches begin with them.
    pub may_call: bool,
    /// Instructions for a model that can't call tools.
    pub in_words: &'static str,
    /// Whether to accept an answer that its provider ends without a reason, although it may be
    /// incomplete.
    pub takes_unfinished: bool,
    pub role: ModelRole,
    /// Requests with the same key begin alike, for providers that look up their cache by it; empty
    /// for none.
    pub cache_key: String,
}

impl ChatRequest {
    /// The same request for a model that can't call tools.
    pub fn in_words(&self) -> Self {
        let mut request = Self {
            tools: Vec::new(),
            ..self.clone()
        };
        if self.may_call {
            request.messages.push(ChatMessage::System {
                content: format!("There are no tools in this conversation. {}", self.in_words),
            });
        }
        request
    }
}

/// The task that decides which model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    Coder,
    Naming,
    /// Looks at images.
    Vision,
}

impl From<ModelTask> for ModelRole {
    fn from(task: ModelTask) -> Self {
        match task {
            ModelTask::Code => Self::Coder,
            ModelTask::Naming => Self::Naming,
            ModelTask::Vision => Self::Vision,
        }
    }
}

/// Parts to leave out of a chat that its provider refuses, in case something old in it is the
/// reason. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Omission {
    /// The reasoning of earlier answers.
    Thoughts,
    /// The messages from before the run.
    PreviousMessages,
    /// The contents of recently changed files.
    FileContents,
}

/// A complete answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReply {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    #[serde(default)]
    pub spent: Spent,
    /// The provider's name of the model that answered; `None` for the demo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thoughts: Option<Thoughts>,
    /// The reasoning that the model showed, in Markdown: for people, never sent back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thinking: String,
    /// The duration of the reasoning, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought_for: Option<u64>,
    /// The chat exceeded the model's context; this answers only part of it.
    #[serde(default)]
    pub overflowed: bool,
    /// The provider refused the chat; this answers it without the part named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Omission>,
    /// The answer reached the model's limit of output tokens: its text ends early, and it contains
    /// only complete calls.
    #[serde(default)]
    pub cut: bool,
    /// The tools whose calls were cut off within their arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub half_calls: Vec<String>,
    /// No tools were offered, because the model can't call any.
    #[serde(default)]
    pub in_words: bool,
}

/// The next piece of a streamed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// Reasoning that the model shows.
    Thinking(&'a str),
    /// More of the arguments of the answer's tool call with this index.
    Call {
        index: usize,
        name: &'a str,
        arguments: &'a str,
    },
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    /// Input tokens that came from the provider's cache.
    pub cached_tokens: u64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write_tokens: u64,
    pub output_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// The cost that the provider reports, in millionths of a US dollar.
    pub cost_micros: Option<u64>,
    /// Part of it is an estimate, because the provider does not report it.
    pub estimated: bool,
}
