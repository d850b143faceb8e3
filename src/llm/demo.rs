//! The demo: a model that follows recorded builds and their follow-ups. It answers turn by turn
//! like any other model, so everything around it is real. It is stateless: its position is derived
//! from the request, so a resumed run continues where it was.

mod choice;
mod recording;

use std::time::Duration;

use recording::{Call, Turn};
pub use recording::{Recordings, recorded_apps};

use super::{ChatMessage, ChatRequest, ModelError, ModelReply, ModelRole, Piece, ToolCall};

/// The pause between two pieces of text: the pace of a quick model.
const PIECE_PAUSE: Duration = Duration::from_millis(25);
/// The answer in modes that build nothing.
const ONLY_BUILDS: &str = "The demo only builds: it follows recordings, and can neither answer \
                           questions nor plan. Start CodeFlow with a model's key for that, or send \
                           the message in the mode Build.";
/// The tool that every recording calls.
const WRITES: &str = "createOrUpdateFiles";
/// The pause before an answer begins.
const THINKING_PAUSE: Duration = Duration::from_millis(400);
/// The length of a piece of text, in characters.
const PIECE_CHARS: usize = 12;
/// The length of a piece of a tool call, in characters: files come faster than words.
const CALL_PIECE_CHARS: usize = 240;

impl Recordings {
    /// The prompts of all builds.
    pub fn prompts(&self) -> Vec<String> {
        self.all()
            .iter()
            .map(|recording| recording.prompt.clone())
            .collect()
    }

    /// Plays the recorded answer to the request.
    pub async fn play(
        &self,
        request: &ChatRequest,
        mut on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Result<ModelReply, ModelError> {
        let builds = request.tools.iter().any(|tool| tool.name == WRITES);
        if request.role == ModelRole::Coder && !builds {
            let answer = format!("<task_summary>\n{ONLY_BUILDS}\n</task_summary>");
            on_piece(Piece::Text(&answer));
            return Ok(text_reply(&answer));
        }
        let (folder, part) = self.choose(&request.messages)?;
        if request.role == ModelRole::Naming {
            return Ok(text_reply(part.title));
        }
        // This run's answers so far: those after the last user message.
        let done = request
            .messages
            .iter()
            .rev()
            .take_while(|message| !matches!(message, ChatMessage::User { .. }));
        let done = done
            .filter(|message| matches!(message, ChatMessage::Assistant { .. }))
            .count();
        let Some(turn) = part.turns.get(done.min(part.turns.len().saturating_sub(1))) else {
            return Err(ModelError::NoRecording(
                "This recording is empty.".to_owned(),
            ));
        };
        tokio::time::sleep(THINKING_PAUSE).await;
        let mut text = String::new();
        for piece in pieces(&turn.say, PIECE_CHARS) {
            on_piece(Piece::Text(piece));
            text.push_str(piece);
            tokio::time::sleep(PIECE_PAUSE).await;
        }
        if let Some(summary) = &turn.summary {
            let summary = format!("\n<task_summary>\n{summary}\n</task_summary>");
            on_piece(Piece::Text(&summary));
            text.push_str(&summary);
        }
        let tool_calls = self.tool_calls(folder, done, turn);
        for (index, call) in tool_calls.iter().enumerate() {
            for arguments in pieces(&call.arguments, CALL_PIECE_CHARS) {
                let name = &call.name;
                on_piece(Piece::Call {
                    index,
                    name,
                    arguments,
                });
                tokio::time::sleep(PIECE_PAUSE).await;
            }
        }
        Ok(ModelReply {
            text,
            tool_calls,
            ..ModelReply::default()
        })
    }

    fn tool_calls(&self, folder: String, turn_index: usize, turn: &Turn) -> Vec<ToolCall> {
        let calls = turn.calls.iter().enumerate();
        calls
            .map(|(index, call)| {
                let (name, arguments) = match call {
                    Call::Files { tool, files } if tool == WRITES => {
                        // As models write them: the path before the content, so that the file can
                        // be shown while it grows.
                        let file = |path: &String| {
                            let [path, content] = [path.as_str(), &self.content(&folder, path)]
                                .map(|text| serde_json::json!(text));
                            format!("{{\"path\":{path},\"content\":{content}}}")
                        };
                        let files: Vec<String> = files.iter().map(file).collect();
                        (tool, format!("{{\"files\":[{}]}}", files.join(",")))
                    }
                    Call::Files { tool, files } => {
                        (tool, serde_json::json!({ "files": files }).to_string())
                    }
                    Call::Plain { tool, arguments } => (tool, arguments.to_string()),
                };
                ToolCall {
                    id: format!("call_{turn_index}_{index}"),
                    name: name.clone(),
                    arguments,
                    ..ToolCall::default()
                }
            })
            .collect()
    }
}

fn text_reply(text: &str) -> ModelReply {
    ModelReply {
        text: text.to_owned(),
        ..ModelReply::default()
    }
}

/// The text in pieces of a few characters.
fn pieces(text: &str, chars: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .char_indices()
            .nth(chars)
            .map_or(rest.len(), |(end, _)| end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}
