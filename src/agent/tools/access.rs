//! The files of the app that a tool call accesses, which decide which calls of an answer may run at
//! the same time.

use crate::agent::AppPath;

/// The files that a call reads or changes. Paths are normalized, as in [`AppPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAccess {
    /// No files, for example for an invalid call.
    None,
    /// These files.
    Reads(Vec<String>),
    /// Any file.
    ReadsAll,
    /// It changes only these files.
    Writes(Vec<String>),
    /// It may change anything, or must not run beside anything else.
    All,
}

impl FileAccess {
    /// Reads these files of the app; invalid paths are ignored.
    pub fn reads<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Reads(normalized_paths(paths))
    }

    /// Writes these files of the app; invalid paths are ignored.
    pub fn writes<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Writes(normalized_paths(paths))
    }

    /// Whether it leaves the app as it is.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::None | Self::Reads(_) | Self::ReadsAll => true,
            Self::Writes(_) | Self::All => false,
        }
    }

    /// Whether two calls must not run at the same time.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => false,
            (Self::All, _) | (_, Self::All) => true,
            (Self::Reads(_) | Self::ReadsAll, Self::Reads(_) | Self::ReadsAll) => false,
            (Self::ReadsAll, Self::Writes(written)) | (Self::Writes(written), Self::ReadsAll) => {
                !written.is_empty()
            }
            (Self::Writes(a), Self::Writes(b) | Self::Reads(b))
            | (Self::Reads(a), Self::Writes(b)) => a.iter().any(|path| b.contains(path)),
        }
    }
}

fn normalized_paths<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let paths = paths.into_iter().filter_map(|path| AppPath::new(path).ok());
    paths.map(|path| path.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{agent::tools::prepare_executed, llm::ToolCall};

    fn access(name: &str, arguments: Value) -> FileAccess {
        prepare_executed(&ToolCall {
            id: "a".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_string(),
            ..ToolCall::default()
        })
        .access()
    }

    #[test]
    fn calls_conflict_when_one_changes_what_the_other_reads_or_changes() {
        let write = access(
            "createOrUpdateFiles",
            json!({ "files": [{ "path": "./a.txt", "content": "" }] }),
        );
        let edit = |path: &str| access("editFile", json!({ "path": path, "old": "a", "new": "b" }));
        let read = access("readFiles", json!({ "files": ["a.txt:1-2"] }));
        let search = access("searchFiles", json!({ "pattern": "x" }));
        let command = access("terminal", json!({ "command": "ls" }));
        for (one, other, conflict) in [
            (&write, &edit("b.txt"), false),
            (&write, &edit("a.txt"), true),
            (&write, &read, true),
            (&read, &edit("b.txt"), false),
            (&read, &search, false),
            (&search, &write, true),
            (&command, &read, true),
            (&access("nothing", json!({})), &command, false),
            (&access("nothing", json!({})), &search, false),
            (
                &access("readFiles", json!({ "files": ["../x"] })),
                &write,
                false,
            ),
        ] {
            assert_eq!(one.conflicts_with(other), conflict, "{one:?} {other:?}");
            assert_eq!(other.conflicts_with(one), conflict, "{other:?} {one:?}");
        }
    }
}
