//! Makes the dev server reread a file that it may have read too early, by changing the file for a
//! moment.

use std::time::Duration;

use crate::agent::{App, RunError};

/// How long the dev server may take to notice that a file changed.
const NOTICED: Duration = Duration::from_millis(400);
/// The extensions of the files that it compiles.
const COMPILED: [&str; 6] = [".tsx", ".ts", ".jsx", ".js", ".mjs", ".css"];

/// Refreshes the file that a compile error names, if any, because the error may concern the file's
/// earlier text.
pub async fn failing_file(app: &App, compile_error: &str) -> Result<(), RunError> {
    let Some(path) = named(compile_error) else {
        return Ok(());
    };
    let Some(content) = app.read_file(path).await? else {
        return Ok(());
    };
    if std::str::from_utf8(&content).is_ok() {
        write_if_allowed(app, path, [&content[..], b"\n"].concat()).await?;
        tokio::time::sleep(NOTICED).await;
        write_if_allowed(app, path, content).await?;
    }
    Ok(())
}

async fn write_if_allowed(app: &App, path: &str, content: Vec<u8>) -> Result<(), RunError> {
    match app.write_files(vec![(path.to_owned(), content)]).await {
        // The folder is closed to writing, or the disk is full: the app is checked as it is.
        Err(RunError::User(_)) => Ok(()),
        written => written,
    }
}

/// The file of the app that a compile error names: `./app/page.tsx:2:20`, or
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
    fn a_compile_error_names_its_file() {
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
