//! A tiny request with a tool, which tells whether a model can build.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ChatMessage, ChatRequest, Model, ModelError, ToolSpec};
use crate::protocol::{ModelTask, Spent};

/// The longest that a test takes.
const LIMIT: Duration = Duration::from_secs(60);
const TOOL: &str = "ready";

/// The outcome of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCall {
    pub took: Duration,
    /// Whether it called the tool, as it was asked to.
    pub called: bool,
    pub spent: Spent,
}

impl Model {
    /// Asks this task's model of the provider (counted as in [`Model::stream`]) to call a tool.
    /// Fails if it does not answer within a minute.
    pub async fn test(&self, alternative: usize, task: ModelTask) -> Result<TestCall, ModelError> {
        let request = ChatRequest {
            messages: vec![ChatMessage::User {
                content: format!("This is a test. Call the tool `{TOOL}` once, and say nothing."),
            }],
            tools: vec![ToolSpec {
                name: TOOL.into(),
                description: "Says that you are ready.".into(),
                parameters: json!({
                    "type": "object",
                    "properties": {},
                    "additionalProperties": false,
                }),
            }],
            may_call: true,
            in_words: "To call the tool, write the line `ready`, and nothing else.",
            takes_unfinished: true,
            role: task.into(),
            cache_key: String::new(),
        };
        let begun = Instant::now();
        let answer = tokio::time::timeout(LIMIT, self.stream(alternative, &request, |_| ()));
        let answer = answer.await.map_err(|_| {
            ModelError::Silent(format!("no answer within {} seconds", LIMIT.as_secs()))
        })??;
        let called = answer.tool_calls.iter().any(|call| call.name == TOOL);
        Ok(TestCall {
            took: begun.elapsed(),
            called: called || answer.in_words && answer.text.contains(TOOL),
            spent: answer.spent,
        })
    }
}
