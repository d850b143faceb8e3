//! What “it runs” means: the app compiles, its types fit, its routes answer, and its pages, really
//! loaded, throw nothing and show something. The model asks for it with `checkApp`, and no run ends
//! as a result without it.

mod activity;
mod browser;
mod browsers;
mod content;
mod devices;
mod events;
mod jail;
mod journey;
mod launch;
mod page;
mod pages;
mod patience;
mod picture;
mod relay;
mod report;
mod request;
mod running;
mod tour;
mod views;

use std::{collections::BTreeSet, time::Duration};

pub use browsers::Browsers;
pub use jail::Jail;
pub use journey::{PlayedJourney, kept as kept_journeys};
use report::unfinished;
pub use report::{PassedJourney, Problem, ProblemKind, Report};
use request::{READY, answered};
use tour::Tour;
pub use views::View;

use super::{
    Agent, App, RunError,
    nextjs::{
        styles,
        types::{self, Types},
    },
};

/// The longest that a check may take.
pub const TIMEOUT: Duration = Duration::from_secs(400);
/// How long the dev server may take to notice what was just written, where its styles don't show
/// it.
const NOTICED: Duration = Duration::from_millis(800);

/// Returns the errors that open previews show; `None` when no preview is open.
pub type Reports = dyn Fn() -> Option<Vec<String>> + Send + Sync;

/// The inputs of a check besides the app itself.
pub struct Scope<'a> {
    /// The files that this run has changed.
    pub changed: BTreeSet<String>,
    /// The journeys that must exist.
    pub journeys: Vec<String>,
    pub reports: &'a Reports,
}

impl Agent {
    /// Checks the running app. Errors when the check can't come to an end, not when the app fails.
    #[tracing::instrument(name = "check", skip_all, fields(sandbox.id = app.id()))]
    pub async fn check(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        let listing = app.list().await?;
        if let Some(report) = running::pipes(app, &listing).await? {
            return Ok(report);
        }
        let files = listing.files();
        if answered(app, "/", READY).await?.is_none() {
            let log = running::not_running(app, READY).await?;
            return Ok(Report {
                problems: vec![Problem::new(ProblemKind::NotRunning, "the dev server", log)],
                ..Report::default()
            });
        }
        let permit = self.browsers.permit().await?;
        let mut tour = match &permit {
            Some(_) => Some(Tour::new(self.browsers.settings(), app.page_address()?)),
            None => None,
        };
        let begin = async {
            if let Some(tour) = &mut tour {
                tour.begin().await;
            }
        };
        let (is_remade, ()) = tokio::join!(styles::remake(app), begin);
        if !is_remade? {
            tokio::time::sleep(NOTICED).await;
        }
        let routes = async {
            let report = self.check_routes(app, &files, scope, tour).await;
            drop(permit);
            report
        };
        let (types, routes) = tokio::join!(types::check(app, types::TIMEOUT), routes);
        let mut types = types?;
        // Failures that prevent a page from being shown come before errors in it.
        let mut report = routes?;
        if matches!(types, Types::Unfinished { .. }) && report.is_well() {
            // The machine is less busy by now.
            types = types::check(app, types::RECHECK_TIMEOUT).await?;
        }
        match types {
            Types::Fine => report.seen.push("types".to_owned()),
            Types::Nothing => {}
            Types::Wrong(errors) => {
                report
                    .problems
                    .push(Problem::new(ProblemKind::Types, "tsc --noEmit", errors))
            }
            Types::Unfinished { why, killed: true } if report.is_well() => {
                return Err(unfinished(&format!("Types could not be checked: {why}.")));
            }
            // Before the notes on pages, because only the first notes are reported.
            Types::Unknown(why) | Types::Unfinished { why, .. } => report.notes.insert(0, why),
        }
        journey::require(&scope.journeys, &listing, &mut report);
        if report.is_sound() {
            self.play_journeys(app, &files, &mut report).await?;
        }
        Ok(report)
    }
}
