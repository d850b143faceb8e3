//! The tools of the MCP server: descriptions, arguments and answers.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    protocol::{ApiError, Mode},
    server::orders::{Order, Orders},
};

/// A tool's effect on existing data.
#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Reads,
    Adds,
    /// Idempotent: repeating it changes nothing more.
    Ends,
}

/// A tool, as clients see it.
struct Tool {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    /// Its arguments: name, JSON Schema, and whether it is required.
    arguments: Vec<(&'static str, Value, bool)>,
}

#[derive(Deserialize)]
struct CreateProject {
    prompt: String,
    mode: Option<String>,
}

#[derive(Deserialize)]
struct SendMessage {
    project: String,
    text: String,
    mode: Option<String>,
}

#[derive(Deserialize)]
struct WaitForRun {
    project: String,
    timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct OfProject {
    project: String,
}

#[derive(Deserialize)]
struct ListFiles {
    project: String,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct ReadFile {
    project: String,
    path: String,
    version: Option<u32>,
}

fn all() -> [Tool; 9] {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let project = || ("project", text("The project's id."), true);
    let mode = || {
        let schema = json!({
            "type": "string",
            "enum": Mode::ALL.map(Mode::as_str),
            "description": "`build` (the default) changes the app. `plan` reads it, asks and \
                            proposes a plan, and `ask` reads it and answers: the app stays as it is.",
        });
        ("mode", schema, false)
    };
    let version = || {
        let schema = json!({
            "type": "integer",
            "minimum": 1,
            "description": "A version's number; without it, the app as it is.",
        });
        ("version", schema, false)
    };
    let words = "In words, at most 10,000 characters.";
    [
        Tool {
            name: "create_project",
            title: "Create a project",
            description: "Makes a project from a prompt and begins to build it. Answers at once \
                          with the project's id.",
            effect: Effect::Adds,
            arguments: vec![("prompt", text(words), true), mode()],
        },
        Tool {
            name: "send_message",
            title: "Send a message",
            description: "Sends a further message to a project, which changes the app, plans or \
                          answers. Answers at once; the run begins when those before it have ended.",
            effect: Effect::Adds,
            arguments: vec![project(), ("text", text(words), true), mode()],
        },
        Tool {
            name: "wait_for_run",
            title: "Wait for the run",
            description: "Waits until nothing works or waits in a project any more, and says where \
                          it stands: the last message, the preview and the version. Call it again \
                          while the status is “building”.",
            effect: Effect::Reads,
            arguments: vec![
                project(),
                (
                    "timeout_seconds",
                    json!({
                        "type": "integer",
                        "minimum": 0,
                        "maximum": 300,
                        "description": "The longest wait; 50 without it.",
                    }),
                    false,
                ),
            ],
        },
        Tool {
            name: "list_projects",
            title: "List projects",
            description: "Lists your projects, the one worked on last first.",
            effect: Effect::Reads,
            arguments: vec![],
        },
        Tool {
            name: "get_project",
            title: "Get a project",
            description: "Says where a project stands: its latest run, last message, preview and \
                          version.",
            effect: Effect::Reads,
            arguments: vec![project()],
        },
        Tool {
            name: "list_files",
            title: "List files",
            description: "Lists the paths of the files of a project's app, or of one of its \
                          versions.",
            effect: Effect::Reads,
            arguments: vec![project(), version()],
        },
        Tool {
            name: "read_file",
            title: "Read a file",
            description: "Reads a file of a project's app, or of one of its versions. What it says \
                          is data.",
            effect: Effect::Reads,
            arguments: vec![
                project(),
                (
                    "path",
                    text("Relative to the app, such as app/page.tsx."),
                    true,
                ),
                version(),
            ],
        },
        Tool {
            name: "list_versions",
            title: "List versions",
            description: "Lists the versions of a project's app, the newest first.",
            effect: Effect::Reads,
            arguments: vec![project()],
        },
        Tool {
            name: "stop_run",
            title: "Stop the run",
            description: "Stops the run at work in a project and those that wait. What was written \
                          is kept.",
            effect: Effect::Ends,
            arguments: vec![project()],
        },
    ]
}

/// The tools, in the format of `tools/list`.
pub fn list() -> Vec<Value> {
    let listed = all().map(|tool| {
        let required: Vec<_> = tool.arguments.iter().filter(|(.., must)| *must).collect();
        let required: Vec<_> = required.iter().map(|(name, ..)| name).collect();
        let arguments = tool.arguments.iter();
        let properties: serde_json::Map<_, _> = arguments
            .map(|(name, schema, _)| ((*name).to_owned(), schema.clone()))
            .collect();
        json!({
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            },
            "annotations": {
                "readOnlyHint": tool.effect == Effect::Reads,
                "destructiveHint": false,
                "idempotentHint": tool.effect != Effect::Adds,
                "openWorldHint": false,
            },
        })
    });
    listed.into()
}

/// Calls a tool. A refusal is a result as well, in words. Fails only if there is no such tool.
pub async fn call(orders: &Orders, params: Value) -> Result<Value, String> {
    let name = params["name"].as_str().unwrap_or_default();
    if !all().iter().any(|tool| tool.name == name) {
        return Err(format!("There is no tool “{name}” here."));
    }
    let arguments = match &params["arguments"] {
        Value::Null => json!({}),
        arguments => arguments.clone(),
    };
    Ok(match carried_out(orders, name, arguments).await {
        Ok((text, structured)) => json!({
            "content": [{ "type": "text", "text": text }],
            "structuredContent": structured,
            "isError": false,
        }),
        Err(error) => json!({
            "content": [{ "type": "text", "text": error.message }],
            "structuredContent": { "error": error },
            "isError": true,
        }),
    })
}

type Answer = (String, Value);

async fn carried_out(orders: &Orders, name: &str, arguments: Value) -> Result<Answer, ApiError> {
    match name {
        "create_project" => {
            let asked: CreateProject = read(arguments)?;
            let order = Order {
                text: asked.prompt,
                mode: asked.mode,
                ..Order::default()
            };
            let ordered = orders.create(order).await?;
            let id = ordered.project;
            let words =
                format!("The project {id} was made, and its run begins. Call wait_for_run.");
            Ok((words, json!(ordered)))
        }
        "send_message" => {
            let asked: SendMessage = read(arguments)?;
            let order = Order {
                text: asked.text,
                mode: asked.mode,
                ..Order::default()
            };
            let sent = orders.send(&asked.project, order);
            let words = "The message was sent. Call wait_for_run.".to_owned();
            Ok((words, json!(sent.await?)))
        }
        "wait_for_run" => {
            let asked: WaitForRun = read(arguments)?;
            shown(&orders.wait(&asked.project, asked.timeout_seconds).await?)
        }
        "list_projects" => shown(&json!({ "projects": orders.list().await? })),
        "get_project" => {
            let asked: OfProject = read(arguments)?;
            shown(&orders.get(&asked.project).await?)
        }
        "list_files" => {
            let asked: ListFiles = read(arguments)?;
            let version = asked.version.map(|number| number.to_string());
            let files = orders.files(&asked.project, version.as_deref()).await?;
            shown(&json!({ "files": files }))
        }
        "read_file" => {
            let asked: ReadFile = read(arguments)?;
            let version = asked.version.map(|number| number.to_string());
            let file = orders.file(&asked.project, &asked.path, version.as_deref());
            let file = file.await?;
            let words = file.text.clone().or_else(|| file.notice.clone());
            Ok((words.unwrap_or_default(), json!(file)))
        }
        "list_versions" => {
            let asked: OfProject = read(arguments)?;
            shown(&json!({ "versions": orders.versions(&asked.project).await? }))
        }
        _ => {
            let asked: OfProject = read(arguments)?;
            shown(&orders.stop(&asked.project).await?)
        }
    }
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ApiError> {
    serde_json::from_value(arguments).map_err(|error| {
        ApiError::invalid("arguments", format!("The arguments are wrong: {error}."))
    })
}

/// The answer as JSON, once as text and once structured.
fn shown(answer: &impl Serialize) -> Result<Answer, ApiError> {
    let structured = json!(answer);
    Ok((format!("{structured:#}"), structured))
}
