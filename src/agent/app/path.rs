//! Paths in the app: relative to the sandbox's home, which they can't leave.

use std::fmt;

use crate::protocol::first_chars;

/// The folder that the app lives in.
pub const HOME: &str = "/home/user";
/// Folders whose contents are generated and belong to no version.
pub const GENERATED_FOLDERS: [&str; 9] = [
    "node_modules",
    ".next",
    ".git",
    ".npm",
    ".cache",
    ".pnpm-store",
    ".turbo",
    ".swc",
    ".parcel-cache",
];

/// An app's top-level folders, for paths that begin with a slash and mean the app's root.
const TOP_FOLDERS: [&str; 16] = [
    "app",
    "components",
    "config",
    "content",
    "context",
    "contexts",
    "data",
    "hooks",
    "lib",
    "pages",
    "public",
    "src",
    "store",
    "styles",
    "types",
    "utils",
];

/// A path below the app's folder: relative, `/` between its parts, no part `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppPath(String);

/// Why a path can't be used; the model reads the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty; name a file relative to {HOME}, such as app/page.tsx")]
    Empty,
    #[error(
        "the path {0:?} lies outside of {HOME}; use a path relative to it, such as app/page.tsx"
    )]
    Outside(String),
    #[error("the path {0:?} has a character that no file name can have")]
    Malformed(String),
}

impl AppPath {
    /// Reads a path as models write them: relative, with a leading `./`, as an import (`@/lib/x`),
    /// absolute below the home, or with a slash for the app's root.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        if text.contains(['\0', '\n', '\r']) || text.len() > 1024 {
            return Err(PathError::Malformed(first_chars(text, 80).to_owned()));
        }
        let relative = match text.strip_prefix('/') {
            None => {
                let prefixes = ["~/", "@/", "home/user/"].iter();
                prefixes
                    .filter_map(|prefix| text.strip_prefix(prefix))
                    .next()
                    .unwrap_or(text)
            }
            Some(below) => match text.strip_prefix(HOME) {
                Some("") => "",
                Some(below) if below.starts_with('/') => below,
                _ if is_of_an_app(below) => below,
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

    /// Like [`AppPath::new`], for a folder: `None` is the app's own folder.
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

/// Whether a path (without its leading slash) is in an app and not on the machine: a file such as
/// `package.json`, or one in a folder that apps have.
fn is_of_an_app(below: &str) -> bool {
    match below.split_once('/') {
        Some((top, _)) => TOP_FOLDERS.contains(&top),
        None => {
            TOP_FOLDERS.contains(&below)
                || below
                    .rsplit_once('.')
                    .is_some_and(|(stem, end)| !stem.is_empty() && !end.is_empty())
        }
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
    fn paths_are_read_as_models_write_them_and_never_leave_the_home() {
        let path = |text| AppPath::new(text).map(|path| path.0);
        for text in [
            "app/page.tsx",
            "./app/page.tsx",
            "/home/user/app/page.tsx",
            "~/app/page.tsx",
            "app//x/../page.tsx",
            "/app/page.tsx",
            "@/app/page.tsx",
            "home/user/app/page.tsx",
        ] {
            assert_eq!(path(text).as_deref(), Ok("app/page.tsx"), "{text}");
        }
        for (text, meant) in [
            ("/package.json", "package.json"),
            ("/src/x", "src/x"),
            ("@types/x", "@types/x"),
            ("home/x", "home/x"),
        ] {
            assert_eq!(path(text).as_deref(), Ok(meant));
        }
        assert_eq!(
            AppPath::folder("/components"),
            AppPath::new("components").map(Some)
        );
        for text in [
            "../x",
            "/etc/passwd",
            "/etc",
            "/.env",
            "/proc/1/cmdline.txt",
            "/home/user2/x",
            "app/../../x",
            "/app/../../etc/passwd",
            "@/../x",
            "/home/user/../other/x",
        ] {
            assert!(matches!(path(text), Err(PathError::Outside(_))), "{text}");
        }
        assert_eq!(path("a\0b"), Err(PathError::Malformed("a\0b".to_owned())));
        assert_eq!(path("/home/user/"), Err(PathError::Empty));
    }
}
