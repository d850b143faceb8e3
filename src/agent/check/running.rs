//! Whether the app can run at all, and why it does not.

use std::time::Duration;

use super::report::{Problem, ProblemKind, Report};
use crate::agent::{App, Listing, RunError, text::plain};

/// Reports the named pipes in the app's folder: a dev server that reads one hangs. `None` when
/// there are none. A dev server that hangs already is released.
pub async fn pipes(app: &App, listing: &Listing) -> Result<Option<Report>, RunError> {
    let pipes = &listing.pipes;
    if pipes.is_empty() {
        return Ok(None);
    }
    app.release_pipes().await?;
    let problem = |path: &String| {
        let text =
            format!("{path} is a named pipe; the dev server hangs when it reads it. Delete it.");
        Problem::new(ProblemKind::NotRunning, path.clone(), text)
    };
    Ok(Some(Report {
        problems: pipes.iter().map(problem).collect(),
        ..Report::default()
    }))
}

/// Why nothing answers after waiting this long, as far as the dev server's log says.
pub async fn not_running(app: &App, waited: Duration) -> Result<String, RunError> {
    let tail = "tail -n 25 /tmp/dev-server.log 2>/dev/null || true";
    let output = app.run(tail, &[], Duration::from_secs(10)).await?;
    let log = plain::text(output.stdout.trim_ascii());
    let seconds = waited.as_secs();
    Ok(if log.is_empty() {
        format!("The dev server does not answer after waiting {seconds} seconds.")
    } else {
        format!(
            "The dev server does not answer after waiting {seconds} seconds. Its log ends with:\n{log}"
        )
    })
}
