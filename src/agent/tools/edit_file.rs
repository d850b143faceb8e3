//! `editFile`: replaces one text in a file, which must contain it exactly once. Safe to repeat.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, MAX_FILE, ToolContext, ToolError, ToolOutput, Written, nearest::nearest,
    object, output::unix, writable,
};
use crate::{
    agent::text::secrets,
    protocol::{Status, first_chars},
};

#[derive(Debug, Deserialize)]
pub struct Arguments {
    path: String,
    old: String,
    new: String,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Replaces a text in a file. The old text must be in the file exactly once, with the same \
         spaces; any kind of line break matches any other. Give enough lines around the change to \
         make it unique.",
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

/// The result of an edit.
#[derive(Debug, PartialEq, Eq)]
enum Edit {
    /// The text after the edit, and the line at which it was made.
    Done(String, usize),
    /// An earlier attempt has made it.
    AlreadyApplied,
    /// The old text was not found; this is the most similar one.
    Missed(String),
    Refused(String),
}

/// `again`: an earlier attempt may have made the edit.
fn edit(text: &str, old: &str, new: &str, again: bool) -> Edit {
    if old.is_empty() {
        return Edit::Refused(
            "the old text is empty; to write a whole file use createOrUpdateFiles".to_owned(),
        );
    }
    if old == new {
        return Edit::Refused("the old and the new text are the same".to_owned());
    }
    let view = View::of(text);
    let (old, new) = (unix(old), unix(new));
    // An insertion beside the old text keeps that: only the new text proves that it was made.
    if again && new.contains(&old) && view.text.contains(&new) {
        return Edit::AlreadyApplied;
    }
    let mut found = view.text.match_indices(&old).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => Edit::Done(
            view.replace(text, at, at + old.len(), &new),
            line_of(&view.text, at),
        ),
        (None, _) if again && !new.is_empty() && view.text.contains(&new) => Edit::AlreadyApplied,
        (None, _) => Edit::Missed(match nearest(&view.text, &old) {
            Some(nearest) => nearest,
            None => "the file has nothing like it".to_owned(),
        }),
        (Some(first), Some(second)) => {
            let lines = [first, second]
                .into_iter()
                .chain(found)
                .map(|at| line_of(&view.text, at).to_string());
            let lines: Vec<String> = lines.take(8).collect();
            Edit::Refused(format!(
                "the old text is there more than once (lines {}); give more of the lines around \
                 it, so that it is unique",
                lines.join(", ")
            ))
        }
    }
}

/// A text in which every line, even the last, ends with `\n`, as models write line breaks whatever
/// the file uses.
struct View {
    text: String,
    /// The positions of its line breaks that are two bytes in the file.
    pairs: Vec<usize>,
}

impl View {
    fn of(text: &str) -> Self {
        let (mut plain, mut pairs, mut rest) =
            (String::with_capacity(text.len() + 1), Vec::new(), text);
        while let Some(at) = rest.find('\r') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('\n') {
                pairs.push(plain.len());
                rest = after;
            }
            plain.push('\n');
        }
        plain.push_str(rest);
        if !plain.is_empty() && !plain.ends_with('\n') {
            plain.push('\n');
        }
        Self { text: plain, pairs }
    }

    /// Converts an offset in the view to one in the file.
    fn in_file(&self, at: usize) -> usize {
        at + self.pairs.partition_point(|pair| *pair < at)
    }

    /// The file with a range of the view replaced. The new text gets the line breaks of the
    /// replaced text, in order; everything else stays.
    fn replace(&self, file: &str, from: usize, to: usize, new: &str) -> String {
        let (start, end) = (
            self.in_file(from).min(file.len()),
            self.in_file(to).min(file.len()),
        );
        // The last line's break may only exist in the view.
        let is_beyond = self.in_file(to) > file.len();
        let new = if is_beyond {
            new.strip_suffix('\n').unwrap_or(new)
        } else {
            new
        };
        let mut breaks = Breaks(&file[start..end]);
        let mut last = breaks
            .clone()
            .last()
            .or_else(|| Breaks(&file[end..]).next())
            .or_else(|| Breaks(&file[..start]).last())
            .unwrap_or("\n");
        let mut edited = String::with_capacity(file.len() + new.len());
        edited.push_str(&file[..start]);
        for (number, line) in new.split('\n').enumerate() {
            if number > 0 {
                last = breaks.next().unwrap_or(last);
                edited.push_str(last);
            }
            edited.push_str(line);
        }
        edited.push_str(&file[end..]);
        edited
    }
}

/// The line breaks of a text, in order.
#[derive(Clone)]
struct Breaks<'a>(&'a str);

impl<'a> Iterator for Breaks<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = &self.0[self.0.find(['\n', '\r'])?..];
        let length = if rest.starts_with("\r\n") { 2 } else { 1 };
        let (found, rest) = rest.split_at(length);
        self.0 = rest;
        Some(found)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

impl Handler for Arguments {
    fn title(&self) -> String {
        first_chars(&self.path, 120).to_owned()
    }

    fn status(&self) -> Status {
        Status::GeneratingFiles
    }

    fn access(&self) -> FileAccess {
        FileAccess::writes([self.path.as_str()])
    }

    fn undone(&self, after: &str) -> Option<String> {
        match edit(after, &self.new, &self.old, false) {
            Edit::Done(before, _) => Some(before),
            Edit::AlreadyApplied | Edit::Missed(_) | Edit::Refused(_) => None,
        }
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.replace(context).boxed()
    }
}

impl Arguments {
    async fn replace(&self, context: &ToolContext<'_>) -> Result<ToolOutput, ToolError> {
        let path = writable(&self.path)?;
        secrets::refuse_placeholder(path.as_str(), &self.new).map_err(ToolError::RespondToModel)?;
        if secrets::is_secret_file(path.as_str()) {
            return Err(ToolError::RespondToModel(format!(
                "{path} may hold secrets and can't be edited: the answer would reveal them. The app reads \
                 them through process.env"
            )));
        }
        let bytes = context.app.sandbox().read_file(&path.absolute()).await?;
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(ToolError::RespondToModel(format!(
                "{path} is a binary file and can't be edited as text"
            )));
        };
        match edit(&text, &self.old, &self.new, context.again) {
            Edit::Done(edited, line) => {
                if edited.len() > MAX_FILE {
                    return Err(ToolError::RespondToModel(format!(
                        "{path} would be larger than {} MiB",
                        MAX_FILE >> 20
                    )));
                }
                context
                    .app
                    .sandbox()
                    .write_file(&path.absolute(), edited.clone())
                    .await?;
                Ok(ToolOutput::wrote(
                    Written::text(path.as_str(), edited),
                    format!("Edited {path} at line {line}"),
                ))
            }
            Edit::AlreadyApplied => Ok(ToolOutput::wrote(
                Written::text(path.as_str(), text),
                format!("Edited {path}"),
            )),
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
    fn a_unique_text_is_replaced_whatever_its_line_breaks() {
        assert_eq!(
            edit("a\nb\nc\n", "b\n", "x\ny\n", false),
            Edit::Done("a\nx\ny\nc\n".to_owned(), 2)
        );
        assert_eq!(
            edit("a\r\nb\r\n", "a\nb", "x\ny", false),
            Edit::Done("x\r\ny\r\n".to_owned(), 1)
        );
        assert_eq!(edit("ab", "a", "", false), Edit::Done("b".to_owned(), 1));
    }

    #[test]
    fn mixed_line_breaks_match_and_all_other_lines_keep_theirs() {
        for (file, old, new, edited) in [
            (
                "alpha\nbeta\r\ngamma\ndelta\n",
                "gamma\ndelta",
                "GAMMA\nnew\ndelta",
                "alpha\nbeta\r\nGAMMA\nnew\ndelta\n",
            ),
            ("a\nb\r\nc\nd\r\n", "b\nc\n", "x\ny\n", "a\nx\r\ny\nd\r\n"),
            ("a\nb\nc\n", "a\r\nb", "x\r\ny", "x\ny\nc\n"),
            ("a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n"),
            ("a\r\nb", "b", "b\nc", "a\r\nb\r\nc"),
            ("a\rb\rc\r", "b\nc", "x\ny\nz", "a\rx\ry\rz\r"),
            ("\u{feff}a\r\nb\r\n", "a\nb", "x\nb", "\u{feff}x\r\nb\r\n"),
            ("a\nlast", "last\n", "first\n", "a\nfirst"),
            ("a\r\nlast", "a\nlast\n", "", ""),
            ("a\nlast", "last", "last\n", "a\nlast\n"),
            ("one\r\n\r\ntwo\r\n", "\n\ntwo", "\ntwo", "one\r\ntwo\r\n"),
            ("ä\r\nö\r\nü", "ö\n", "", "ä\r\nü"),
        ] {
            let Edit::Done(done, _) = edit(file, old, new, false) else {
                panic!("{file:?} {old:?}");
            };
            assert_eq!(done, edited, "{file:?} {old:?}");
        }
        // Lines that look equal are equal, and spaces are not line breaks.
        assert!(matches!(
            edit("a\r\nb\na\n", "a\n", "x\n", false),
            Edit::Refused(_)
        ));
        let Edit::Missed(near) = edit(
            "const a = 1;  \r\nconst b = 2;\r\n",
            "const a = 1;\nconst b = 2;",
            "x",
            false,
        ) else {
            panic!("the spaces at the line's end are missing");
        };
        assert!(
            near.contains("lines 1-2") && near.contains("only in spaces"),
            "{near}"
        );
        let Edit::Missed(near) = edit("<h1>Cafe\u{301}</h1>\n", "<h1>Caf\u{e9}</h1>", "x", false)
        else {
            panic!("the accent is encoded in another way");
        };
        assert!(near.contains("only in how accents are encoded"), "{near}");
        let large = "line of text\r\n".repeat(700_000) + "the end\n";
        assert!(matches!(
            edit(&large, "text\nthe end", "x", false),
            Edit::Done(_, 700_000)
        ));
    }

    #[test]
    fn an_old_text_must_be_there_exactly_once_and_an_edit_is_not_applied_twice() {
        let Edit::Refused(why) = edit("a\nb\na\n", "a", "x", false) else {
            panic!("there are two");
        };
        assert!(why.contains("lines 1, 3"), "{why}");
        assert!(matches!(edit("a", "", "x", false), Edit::Refused(_)));
        assert!(matches!(edit("a", "a", "a", false), Edit::Refused(_)));
        let Edit::Missed(near) = edit(
            "one\nconst total = 1;\nthree\n",
            "const  total = 1;",
            "x",
            false,
        ) else {
            panic!("it is not there");
        };
        assert!(
            near.contains("line 2") && near.contains("const total = 1;"),
            "{near}"
        );
        assert_eq!(edit("a\nnew\n", "old", "new", true), Edit::AlreadyApplied);
        assert!(matches!(
            edit("a\nnew\n", "old", "new", false),
            Edit::Missed(_)
        ));
        let (old, new) = ("import a\n", "import a\nimport b\n");
        for before in ["import a\nrest\n", "import a\r\nrest\r\n"] {
            // A repetition, but the attempt before did not get that far.
            let Edit::Done(after, 1) = edit(before, old, new, true) else {
                panic!("it is not made yet");
            };
            assert_eq!(edit(&after, old, new, true), Edit::AlreadyApplied);
            // An explicit second request is intended.
            assert!(matches!(edit(&after, old, new, false), Edit::Done(..)));
        }
    }
}
