//! Makes the dev server rebuild an app's styles before the app is checked. Tailwind scans all files
//! for class names when the dev server compiles the styles. A file written between that scan and
//! the end of the compilation is missed: nothing recompiles the styles, and its part of the page
//! stays unstyled.

use std::time::{Duration, Instant};

use tracing::Instrument;

use crate::{
    agent::{App, RunError, nextjs::answer::Answer},
    protocol::Timestamp,
};

/// Where an app's styles begin, and what they import.
const STYLESHEETS: [&str; 2] = ["app/globals.css", "src/app/globals.css"];
const TAILWIND: &str = "tailwindcss";
/// A rule without effect. It is followed by a word that differs each time, made of `n` and a
/// number, because the dev server rounds plain numbers.
const MARK: &str = "\n:root{--codeflow-mark:";
const MARK_END: &str = "}\n";
/// How long the dev server may take to notice what was just written, where its styles don't show
/// it.
pub const NOTICED: Duration = Duration::from_millis(800);
/// How long it may take to serve a change, and how long it may take to say that it does not.
const SERVED: Duration = Duration::from_secs(8);
const TIMEOUT: Duration = Duration::from_secs(60);
/// The interval at which the served styles are read.
const POLL_INTERVAL: Duration = Duration::from_millis(80);

/// Styles that the dev server has compiled again.
#[derive(Default)]
pub struct Remade {
    marks: Vec<Mark>,
}

impl Remade {
    /// Whether there were any. Then the dev server has had the time to notice all that was written
    /// before: it serves the result, or its first page fails or has no styles, for good.
    pub fn is_marked(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Waits until the dev server serves the styles, if it does; `first` is what the first page has
    /// answered since they were marked.
    pub async fn until_served(&self, app: &App, first: &Answer) -> Result<(), RunError> {
        for mark in &self.marks {
            match until_served(app, &mark.word, first).await {
                Ok(()) | Err(RunError::User(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Leaves the stylesheets as they were. Dropped, or where that fails, it tries in a task of its
    /// own.
    pub async fn remove_marks(mut self) {
        for mark in &mut self.marks {
            mark.is_there = mark.remove().await.is_err();
        }
    }
}

/// A stylesheet that carries a mark: a busy dev server takes a file that is soon as it was for one
/// that never changed, so the mark stays until it is served, and while the app is looked at.
struct Mark {
    app: App,
    path: &'static str,
    /// What was added.
    text: String,
    /// The word in it that no other mark has.
    word: String,
    is_there: bool,
}

impl Mark {
    /// Takes it out of the stylesheet, which somebody may have written in the meantime.
    async fn remove(&self) -> Result<(), RunError> {
        match read(&self.app, self.path).await? {
            Some(text) if text.contains(&self.text) => {
                write(&self.app, self.path, text.replace(&self.text, "")).await
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if self.is_there {
            let mark = Self {
                app: self.app.clone(),
                path: self.path,
                text: std::mem::take(&mut self.text),
                word: String::new(),
                is_there: false,
            };
            let removing = async move {
                if let Err(error) = mark.remove().await {
                    tracing::warn!(%error, "a mark stays in the app's stylesheet");
                }
            };
            tokio::spawn(removing.in_current_span());
        }
    }
}

/// Marks the app's stylesheets, whose styles the dev server then compiles again.
pub async fn mark(app: &App) -> Result<Remade, RunError> {
    let mut remade = Remade::default();
    for path in STYLESHEETS {
        let Some(text) = read(app, path).await? else {
            continue;
        };
        if text.contains(TAILWIND) {
            let word = format!("n{}", Timestamp::now().0);
            // In a task of its own: a run that is stopped leaves no mark behind.
            let marking = write_mark(app.clone(), path, text, word);
            let marking = tokio::spawn(marking.in_current_span());
            match marking.await.map_err(anyhow::Error::from)? {
                Ok(mark) => remade.marks.push(mark),
                // The folder is closed to writing, or the disk is full: the app is checked as it
                // is.
                Err(RunError::User(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(remade)
}

async fn write_mark(
    app: App,
    path: &'static str,
    own: String,
    word: String,
) -> Result<Mark, RunError> {
    let text = format!("{MARK}{word}{MARK_END}");
    // A server that was killed here has left its mark.
    let marked = without_marks(&own) + &text;
    let mark = Mark {
        app,
        path,
        text,
        word,
        is_there: true,
    };
    write(&mark.app, path, marked).await?;
    Ok(mark)
}

/// Waits until the styles of the first page have the mark, or that does not happen in time, or the
/// page fails or has no styles, and goes on to do so. The dev server compiles styles when it is
/// asked for their page.
async fn until_served(app: &App, mark: &str, first: &Answer) -> Result<(), RunError> {
    let looking = async {
        let (begun, mut later) = (Instant::now(), None);
        loop {
            let page = later.as_ref().unwrap_or(first);
            let stylesheets = page.stylesheets();
            let has_styles = page.status < 400 && !stylesheets.is_empty();
            for stylesheet in stylesheets.iter().filter(|_| has_styles) {
                let styles = app.ask(stylesheet).await?;
                if styles.is_some_and(|styles| styles.has(mark)) {
                    return Ok(());
                }
            }
            if begun.elapsed() > SERVED || (!has_styles && begun.elapsed() > NOTICED) {
                tracing::info!("the dev server does not serve its styles as they are now");
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            later = app.ask("/").await?.or(later);
        }
    };
    tokio::time::timeout(TIMEOUT, looking)
        .await
        .unwrap_or(Ok(()))
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
