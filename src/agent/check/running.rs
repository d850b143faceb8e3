//! Whether the app can run at all, and why it does not.

use std::time::Duration;

use super::{
    READY,
    report::{Problem, ProblemKind, Report},
};
use crate::agent::{App, RunError, text::plain};

/// Names the named pipes in the app's folder, at which a dev server that reads them hangs; `None`
/// when there are none. One that hangs already goes on.
pub async fn pipes(app: &App) -> Result<Option<Report>, RunError> {
    let pipes = app.list().await?.pipes;
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

/// Why nothing answers, as far as the dev server says.
pub async fn not_running(app: &App) -> Result<String, RunError> {
    let tail = "tail -n 25 /tmp/dev-server.log 2>/dev/null || true";
    let output = app.run(tail, &[], Duration::from_secs(10)).await?;
    let said = plain::text(output.stdout.trim_ascii());
    let seconds = READY.as_secs();
    Ok(if said.is_empty() {
        format!("The dev server does not answer ({seconds} seconds were waited).")
    } else {
        format!(
            "The dev server does not answer ({seconds} seconds were waited). Its last words:\n{said}"
        )
    })
}
