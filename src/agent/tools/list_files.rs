//! `listFiles`: the entries of a folder.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FileAccess, Handler, MAX_OUTPUT, ToolContext, ToolError, ToolOutput, cut, object};
use crate::{
    agent::{
        App, AppPath,
        app::path::{GENERATED_FOLDERS, HOME},
    },
    protocol::{LeftOut, Status, first_chars, list_left_out},
    sandbox::{EntryKind, SandboxError},
};

#[derive(Debug, Deserialize)]
pub struct Arguments {
    #[serde(default)]
    path: String,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Lists a folder of the app; the names of folders end with a slash.",
        object(
            json!({ "path": { "type": "string", "description": "Relative to the app; empty or . for the app's own folder" } }),
            &["path"],
        ),
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        let path = self.path.trim();
        if path.is_empty() {
            ".".to_owned()
        } else {
            first_chars(path, 120).to_owned()
        }
    }

    fn status(&self) -> Status {
        Status::ReadingFiles
    }

    fn access(&self) -> FileAccess {
        FileAccess::ReadsAll
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.list(context.app).boxed()
    }
}

fn too_many(message: &str) -> ToolError {
    ToolError::RespondToModel(format!(
        "the folder has too many entries to be listed ({message}); look at some of them with \
         terminal, such as ls -U | head"
    ))
}

impl Arguments {
    async fn list(&self, app: &App) -> Result<ToolOutput, ToolError> {
        let path = AppPath::folder(&self.path)?;
        let folder = path
            .as_ref()
            .map_or_else(|| HOME.to_owned(), AppPath::absolute);
        let entries = match app.sandbox().list_dir(&folder, 1).await {
            // More entries than envd lists, or than fit in one answer.
            Err(SandboxError::RateLimited { message, .. }) if message.contains("entries") => {
                return Err(too_many(&message));
            }
            Err(SandboxError::Protocol(message)) => return Err(too_many(&message)),
            entries => entries?,
        };
        let mut names: Vec<String> = entries
            .iter()
            .filter_map(|entry| {
                let name = entry.path.rsplit('/').next()?;
                match entry.kind {
                    EntryKind::Directory if GENERATED_FOLDERS.contains(&name) => None,
                    EntryKind::Directory => Some(format!("{name}/")),
                    EntryKind::File | EntryKind::Other => Some(name.to_owned()),
                }
            })
            .collect();
        names.sort();
        if names.is_empty() {
            return Ok(ToolOutput::ok("The folder is empty."));
        }
        let mut text = names.join("\n");
        let listing = app.list().await?;
        let left_out: Vec<LeftOut> = listing
            .left_out
            .into_iter()
            .filter(|left| is_of_folder(left, path.as_ref().map_or("", AppPath::as_str)))
            .collect();
        if !left_out.is_empty() {
            text.push_str(&format!(
                "\n\nNot kept in the app's versions:\n{}",
                list_left_out(&left_out)
            ));
        }
        Ok(ToolOutput::ok(cut(&text, MAX_OUTPUT)))
    }
}

/// Whether it is an entry of the folder, or represents some of its files.
fn is_of_folder(left: &LeftOut, folder: &str) -> bool {
    let above = left.path.rsplit_once('/').map_or("", |(above, _)| above);
    above == folder || left.path == folder
}
