//! `createOrUpdateFiles`: whole files, written in place. Safe to repeat.

use futures::{FutureExt, future::BoxFuture};
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
