//! Paths in the app: relative to the sandbox's home, and unable to leave it.

use std::fmt;

use crate::protocol::first_chars;

/// The folder that the app lives in.
pub const HOME: &str = "/home/user";
/// Folders with generated contents, which belong to no version.
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

/// The options by which grep leaves out [`GENERATED_FOLDERS`].
pub fn grep_exclusions() -> String {
    let options = GENERATED_FOLDERS.map(|folder| format!("--exclude-dir={folder}"));
    options.join(" ")
}

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

/// The maximum length of a path and of each name in it, in bytes.
const MAX_PATH: usize = 1024;
const MAX_NAME: usize = 255;

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

/// Why a person's path can't be used: a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnPathError {
    #[error("Give the file a name, such as app/page.tsx.")]
    Empty,
    #[error("A path begins inside the app and has no “.” or “..” in it, such as app/page.tsx.")]
    Outside,
    #[error("A name can't have line breaks or zero bytes in it. Choose another one.")]
    Malformed,
    #[error("A name may have up to 255 bytes, and a path up to {MAX_PATH}. Choose a shorter one.")]
    TooLong,
    #[error(
        "{0} is a folder that tools generate; its files are in no version. Choose another path."
    )]
    Generated(&'static str),
}

impl AppPath {
    /// Parses a path literally, because people's file names are not to be guessed at.
    pub fn exact(text: &str) -> Result<Self, OwnPathError> {
        if text.is_empty() {
            return Err(OwnPathError::Empty);
        }
        if text.contains(['\0', '\n', '\r']) {
            return Err(OwnPathError::Malformed);
        }
        if text.len() > MAX_PATH {
            return Err(OwnPathError::TooLong);
        }
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(OwnPathError::Outside);
            }
            if part.len() > MAX_NAME {
                return Err(OwnPathError::TooLong);
            }
            if let Some(folder) = GENERATED_FOLDERS.into_iter().find(|folder| *folder == part) {
                return Err(OwnPathError::Generated(folder));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Parses a path in the notations of models: relative, with a leading `./`, as an import
    /// (`@/lib/x`), absolute below the home, or with a slash for the app's root.
    pub fn new(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        if text.contains(['\0', '\n', '\r']) || text.len() > MAX_PATH {
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

/// Whether a path (without its leading slash) means one in the app, not on the machine: a file such
/// as `package.json`, or one in a typical folder of apps.
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

    #[test]
    fn a_person_s_path_is_taken_as_it_is_or_refused_in_a_sentence() {
        let longest = "x".repeat(MAX_NAME);
        for text in [
            "app/[id]/(group)/@modal/page.tsx",
            " a b ",
            "100%#?&.txt",
            "@/x",
            "~/x",
            "home/user/x",
            "🙂/é.txt",
            "-rf",
            "a\\b",
            &longest,
        ] {
            assert_eq!(AppPath::exact(text), Ok(AppPath(text.to_owned())), "{text}");
        }
        for (text, error) in [
            ("", OwnPathError::Empty),
            ("/etc/passwd", OwnPathError::Outside),
            ("../x", OwnPathError::Outside),
            ("a//b", OwnPathError::Outside),
            ("a/./b", OwnPathError::Outside),
            ("a/", OwnPathError::Outside),
            ("a\0b", OwnPathError::Malformed),
            ("a\nb", OwnPathError::Malformed),
            (&format!("{longest}x"), OwnPathError::TooLong),
            (
                "app/node_modules/x",
                OwnPathError::Generated("node_modules"),
            ),
            (".next/x", OwnPathError::Generated(".next")),
        ] {
            assert_eq!(AppPath::exact(text), Err(error), "{text}");
        }
    }
}
