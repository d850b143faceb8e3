//! `editFile`: replaces one text of a file by another; it must stand there exactly once. Safe to repeat.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Handler, Kit, MAX_FILE, ToolError, ToolOutput, Touches, Written, nearest::nearest, object, told, writable};
use crate::{agent::secrets, protocol::Status};

#[derive(Debug, Deserialize)]
pub struct Arguments {
    path: String,
    old: String,
    new: String,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Replaces a text in a file. The old text must be in the file exactly once, with the same spaces and line breaks: \
         give enough lines around the change to make it unique.",
        object(
            json!({
                "path": { "type": "string", "description": "Relative to the app, such as app/page.tsx" },
                "old": { "type": "string", "description": "The text to replace, exactly as it is in the file" },
                "new": { "type": "string", "description": "What takes its place; empty to remove it" },
            }),
            &["path", "old", "new"],
        ),
    )
}

/// What an edit of a text leads to.
#[derive(Debug, PartialEq, Eq)]
enum Edit {
    /// The text after the edit, and the line at which it was made.
    Done(String, usize),
    /// An earlier attempt has made it.
    Before,
    /// Not found; how near the nearest is.
    Missed(String),
    Refused(String),
}

/// `again`: an earlier attempt may have made the edit.
fn edit(text: &str, old: &str, new: &str, again: bool) -> Edit {
    if old.is_empty() {
        return Edit::Refused("the old text is empty; to write a whole file use createOrUpdateFiles".to_owned());
    }
    if old == new {
        return Edit::Refused("the old and the new text are the same".to_owned());
    }
    // Models write line breaks as \n, whatever the file has.
    let crlf = text.contains("\r\n") && !old.contains('\r');
    let (old, new) = if crlf {
        (old.replace('\n', "\r\n"), new.replace("\r\n", "\n").replace('\n', "\r\n"))
    } else {
        (old.to_owned(), new.to_owned())
    };
    // What is put in beside the old text leaves it there: only the new text tells.
    if again && new.contains(&old) && text.contains(&new) {
        return Edit::Before;
    }
    let mut found = text.match_indices(&old).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => {
            let edited = format!("{}{new}{}", &text[..at], &text[at + old.len()..]);
            Edit::Done(edited, line_of(text, at))
        }
        (None, _) if again && !new.is_empty() && text.contains(&new) => Edit::Before,
        (None, _) => Edit::Missed(match nearest(text, &old) {
            Some(nearest) => nearest,
            None => "the file has nothing like it".to_owned(),
        }),
        (Some(first), Some(second)) => {
            let lines = [first, second].into_iter().chain(found).map(|at| line_of(text, at).to_string());
            let lines: Vec<String> = lines.take(8).collect();
            Edit::Refused(format!(
                "the old text is there more than once (lines {}); give more of the lines around it, so that it is unique",
                lines.join(", ")
            ))
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

impl Handler for Arguments {
    fn title(&self) -> String {
        self.path.chars().take(120).collect()
    }

    fn status(&self) -> Status {
        Status::GeneratingFiles
    }

    fn touches(&self) -> Touches {
        Touches::Writes(told([self.path.as_str()]))
    }

    fn carry_out<'a>(&'a self, kit: &'a Kit<'a>) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.replace(kit).boxed()
    }
}

impl Arguments {
    async fn replace(&self, kit: &Kit<'_>) -> Result<ToolOutput, ToolError> {
        let path = writable(&self.path)?;
        secrets::refuse_placeholder(path.as_str(), &self.new)?;
        if secrets::is_secret_file(path.as_str()) {
            return Err(ToolError::RespondToModel(format!(
                "{path} may hold secrets and can't be edited: how near a text is would show them. The app reads them through process.env"
            )));
        }
        let bytes = kit.app.sandbox().read_file(&path.absolute()).await?;
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(ToolError::RespondToModel(format!(
                "{path} is a binary file and can't be edited as text"
            )));
        };
        match edit(&text, &self.old, &self.new, kit.again) {
            Edit::Done(edited, line) => {
                if edited.len() > MAX_FILE {
                    return Err(ToolError::RespondToModel(format!(
                        "{path} would be larger than {} MiB",
                        MAX_FILE >> 20
                    )));
                }
                kit.app.sandbox().write_file(&path.absolute(), edited.clone()).await?;
                Ok(ToolOutput::wrote(
                    Written::text(path.as_str(), edited),
                    format!("Edited {path} at line {line}"),
                ))
            }
            Edit::Before => Ok(ToolOutput::wrote(Written::text(path.as_str(), text), format!("Edited {path}"))),
            Edit::Missed(nearest) => Ok(ToolOutput {
                failed: true,
                missed: Some(path.as_str().to_owned()),
                ..ToolOutput::ok(format!("Error: the old text is not in {path}: {nearest}"))
            }),
            Edit::Refused(why) => Err(ToolError::RespondToModel(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_replaced_where_it_stands_once_whatever_its_line_breaks() {
        assert_eq!(edit("a\nb\nc\n", "b\n", "x\ny\n", false), Edit::Done("a\nx\ny\nc\n".to_owned(), 2));
        assert_eq!(edit("a\r\nb\r\n", "a\nb", "x\ny", false), Edit::Done("x\r\ny\r\n".to_owned(), 1));
        assert_eq!(edit("ab", "a", "", false), Edit::Done("b".to_owned(), 1));
    }

    #[test]
    fn what_is_not_there_once_is_refused_and_an_edit_that_was_made_is_not_made_twice() {
        let Edit::Refused(why) = edit("a\nb\na\n", "a", "x", false) else {
            panic!("there are two");
        };
        assert!(why.contains("lines 1, 3"), "{why}");
        assert!(matches!(edit("a", "", "x", false), Edit::Refused(_)));
        assert!(matches!(edit("a", "a", "a", false), Edit::Refused(_)));
        let Edit::Missed(near) = edit("one\nconst total = 1;\nthree\n", "const  total = 1;", "x", false) else {
            panic!("it is not there");
        };
        assert!(near.contains("line 2") && near.contains("const total = 1;"), "{near}");
        assert_eq!(edit("a\nnew\n", "old", "new", true), Edit::Before);
        assert!(matches!(edit("a\nnew\n", "old", "new", false), Edit::Missed(_)));
        let (old, new) = ("import a\n", "import a\nimport b\n");
        for before in ["import a\nrest\n", "import a\r\nrest\r\n"] {
            // Again, but the attempt before did not get that far.
            let Edit::Done(after, 1) = edit(before, old, new, true) else {
                panic!("it is not made yet");
            };
            assert_eq!(edit(&after, old, new, true), Edit::Before);
            // Asked for once more, it is meant.
            assert!(matches!(edit(&after, old, new, false), Edit::Done(..)));
        }
    }
}
