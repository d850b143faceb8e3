//! Tools: what the model may do. Each is a typed handler in a file of its own behind this registry. A tool error says who must
//! hear it: the model, which then goes on, or the run, which ends.

mod create_or_update_files;
mod list_files;
mod read_files;
mod terminal;

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{App, RunError, path::PathError};
use crate::{
    llm::{ToolCall, ToolSpec},
    protocol::{FileChange, Status},
    sandbox::SandboxError,
};

/// The longest output that the model is given, in bytes; what is longer is cut in the middle.
const MAX_OUTPUT: usize = 24 << 10;
/// The longest that a tool may take, a command's own time aside.
const TOOL_TIMEOUT: Duration = Duration::from_secs(240);

/// What a tool call led to, as it is saved and shown to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// For the model.
    pub content: String,
    pub failed: bool,
    /// The files that were written.
    #[serde(default)]
    pub written: Vec<FileChange>,
    /// The sandbox in which it was carried out.
    #[serde(default)]
    pub sandbox: Option<String>,
}

impl ToolOutput {
    /// Of a command whose end was not seen.
    pub fn interrupted() -> Self {
        Self {
            failed: true,
            ..Self::ok(
                "This command was interrupted: the connection to it was lost before it ended. It may have run not at all, partly or \
                 wholly. See what it has changed before you run it again.",
            )
        }
    }

    fn ok(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            failed: false,
            written: Vec::new(),
            sandbox: None,
        }
    }
}

/// Who must hear of a tool's failure.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The model: it can do it differently.
    #[error("{0}")]
    RespondToModel(String),
    /// The run: nothing can go on.
    #[error(transparent)]
    Fatal(#[from] RunError),
}

impl From<PathError> for ToolError {
    fn from(error: PathError) -> Self {
        Self::RespondToModel(error.to_string())
    }
}

impl From<SandboxError> for ToolError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::NoSuchPath(message) | SandboxError::Refused(message) => Self::RespondToModel(message),
            error => Self::Fatal(error.into()),
        }
    }
}

/// A tool the model can call, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Terminal,
    CreateOrUpdateFiles,
    ReadFiles,
    ListFiles,
}

impl Tool {
    pub const ALL: [Self; 4] = [Self::Terminal, Self::CreateOrUpdateFiles, Self::ReadFiles, Self::ListFiles];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::CreateOrUpdateFiles => "createOrUpdateFiles",
            Self::ReadFiles => "readFiles",
            Self::ListFiles => "listFiles",
        }
    }

    /// How the model is told of it.
    pub fn spec(self) -> ToolSpec {
        let (description, parameters) = match self {
            Self::Terminal => terminal::spec(),
            Self::CreateOrUpdateFiles => create_or_update_files::spec(),
            Self::ReadFiles => read_files::spec(),
            Self::ListFiles => list_files::spec(),
        };
        ToolSpec {
            name: self.as_str(),
            description,
            parameters,
        }
    }
}

/// A tool call whose arguments were read, or why they could not be.
pub struct Prepared {
    /// What it works on, in one line.
    pub title: String,
    pub status: Option<Status>,
    arguments: Result<Arguments, String>,
}

enum Arguments {
    Terminal(terminal::Arguments),
    CreateOrUpdateFiles(create_or_update_files::Arguments),
    ReadFiles(read_files::Arguments),
    ListFiles(list_files::Arguments),
}

/// Reads a call. One that can't be carried out is prepared too: its result is the error.
pub fn prepare(call: &ToolCall) -> Prepared {
    let refused = |error: String| Prepared {
        title: call.name.chars().take(80).collect(),
        status: None,
        arguments: Err(error),
    };
    let Some(tool) = Tool::ALL.into_iter().find(|tool| tool.as_str() == call.name) else {
        let names = Tool::ALL.map(Tool::as_str).join(", ");
        return refused(format!("there is no tool {:?}; the tools are {names}", call.name));
    };
    let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let read =
        match tool {
            Tool::Terminal => {
                read(text).map(|arguments: terminal::Arguments| (arguments.title(), arguments.status(), Arguments::Terminal(arguments)))
            }
            Tool::CreateOrUpdateFiles => read(text).map(|arguments: create_or_update_files::Arguments| {
                (
                    arguments.title(),
                    Status::GeneratingFiles,
                    Arguments::CreateOrUpdateFiles(arguments),
                )
            }),
            Tool::ReadFiles => read(text)
                .map(|arguments: read_files::Arguments| (arguments.title(), Status::ReadingFiles, Arguments::ReadFiles(arguments))),
            Tool::ListFiles => read(text)
                .map(|arguments: list_files::Arguments| (arguments.title(), Status::ReadingFiles, Arguments::ListFiles(arguments))),
        };
    match read {
        Ok((title, status, arguments)) => Prepared {
            title,
            status: Some(status),
            arguments: Ok(arguments),
        },
        Err(error) => refused(format!(
            "the arguments of {} are not valid ({error}); they follow this schema: {}",
            tool.as_str(),
            tool.spec().parameters
        )),
    }
}

/// The files that a call writes, as far as its arguments have come: paths, and contents so far.
pub fn drafts(name: &str, arguments: &str) -> Vec<(String, String)> {
    if name == Tool::CreateOrUpdateFiles.as_str() {
        create_or_update_files::drafts(arguments)
    } else {
        Vec::new()
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Prepared {
    /// The longest that it may take.
    pub fn timeout(&self) -> Duration {
        match &self.arguments {
            Ok(Arguments::Terminal(arguments)) => arguments.timeout() + TOOL_TIMEOUT,
            _ => TOOL_TIMEOUT,
        }
    }

    /// Whether it does the same twice as once.
    pub fn is_repeatable(&self) -> bool {
        !matches!(self.arguments, Ok(Arguments::Terminal(_)))
    }

    /// The files that it writes: paths, as they are told, and contents.
    pub fn files(&self) -> Vec<(String, String)> {
        match &self.arguments {
            Ok(Arguments::CreateOrUpdateFiles(arguments)) => arguments.files(),
            _ => Vec::new(),
        }
    }

    /// Carries the call out. An error that the model can mend is its output.
    pub async fn carry_out(&self, app: &App) -> Result<ToolOutput, RunError> {
        let output = match &self.arguments {
            Err(error) => Err(ToolError::RespondToModel(error.clone())),
            Ok(Arguments::Terminal(arguments)) => arguments.carry_out(app).await,
            Ok(Arguments::CreateOrUpdateFiles(arguments)) => arguments.carry_out(app).await,
            Ok(Arguments::ReadFiles(arguments)) => arguments.carry_out(app).await,
            Ok(Arguments::ListFiles(arguments)) => arguments.carry_out(app).await,
        };
        match output {
            Ok(output) => Ok(output),
            Err(ToolError::RespondToModel(message)) => Ok(ToolOutput {
                failed: true,
                ..ToolOutput::ok(format!("Error: {message}"))
            }),
            Err(ToolError::Fatal(error)) => Err(error),
        }
    }
}

/// A schema of an object with these properties, all of which are known; the required ones are named.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The text, its middle left out where it is too long.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut head = limit / 2;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - limit / 2;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

/// The first paths, and how many more there are.
fn paths_title<'a>(mut paths: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = paths.len().saturating_sub(3);
    let first: Vec<&str> = paths.by_ref().take(3).collect();
    let first = first.join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(name: &str, arguments: &str) -> String {
        let call = ToolCall {
            id: "a".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        prepare(&call).arguments.err().unwrap_or_default()
    }

    #[test]
    fn a_call_that_can_t_be_carried_out_says_what_would_be_right() {
        assert!(error_of("rm", "{}").contains("the tools are terminal, createOrUpdateFiles, readFiles, listFiles"));
        let error = error_of("terminal", "{\"cmd\":\"ls\"}");
        assert!(error.contains("command") && error.contains("\"required\""), "{error}");
        assert!(error_of("readFiles", "{\"files\":[").contains("not valid"));
        assert_eq!(error_of("listFiles", ""), "");
    }

    #[test]
    fn long_output_is_cut_in_the_middle_between_characters() {
        let text = "ä".repeat(100);
        let cut = cut(&text, 51);
        assert!(
            cut.starts_with('ä') && cut.ends_with('ä') && cut.contains("bytes left out"),
            "{cut}"
        );
        assert!(cut.len() < 100);
    }
}
