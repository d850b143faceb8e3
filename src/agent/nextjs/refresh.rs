//! What the dev server may have missed of a change is told to it again: a file's text is changed
//! for a moment, and is then as it was.

use std::time::Duration;

use crate::agent::{App, RunError};

/// Where the app's styles begin, and what they begin with.
const STYLESHEETS: [&str; 2] = ["app/globals.css", "src/app/globals.css"];
const TAILWIND: &str = "tailwindcss";
/// How long the dev server may take to see that a file was changed.
const SEEN: Duration = Duration::from_millis(400);
/// What ends the names of files that it compiles.
const COMPILED: [&str; 6] = [".tsx", ".ts", ".jsx", ".js", ".mjs", ".css"];

/// Has the styles made anew. Tailwind looks for class names in all files when one of them changes,
/// may look a moment too early for another that is written at the same time, and does not look
/// again by itself.
pub async fn styles(app: &App) -> Result<(), RunError> {
    for path in STYLESHEETS {
        stir(app, path, |text| text.contains(TAILWIND)).await?;
    }
    Ok(())
}

/// Has the dev server read the file again that a compile error names: the error may be about the
/// file's text before.
pub async fn file_of(app: &App, compile_error: &str) -> Result<(), RunError> {
    match named(compile_error) {
        Some(path) => stir(app, path, |_| true).await,
        None => Ok(()),
    }
}

async fn stir(app: &App, path: &str, is_meant: impl Fn(&str) -> bool) -> Result<(), RunError> {
    let Some(content) = app.read_file(path).await? else {
        return Ok(());
    };
    if std::str::from_utf8(&content).is_ok_and(is_meant) {
        write_if_taken(app, path, [&content[..], b"\n"].concat()).await?;
        tokio::time::sleep(SEEN).await;
        write_if_taken(app, path, content).await?;
    }
    Ok(())
}

async fn write_if_taken(app: &App, path: &str, content: Vec<u8>) -> Result<(), RunError> {
    match app.write_files(vec![(path.to_owned(), content)]).await {
        // A folder that is closed to writing, or a full disk: the app is looked at as it is.
        Err(RunError::User(_)) => Ok(()),
        written => written,
    }
}

/// The file of the app that an error of the dev server's begins with: `./app/page.tsx:2:20`, or
/// `[project]/app/page.tsx`.
fn named(error: &str) -> Option<&str> {
    let mut words = error
        .lines()
        .take(2)
        .flat_map(|line| line.split([' ', '\'', '"']));
    words.find_map(|word| {
        let path = word
            .strip_prefix("./")
            .or_else(|| word.strip_prefix("[project]/"))?;
        let path = path.split(':').next()?;
        let is_own =
            !path.starts_with("node_modules/") && !path.split('/').any(|part| part == "..");
        (is_own && COMPILED.iter().any(|end| path.ends_with(end))).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_does_not_compile_is_read_off_the_error() {
        for (error, path) in [
            ("./app/page.tsx:2:20\nError: Expected", Some("app/page.tsx")),
            (
                "Could not parse module '[project]/app/(shop)/page.tsx'\nExpected",
                Some("app/(shop)/page.tsx"),
            ),
            (
                "Could not parse module '[project]/app/page.tsx'\nExpected",
                Some("app/page.tsx"),
            ),
            ("./node_modules/a/index.js:1:1", None),
            ("./../../etc/x.ts", None),
            ("The app answered with HTTP 500.", None),
        ] {
            assert_eq!(named(error), path, "{error}");
        }
    }
}
