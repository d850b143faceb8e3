//! Drag and drop in the file tree: files from the desktop are uploaded into the target folder, and
//! lines of the tree are moved there.

use leptos::{
    ev::DragEvent,
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{DataTransfer, Element, File},
};

use super::row::Row;

/// The data type of a dragged line; no field accepts it as text.
const LINE: &str = "application/x-codeflow-line";

/// The handlers of drops. A folder is its path without a trailing slash; the app's root is empty.
#[derive(Clone, Copy)]
pub struct Drops {
    /// The folder, and the dropped files or why they can't be used.
    pub on_files: Callback<(String, Result<Vec<File>, &'static str>)>,
    /// The old and the new path of a moved line.
    pub on_move: Callback<(String, String)>,
}

/// The drop target of one tree; without `drops` nothing can be dragged or dropped.
#[derive(Clone, Copy)]
pub struct DropTarget {
    drops: Option<Drops>,
    rows: Memo<Vec<Row>>,
    /// The path of the line that is dragged.
    dragged: StoredValue<Option<String>>,
    over: RwSignal<Option<String>>,
}

impl DropTarget {
    pub fn new(drops: Option<Drops>, rows: Memo<Vec<Row>>) -> Self {
        Self {
            drops,
            rows,
            dragged: StoredValue::new(None),
            over: RwSignal::new(None),
        }
    }

    pub fn can_drag(self) -> bool {
        self.drops.is_some()
    }

    /// Whether a drop would go into the folder.
    pub fn is_over(self, folder: &str) -> bool {
        self.over.with(|over| over.as_deref() == Some(folder))
    }

    /// For `dragstart` of a line.
    pub fn drag(self, event: &DragEvent, path: &str) {
        if let Some(data) = event.data_transfer() {
            data.set_effect_allowed("move");
            let _ = data.set_data(LINE, path);
            self.dragged.set_value(Some(path.to_owned()));
        }
    }

    /// For `dragover`.
    pub fn hover(self, event: &DragEvent) {
        let folder = self.accepted(event).map(|(folder, _)| folder);
        if folder.is_some() {
            event.prevent_default();
        }
        if self.over.with_untracked(|over| *over != folder) {
            self.over.set(folder);
        }
    }

    /// For `dragleave` and `dragend`.
    pub fn leave(self, event: &DragEvent) {
        let to = event.related_target();
        let to = to.and_then(|to| to.dyn_into::<Element>().ok());
        if to.is_none_or(|to| !matches!(to.closest("[role=tree]"), Ok(Some(_)))) {
            self.over.set(None);
        }
    }

    /// For `drop`.
    pub fn drop(self, event: &DragEvent) {
        self.over.set(None);
        let (Some(drops), Some((folder, moved))) = (self.drops, self.accepted(event)) else {
            return;
        };
        event.prevent_default();
        if let Some(moved) = moved {
            drops.on_move.run(moved);
        } else if let Some(data) = event.data_transfer() {
            drops.on_files.run((folder, files(&data)));
        }
    }

    /// The target folder of a drop, and the paths of the line that would be moved.
    fn accepted(self, event: &DragEvent) -> Option<(String, Option<(String, String)>)> {
        self.drops?;
        let types = event.data_transfer()?.types();
        let folder = self.folder_at(event);
        if types.includes(&"Files".into(), 0) {
            return Some((folder, None));
        }
        let from = self.dragged.get_value()?;
        let to = moved_to(&from, &folder).filter(|_| types.includes(&LINE.into(), 0))?;
        Some((folder, Some((from, to))))
    }

    fn folder_at(self, event: &DragEvent) -> String {
        let line = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        let line = line.and_then(|target| target.closest("[role=treeitem]").ok()?);
        let index = line.and_then(|line| line.id().strip_prefix("file-")?.parse::<usize>().ok());
        self.rows.with_untracked(|rows| {
            let row = index.and_then(|index| rows.get(index));
            row.map(Row::folder).unwrap_or_default()
        })
    }
}

/// The path in the folder.
pub fn joined(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// The new path in the folder; `None` if it is there already, or if a folder would move into
/// itself.
fn moved_to(from: &str, folder: &str) -> Option<String> {
    let (parent, name) = from.rsplit_once('/').unwrap_or(("", from));
    let inside = folder
        .strip_prefix(from)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (parent != folder && !inside).then(|| joined(folder, name))
}

/// The dropped files; folders come without their contents.
fn files(data: &DataTransfer) -> Result<Vec<File>, &'static str> {
    let items = data.items();
    let has_folder = (0..items.length())
        .filter_map(|at| items.get(at)?.webkit_get_as_entry().ok()?)
        .any(|entry| entry.is_directory());
    if has_folder {
        return Err("Folders can't be uploaded. Create it here, then drop its files on it.");
    }
    let files = data.files();
    Ok(files
        .map(|list| (0..list.length()).filter_map(|at| list.item(at)).collect())
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_moves_into_another_folder_and_never_into_itself() {
        assert_eq!(
            moved_to("app/page.tsx", "lib").as_deref(),
            Some("lib/page.tsx")
        );
        assert_eq!(moved_to("app/page.tsx", "").as_deref(), Some("page.tsx"));
        assert_eq!(moved_to("app", "lib/a").as_deref(), Some("lib/a/app"));
        assert_eq!(moved_to("app", "apps").as_deref(), Some("apps/app"));
        assert_eq!(moved_to("app/page.tsx", "app"), None);
        assert_eq!(moved_to("notes.md", ""), None);
        assert_eq!(moved_to("app", "app"), None);
        assert_eq!(moved_to("app", "app/about"), None);
    }
}
