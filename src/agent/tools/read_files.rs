//! `readFiles`: the text of files.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{MAX_OUTPUT, ToolError, ToolOutput, cut, object, paths_title};
use crate::{
    agent::{App, AppPath},
    sandbox::SandboxError,
};

/// How many files one call may read.
const MAX_FILES: usize = 20;

#[derive(Debug, Deserialize)]
pub struct Arguments {
    files: Vec<String>,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Returns the text of files.",
        object(
            json!({
                "files": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_FILES,
                    "items": { "type": "string", "description": "Relative to the app, such as app/page.tsx" },
                },
            }),
            &["files"],
        ),
    )
}

impl Arguments {
    pub fn title(&self) -> String {
        paths_title(self.files.iter().map(String::as_str))
    }

    /// One file that can't be read does not hide the others.
    pub async fn carry_out(&self, app: &App) -> Result<ToolOutput, ToolError> {
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(ToolError::RespondToModel(format!("name 1 to {MAX_FILES} files")));
        }
        let mut content = String::new();
        let mut failures = 0;
        for text in &self.files {
            let path = AppPath::new(text)?;
            let shown = match app.sandbox().read_file(&path.absolute()).await {
                Ok(bytes) => match String::from_utf8(bytes) {
                    Ok(text) if !text.contains('\0') => Ok(text),
                    _ => Err(format!("{path} is a binary file and can't be read as text")),
                },
                Err(SandboxError::NoSuchPath(message) | SandboxError::Refused(message)) => Err(message),
                Err(error) => return Err(error.into()),
            };
            match shown {
                Ok(text) => content.push_str(&format!("=== {path}\n{}\n", cut(&text, MAX_OUTPUT))),
                Err(message) => {
                    failures += 1;
                    content.push_str(&format!("=== {path}\nError: {message}\n"));
                }
            }
        }
        Ok(ToolOutput {
            failed: failures == self.files.len(),
            ..ToolOutput::ok(cut(&content, 4 * MAX_OUTPUT))
        })
    }
}
