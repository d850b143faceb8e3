//! What the dev server may have missed of a change is shown to it again: a file's text is changed for a moment, and is then as it was.

use std::time::{Duration, Instant};

use super::report::{Problem, ProblemKind};
use crate::{
    agent::{App, RunError},
    protocol::Timestamp,
};

/// Where the app's styles begin, and what they begin with.
const STYLESHEETS: [&str; 2] = ["app/globals.css", "src/app/globals.css"];
const TAILWIND: &str = "tailwindcss";
/// A rule without effect that marks the styles for a moment; what follows is different each time.
const MARK: &str = ":root{--codeflow-styles:";
/// How long the dev server may take to serve marked styles once it answers, how long an answer may take, and what is waited between two.
const MARKED: Duration = Duration::from_secs(6);
const ANSWER: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long the dev server may take to see that a file was changed.
const SEEN: Duration = Duration::from_millis(400);
/// What ends the names of files that it compiles.
const COMPILED: [&str; 6] = [".tsx", ".ts", ".jsx", ".js", ".mjs", ".css"];

/// Has the styles made anew; true when the dev server serves styles, and so has seen whatever was written before this call. Tailwind looks
/// for class names in all files when one of them changes, may look a moment too early for another that is written at the same time, and
/// does not look again by itself: a page would stay half styled. On a busy machine a file that is changed back soon was never changed, so
/// the mark stays until it is served.
pub async fn styles(app: &App) -> Result<bool, RunError> {
    let mut served = false;
    for path in STYLESHEETS {
        let Some(text) = app.read_file(path).await?.and_then(|content| String::from_utf8(content).ok()) else {
            continue;
        };
        if text.contains(TAILWIND) {
            let app = app.clone();
            // In a task of its own: the mark does not stay when the run is stopped.
            let marking = tokio::spawn(async move { mark_for_a_moment(&app, path, &text).await });
            served |= match marking.await.map_err(anyhow::Error::from)? {
                // A folder that is closed to writing, or a full disk: the app is looked at as it is.
                Err(RunError::User(_)) => false,
                marked => marked?,
            };
        }
    }
    Ok(served)
}

async fn mark_for_a_moment(app: &App, path: &str, text: &str) -> Result<bool, RunError> {
    // A server that was killed here has left its mark.
    let own: String = text.split_inclusive('\n').filter(|line| !line.starts_with(MARK)).collect();
    let mark = format!("{}", Timestamp::now().0);
    let marked = format!("{own}\n{MARK}{mark}}}\n");
    app.write_files(vec![(path.to_owned(), marked.into_bytes())]).await?;
    let served = in_time(is_served(app, &mark, true)).await;
    app.write_files(vec![(path.to_owned(), own.into_bytes())]).await?;
    Ok(served? && in_time(is_served(app, &mark, false)).await?)
}

/// False also when the app does not answer in time.
async fn in_time(looking: impl Future<Output = Result<bool, RunError>>) -> Result<bool, RunError> {
    tokio::time::timeout(ANSWER, looking).await.unwrap_or(Ok(false))
}

/// Waits until the styles of the first page have the mark, or have it no more; whether that came to be. A page that fails has no styles.
async fn is_served(app: &App, mark: &str, wanted: bool) -> Result<bool, RunError> {
    let begun = Instant::now();
    loop {
        // Asking for the page is what has it compiled.
        let page = app.ask("/").await?;
        let Some(page) = page.filter(|page| page.status < 400) else {
            tokio::time::sleep(SEEN).await;
            return Ok(false);
        };
        let mut has_mark = false;
        for stylesheet in page.stylesheets() {
            has_mark |= app.ask(&stylesheet).await?.is_some_and(|styles| styles.has(mark));
        }
        if has_mark == wanted {
            return Ok(true);
        }
        if begun.elapsed() > MARKED {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Has the file read anew that a compile error names: it may be about the text before.
pub async fn what_fails(app: &App, problem: Option<&Problem>) -> Result<(), RunError> {
    let compile = problem.filter(|problem| problem.kind == ProblemKind::Compile);
    match compile.and_then(|problem| named(&problem.text)) {
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
        // As with styles.
        Err(RunError::User(_)) => Ok(()),
        written => written,
    }
}

/// The file of the app that an error of the dev server's begins with: `./app/page.tsx:2:20`, or `[project]/app/page.tsx`.
fn named(error: &str) -> Option<&str> {
    let mut words = error.lines().take(2).flat_map(|line| line.split([' ', '\'', '"']));
    words.find_map(|word| {
        let path = word.strip_prefix("./").or_else(|| word.strip_prefix("[project]/"))?;
        let path = path.split(':').next()?;
        let is_own = !path.starts_with("node_modules/") && !path.split('/').any(|part| part == "..");
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
            ("Could not parse module '[project]/app/page.tsx'\nExpected", Some("app/page.tsx")),
            ("./node_modules/a/index.js:1:1", None),
            ("./../../etc/x.ts", None),
            ("The app answered with HTTP 500.", None),
        ] {
            assert_eq!(named(error), path, "{error}");
        }
    }
}
