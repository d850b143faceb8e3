//! Makes the dev server rebuild an app's styles before the app is checked. Tailwind scans all files
//! for class names when the dev server compiles the styles. A file written between that scan and
//! the end of the compilation is missed: nothing recompiles the styles, and its part of the page
//! stays unstyled.

use std::time::{Duration, Instant};

use tracing::Instrument;

use crate::{
    agent::{App, RunError},
    protocol::Timestamp,
};

/// Where an app's styles begin, and what they import.
const STYLESHEETS: [&str; 2] = ["app/globals.css", "src/app/globals.css"];
const TAILWIND: &str = "tailwindcss";
/// A rule without effect. It is followed by a word that differs each time, made of `n` and a
/// number, because the dev server rounds plain numbers.
const MARK: &str = "\n:root{--codeflow-mark:";
const MARK_END: &str = "}\n";
/// How long the dev server may take to serve a change, once its page answers and in all.
const SERVED: Duration = Duration::from_secs(8);
const TIMEOUT: Duration = Duration::from_secs(60);
/// The interval at which the served styles are read.
const POLL_INTERVAL: Duration = Duration::from_millis(80);

/// Compiles the styles again. True when the dev server serves the result: by then it has seen every
/// file written before this call. False when there are no styles, or it serves none.
///
/// Its stylesheet carries a mark until the mark is served: a busy dev server takes a file that is
/// soon as it was for one that never changed.
pub async fn remake(app: &App) -> Result<bool, RunError> {
    let mut is_served = false;
    for path in STYLESHEETS {
        let Some(text) = read(app, path).await? else {
            continue;
        };
        if text.contains(TAILWIND) {
            let app = app.clone();
            // In a task of its own: a run that is stopped leaves no mark behind.
            let marking = async move { mark(&app, path, &text).await };
            let marking = tokio::spawn(marking.in_current_span());
            is_served |= match marking.await.map_err(anyhow::Error::from)? {
                // The folder is closed to writing, or the disk is full: the app is checked as it
                // is.
                Err(RunError::User(_)) => false,
                served => served?,
            };
        }
    }
    Ok(is_served)
}

async fn mark(app: &App, path: &'static str, text: &str) -> Result<bool, RunError> {
    let word = format!("n{}", Timestamp::now().0);
    // A server that was killed here has left its mark.
    let marked = format!("{}{MARK}{word}{MARK_END}", without_marks(text));
    write(app, path, marked).await?;
    let served = serves(app, &word, true).await;
    // Somebody may have written the file in the meantime.
    if let Some(text) = read(app, path).await? {
        let own = without_marks(&text);
        if own != text {
            write(app, path, own).await?;
        }
    }
    Ok(served? && serves(app, &word, false).await?)
}

/// Waits until the styles of the first page have the mark, or no longer have it; false when that
/// does not happen in time, or the page fails and has no styles.
async fn serves(app: &App, mark: &str, is_wanted: bool) -> Result<bool, RunError> {
    let looking = async {
        let mut first_answer = None;
        loop {
            // The dev server compiles styles when it is asked for their page.
            if let Some(page) = app.ask("/").await? {
                let stylesheets = page.stylesheets();
                if page.status >= 400 || stylesheets.is_empty() {
                    return Ok(false);
                }
                let mut is_marked = false;
                for stylesheet in stylesheets {
                    let styles = app.ask(&stylesheet).await?;
                    is_marked |= styles.is_some_and(|styles| styles.has(mark));
                }
                if is_marked == is_wanted {
                    return Ok(true);
                }
                let since = *first_answer.get_or_insert_with(Instant::now);
                if since.elapsed() > SERVED {
                    tracing::info!("the dev server does not serve its styles as they are now");
                    return Ok(false);
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(TIMEOUT, looking)
        .await
        .unwrap_or(Ok(false))
}

async fn read(app: &App, path: &str) -> Result<Option<String>, RunError> {
    let content = app.read_file(path).await?;
    Ok(content.and_then(|content| String::from_utf8(content).ok()))
}

async fn write(app: &App, path: &str, text: String) -> Result<(), RunError> {
    app.write_files(vec![(path.to_owned(), text.into_bytes())])
        .await
}

fn without_marks(text: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once(MARK) {
        own.push_str(before);
        let after = marked.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric());
        rest = after.strip_prefix(MARK_END).unwrap_or(after);
    }
    own + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_marks_away_leaves_the_stylesheet_as_it_was() {
        for own in [
            "",
            "@import \"tailwindcss\";",
            "a {}\n",
            "a {}\n\n:root{--x:1}\n",
        ] {
            let once = format!("{own}{MARK}n17{MARK_END}");
            let twice = format!("{once}{MARK}18{MARK_END}");
            for marked in [own, &once, &twice] {
                assert_eq!(without_marks(marked), own);
            }
        }
        let more = format!("a {{}}{MARK}n17{MARK_END}b {{}}");
        assert_eq!(without_marks(&more), "a {}b {}");
    }
}
