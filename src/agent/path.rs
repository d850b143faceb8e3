//! Paths of the app: relative to the sandbox's home, which they can't leave.

use std::fmt;

/// The folder that the app lives in.
pub const HOME: &str = "/home/user";
/// Folders whose contents are made by tools and belong to no version.
pub const GENERATED_FOLDERS: [&str; 5] = ["node_modules", ".next", ".git", ".npm", ".cache"];

/// A path below the app's folder: relative, `/` between its parts, no part `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppPath(String);

/// Why a path can't be used; its text is for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty; name a file relative to {HOME}, such as app/page.tsx")]
    Empty,
    #[error("the path {0:?} lies outside of {HOME}; use a path relative to it, such as app/page.tsx")]
    Outside(String),
    #[error("the path {0:?} has a character that no file name can have")]
    Malformed(String),
}

impl AppPath {
    /// Reads a path as models write them: relative, with a leading `./`, or absolute below the home.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        if text.contains(['\0', '\n', '\r']) || text.len() > 1024 {
            return Err(PathError::Malformed(text.chars().take(80).collect()));
        }
        let relative = match text.strip_prefix('/') {
            None => text.strip_prefix("~/").unwrap_or(text),
            Some(_) => match text.strip_prefix(HOME) {
                Some("") => "",
                Some(below) if below.starts_with('/') => below,
                _ => return Err(PathError::Outside(text.to_owned())),
            },
        };
        let mut parts = Vec::new();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Outside(text.to_owned()));
                    }
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Err(PathError::Empty);
        }
        Ok(Self(parts.join("/")))
    }

    /// Like [`AppPath::new`], for a folder: the app's own folder is `None`.
    pub fn folder(text: &str) -> Result<Option<Self>, PathError> {
        match Self::new(text) {
            Ok(path) => Ok(Some(path)),
            Err(PathError::Empty) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path in the sandbox.
    pub fn absolute(&self) -> String {
        format!("{HOME}/{}", self.0)
    }
}

impl fmt::Display for AppPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_models_write_them_and_never_lead_out_of_the_home() {
        let path = |text| AppPath::new(text).map(|path| path.0);
        for text in [
            "app/page.tsx",
            "./app/page.tsx",
            "/home/user/app/page.tsx",
            "~/app/page.tsx",
            "app//x/../page.tsx",
        ] {
            assert_eq!(path(text).as_deref(), Ok("app/page.tsx"), "{text}");
        }
        for text in ["../x", "/etc/passwd", "/home/user2/x", "app/../../x", "/home/user/../other/x"] {
            assert!(matches!(path(text), Err(PathError::Outside(_))), "{text}");
        }
        assert_eq!(path("a\0b"), Err(PathError::Malformed("a\0b".to_owned())));
        assert_eq!(path("/home/user/"), Err(PathError::Empty));
    }
}
