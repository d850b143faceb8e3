//! `createOrUpdateFiles`: whole files, written in place. Safe to repeat.

use std::borrow::Cow;

use futures::{FutureExt, future::BoxFuture};
use jiter::{JsonValue, PartialMode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, MAX_FILE, ToolContext, ToolError, ToolOutput, Written, code_blocks,
    object, paths_title, writable,
};
use crate::{
    agent::{App, AppPath, text::secrets},
    protocol::{FileChange, Status},
};

pub const NAME: &str = "createOrUpdateFiles";

#[derive(Debug, Deserialize)]
pub struct Arguments {
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
#[serde(from = "Sent")]
struct File {
    path: String,
    content: String,
}

/// A file as the model sends it.
#[derive(Debug, Deserialize)]
struct Sent {
    path: String,
    content: String,
}

impl From<Sent> for File {
    fn from(sent: Sent) -> Self {
        let content = code_blocks::without_fence(&sent.path, &sent.content).map(str::to_owned);
        Self {
            content: content.unwrap_or(sent.content),
            path: sent.path,
        }
    }
}

pub fn spec() -> (&'static str, Value) {
    (
        "Writes whole files; existing ones are replaced, folders are made. For a small change of a \
         large file use editFile.",
        object(
            json!({
                "files": {
                    "type": "array",
                    "minItems": 1,
                    "items": object(
                        json!({
                            "path": { "type": "string", "description": "Relative to the app, such as app/page.tsx" },
                            "content": { "type": "string", "description": "The file's whole text" },
                        }),
                        &["path", "content"],
                    ),
                },
            }),
            &["files"],
        ),
    )
}

/// The files in incomplete arguments: those whose path is complete and whose content has begun.
pub fn drafts(arguments: &str) -> Vec<(String, String)> {
    let Ok(JsonValue::Object(arguments)) =
        JsonValue::parse_with_config(arguments.as_bytes(), false, PartialMode::TrailingStrings)
    else {
        return Vec::new();
    };
    let field = |object: &[(Cow<'_, str>, JsonValue<'_>)], name: &str| {
        object.iter().position(|(key, _)| key == name)
    };
    let Some(JsonValue::Array(files)) = field(&arguments, "files").map(|at| &arguments[at].1)
    else {
        return Vec::new();
    };
    let draft = |file: &JsonValue<'_>| {
        let JsonValue::Object(file) = file else {
            return None;
        };
        let (path, content) = (field(file, "path")?, field(file, "content")?);
        match (&file[path].1, &file[content].1) {
            // What comes last may be half of it.
            (JsonValue::Str(path_text), JsonValue::Str(text)) if path < content => {
                let path = AppPath::new(path_text).ok()?;
                Some((path.as_str().to_owned(), text.to_string()))
            }
            _ => None,
        }
    };
    files.iter().filter_map(draft).collect()
}

impl Handler for Arguments {
    fn title(&self) -> String {
        paths_title(self.files.iter().map(|file| file.path.as_str()))
    }

    fn status(&self) -> Status {
        Status::GeneratingFiles
    }

    fn access(&self) -> FileAccess {
        FileAccess::writes(self.files.iter().map(|file| file.path.as_str()))
    }

    fn files(&self) -> Vec<Written> {
        let files = self.files.iter();
        let files = files.filter_map(|file| {
            Some(Written::text(
                AppPath::new(&file.path).ok()?.as_str(),
                file.content.as_str(),
            ))
        });
        files.collect()
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.write(context.app).boxed()
    }
}

impl Arguments {
    /// All files are checked before the first one is written.
    async fn write(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.files.is_empty() {
            return Err(ToolError::RespondToModel("no files were given".to_owned()));
        }
        let mut paths = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let path = writable(&file.path)?;
            if file.content.len() > MAX_FILE {
                return Err(ToolError::RespondToModel(format!(
                    "{path} is larger than {} MiB",
                    MAX_FILE >> 20
                )));
            }
            secrets::refuse_placeholder(path.as_str(), &file.content)
                .map_err(ToolError::RespondToModel)?;
            paths.push(path);
        }
        let mut written = Vec::with_capacity(paths.len());
        for (path, file) in paths.iter().zip(&self.files) {
            app.sandbox()
                .write_file(&path.absolute(), file.content.clone())
                .await?;
            written.push(FileChange {
                path: path.as_str().to_owned(),
            });
        }
        let names: Vec<&str> = written.iter().map(|file| file.path.as_str()).collect();
        Ok(ToolOutput {
            written: written.clone(),
            ..ToolOutput::ok(format!("Wrote {}", names.join(", ")))
        })
    }
}
