//! Tools: the actions available to the model. Each is a typed handler in a file of its own behind
//! this registry. A tool error says who gets it: the model, which then continues, or the run, which
//! ends.

mod access;
mod ask_questions;
mod check_app;
pub mod code_blocks;
mod complete_step;
mod create_or_update_files;
mod dev_server;
mod drafts;
mod edit_file;
mod explore;
mod lenient;
mod list_files;
pub mod mcp_tool;
mod nearest;
mod output;
mod propose_plan;
mod read_files;
mod search_files;
mod shell_words;
mod terminal;
mod toolset;
mod unsplash_image;

use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use access::FileAccess;
pub use drafts::Drafts;
use output::MAX_OUTPUT;
pub use output::{ToolError, ToolOutput, Written, cut};
use toolset::ToolPurpose;
pub use toolset::Toolset;

use super::{Agent, App, AppPath, app::path::GENERATED_FOLDERS, check::Scope, plan::ApprovedPlan};
use crate::{
    llm::{ToolCall, ToolSpec},
    protocol::{MessagePart, Status, first_chars},
};

/// How long a tool may take, not counting a command's own time.
const TOOL_TIMEOUT: Duration = Duration::from_secs(240);
/// The maximum size of a file that a tool writes, in bytes.
const MAX_FILE: usize = 10 << 20;

/// A tool the model can call.
pub struct Tool {
    /// Its name on the wire.
    name: &'static str,
    purpose: ToolPurpose,
    spec: fn() -> (&'static str, Value),
    read: fn(Value) -> Result<Box<dyn Handler>, String>,
}

/// In the order in which the model sees them.
static TOOLS: [Tool; 12] = [
    Tool::of::<terminal::Arguments>(terminal::NAME, ToolPurpose::Change, terminal::spec),
    Tool::of::<create_or_update_files::Arguments>(
        create_or_update_files::NAME,
        ToolPurpose::Change,
        create_or_update_files::spec,
    ),
    Tool::of::<edit_file::Arguments>("editFile", ToolPurpose::Change, edit_file::spec),
    Tool::of::<read_files::Arguments>("readFiles", ToolPurpose::Read, read_files::spec),
    Tool::of::<list_files::Arguments>("listFiles", ToolPurpose::Read, list_files::spec),
    Tool::of::<search_files::Arguments>("searchFiles", ToolPurpose::Read, search_files::spec),
    Tool::of::<explore::Arguments>("explore", ToolPurpose::Explore, explore::spec),
    Tool::of::<unsplash_image::Arguments>(
        "unsplashImage",
        ToolPurpose::Change,
        unsplash_image::spec,
    ),
    Tool::of::<check_app::Arguments>("checkApp", ToolPurpose::Change, check_app::spec),
    Tool::of::<ask_questions::Arguments>(
        "askQuestions",
        ToolPurpose::Question,
        ask_questions::spec,
    ),
    Tool::of::<propose_plan::Arguments>("proposePlan", ToolPurpose::Plan, propose_plan::spec),
    Tool::of::<complete_step::Arguments>("completeStep", ToolPurpose::Tick, complete_step::spec),
];

impl Tool {
    const fn of<H: Handler + DeserializeOwned + 'static>(
        name: &'static str,
        purpose: ToolPurpose,
        spec: fn() -> (&'static str, Value),
    ) -> Self {
        Self {
            name,
            purpose,
            spec,
            read: |arguments| match serde_json::from_value::<H>(arguments) {
                Ok(handler) => Ok(Box::new(handler)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn spec(&self) -> ToolSpec {
        let (description, parameters) = (self.spec)();
        ToolSpec {
            name: self.name.into(),
            description: description.into(),
            parameters,
        }
    }

    fn prepare(&self, call: &ToolCall) -> Prepared {
        let schema = self.spec().parameters;
        match lenient::arguments(&call.arguments, &schema).and_then(self.read) {
            Ok(handler) => Prepared {
                title: handler.title(),
                status: Some(handler.status()),
                handler: Ok(handler),
            },
            Err(error) => refused(
                call,
                format!(
                    "the arguments of {} are not valid ({error}); they follow this schema: {schema}",
                    self.name
                ),
            ),
        }
    }
}

/// The tool with this name, however the model spells it.
fn find(name: &str) -> Option<&'static Tool> {
    if lenient::is_foreign(name) {
        return None;
    }
    let of = |name: &str| {
        TOOLS
            .iter()
            .find(|tool| lenient::name(tool.name) == lenient::name(name))
    };
    of(name).or_else(|| of(lenient::without_namespace(name)?))
}

/// The tools of the set.
fn of(set: Toolset) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| set.has(tool.purpose))
}

/// The tools as the model sees them.
pub fn specs(set: Toolset) -> Vec<ToolSpec> {
    of(set).map(Tool::spec).collect()
}

/// The context of a tool call.
pub struct ToolContext<'a> {
    pub agent: &'a Agent,
    pub app: &'a App,
    /// The scope of `checkApp`.
    pub scope: &'a Scope<'a>,
    /// The plan whose steps `completeStep` ticks off.
    pub plan: Option<ApprovedPlan<'a>>,
    /// Why the user can't be asked now; `None` if they can.
    pub no_questions: Option<&'static str>,
    /// Why the user can't be asked for consent to a tool now; `None` if they can.
    pub no_consent: Option<&'static str>,
    /// Whether an earlier attempt may have partly or completely executed this call.
    pub again: bool,
}

/// A tool: the arguments of a call, and what the call does.
trait Handler: Send + Sync {
    /// A one-line description of what the call works on.
    fn title(&self) -> String;

    fn status(&self) -> Status;

    fn timeout(&self) -> Duration {
        TOOL_TIMEOUT
    }

    fn access(&self) -> FileAccess;

    /// Whether repeating it has no further effect.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// The files that it writes, as far as its arguments contain them: paths and contents.
    fn files(&self) -> Vec<Written> {
        Vec::new()
    }

    /// The command that it runs.
    fn command(&self) -> Option<&str> {
        None
    }

    /// The questions about the app that explorers answer, instead of what [`Handler::execute`] does.
    fn to_explore(&self) -> Vec<String> {
        Vec::new()
    }

    /// The part that ends the run after this call.
    fn part(&self) -> Option<MessagePart> {
        None
    }

    /// The file's text before the call changed it to `after`; `None` if that is unknown.
    fn undone(&self, after: &str) -> Option<String> {
        let _ = after;
        None
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;
}

/// A tool call with parsed arguments, or the error in them.
pub struct Prepared {
    /// A one-line description of what it works on.
    pub title: String,
    pub status: Option<Status>,
    handler: Result<Box<dyn Handler>, String>,
}

/// Parses a call to one of these tools. An invalid call is prepared too: its result is the error.
/// `others` are the names of the further tools that there are.
pub fn prepare<'a>(
    call: &ToolCall,
    set: Toolset,
    others: impl IntoIterator<Item = &'a str>,
) -> Prepared {
    match find(&call.name) {
        Some(tool) if set.has(tool.purpose) => tool.prepare(call),
        _ => {
            let names = of(set).map(|tool| tool.name).chain(others);
            let names: Vec<&str> = names.collect();
            let (name, names, why) = (&call.name, names.join(", "), set.refusal());
            let error = format!("there is no tool {name:?}; the tools are {names}{why}");
            refused(call, error)
        }
    }
}

/// Parses a call that was executed, whatever tools its run had.
pub fn prepare_executed(call: &ToolCall) -> Prepared {
    match find(&call.name) {
        Some(tool) => tool.prepare(call),
        None => refused(call, String::new()),
    }
}

fn refused(call: &ToolCall, error: String) -> Prepared {
    Prepared {
        title: first_chars(&call.name, 80).to_owned(),
        status: None,
        handler: Err(error),
    }
}

/// Whether the tool writes the files listed in its arguments, each with its content.
fn lists_files(name: &str) -> bool {
    find(name).is_some_and(|tool| tool.name == create_or_update_files::NAME)
}

/// The call with the canonical name of its tool, if there is one, as it goes back to the model.
pub fn with_canonical_name(mut call: ToolCall) -> ToolCall {
    if let Some(tool) = find(&call.name) {
        tool.name.clone_into(&mut call.name);
    }
    call
}

/// The files that a call has written, if their contents are known.
pub fn written(call: &ToolCall, output: &ToolOutput) -> Vec<Written> {
    if output.failed || output.written.is_empty() {
        Vec::new()
    } else {
        prepare_executed(call).files(output)
    }
}

/// The tool's name as part of a step's name: models invent all kinds of names.
pub fn step_name(tool: &str) -> String {
    let name: String = tool
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

/// Whether it is a call to a tool of an MCP server, which may have changed anything.
pub fn is_foreign(call: &ToolCall) -> bool {
    lenient::is_foreign(&call.name)
}

/// Whether it is a command, which may change anything.
pub fn is_command(call: &ToolCall) -> bool {
    find(&call.name).is_some_and(|tool| tool.name == terminal::NAME)
}

/// A call that writes these files, for models that write them in code blocks.
pub fn writing_call(id: String, files: &[code_blocks::FileBlock]) -> ToolCall {
    let files: Vec<Value> = files
        .iter()
        .map(|file| json!({ "path": file.path, "content": file.content }))
        .collect();
    ToolCall {
        id,
        name: create_or_update_files::NAME.to_owned(),
        arguments: json!({ "files": files }).to_string(),
        ..ToolCall::default()
    }
}

impl Prepared {
    pub fn timeout(&self) -> Duration {
        self.handler
            .as_ref()
            .map_or(TOOL_TIMEOUT, |handler| handler.timeout())
    }

    /// Whether executing it twice does the same as once.
    pub fn is_repeatable(&self) -> bool {
        self.handler
            .as_ref()
            .map_or(true, |handler| handler.is_repeatable())
    }

    pub fn access(&self) -> FileAccess {
        self.handler
            .as_ref()
            .map_or(FileAccess::None, |handler| handler.access())
    }

    /// The files that it has written: those in its arguments, and those in its output.
    pub fn files(&self, output: &ToolOutput) -> Vec<Written> {
        let given = self
            .handler
            .as_ref()
            .map_or_else(|_| Vec::new(), |handler| handler.files());
        given
            .into_iter()
            .chain(output.contents.iter().cloned())
            .collect()
    }

    /// The command that it runs.
    pub fn command(&self) -> Option<&str> {
        self.handler.as_ref().ok()?.command()
    }

    /// The questions about the app that explorers answer.
    pub fn to_explore(&self) -> Vec<String> {
        self.handler
            .as_ref()
            .map_or_else(|_| Vec::new(), |handler| handler.to_explore())
    }

    /// What the run ends with after the call.
    pub fn part(&self) -> Option<MessagePart> {
        self.handler.as_ref().ok()?.part()
    }

    /// The file as it was before the call turned it into this text; `None` where that is unknown.
    pub fn undone(&self, after: &str) -> Option<String> {
        self.handler.as_ref().ok()?.undone(after)
    }

    /// Executes the call. An error that the model can act on is its output.
    pub async fn execute(&self, context: &ToolContext<'_>) -> Result<ToolOutput, super::RunError> {
        let output = match &self.handler {
            Err(error) => Err(ToolError::RespondToModel(error.clone())),
            Ok(handler) => handler.execute(context).await,
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

/// The schema of an object with these properties and no others, and the names of the required ones.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The path of a file that may be written.
fn writable(text: &str) -> Result<AppPath, ToolError> {
    let path = AppPath::new(text)?;
    match path
        .as_str()
        .split('/')
        .find(|part| GENERATED_FOLDERS.contains(part))
    {
        Some(folder) => Err(ToolError::RespondToModel(format!(
            "{path} lies in {folder}, which tools generate; write only the app's own files"
        ))),
        None => Ok(path),
    }
}

/// The first paths, and how many more there are.
fn paths_title<'a>(mut paths: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = paths.len().saturating_sub(3);
    let first: Vec<&str> = paths.by_ref().take(3).collect();
    let first = first.join(", ");
    if more > 0 {
        format!("{first} and {more} more")
    } else {
        first
    }
}

#[cfg(test)]
mod tests;
