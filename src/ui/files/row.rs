//! A line of the file tree.

/// A visible line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub path: String,
    pub name: String,
    pub level: usize,
    /// Its place among its folder's entries, counted from 1, and how many these are.
    pub place: (usize, usize),
    /// Whether the folder is open; `None` for a file.
    pub open: Option<bool>,
    /// Why it is not kept in versions.
    pub notice: Option<String>,
}

impl Row {
    /// The folder that it is, or that it is in.
    pub fn folder(&self) -> String {
        match self.open {
            Some(_) => self.path.clone(),
            None => self
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned(),
        }
    }
}
