//! What “it runs” means: the app compiles, its types fit, its routes answer, and its pages, really
//! loaded, throw nothing and show something. The model asks for it with `checkApp`, and no run ends
//! as a result without it.

mod activity;
mod ahead;
mod axe;
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
mod part;
mod patience;
mod picture;
mod relay;
mod report;
mod request;
mod running;
mod tour;
mod views;
mod wire;

use std::{collections::BTreeSet, time::Duration};

pub use ahead::Ahead;
pub use browsers::Browsers;
pub use jail::Jail;
pub use journey::{JourneyOutcome, kept as kept_journeys};
use part::part;
use report::unfinished;
pub use report::{Problem, ProblemKind, Report, VerifiedJourney};
use request::{READY, answered};
use tour::Tour;
pub use views::View;

use super::{
    Agent, App, RunError,
    nextjs::{
        styles::{self, NOTICED},
        types::{self, Types},
    },
};

/// The longest that a check may take.
pub const TIMEOUT: Duration = Duration::from_secs(400);

/// Returns the errors that open previews show; `None` when no preview is open.
pub type Reports = dyn Fn() -> Option<Vec<String>> + Send + Sync;

/// The inputs of a check besides the app itself.
pub struct Scope<'a> {
    /// The files that this run has changed.
    pub changed: BTreeSet<String>,
    /// The journeys that must exist.
    pub journeys: Vec<String>,
    pub reports: &'a Reports,
    pub browser: &'a Ahead,
}

impl Agent {
    /// What starts a browser ahead of a run's checks.
    pub fn ahead(&self) -> Ahead {
        Ahead::new(self.browsers.clone())
    }

    /// Checks the running app. Errors when the check can't come to an end, not when the app fails.
    #[tracing::instrument(name = "check", skip_all, fields(sandbox.id = app.id()))]
    pub async fn check(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        part("whole", self.check_parts(app, scope)).await
    }

    async fn check_parts(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        scope.browser.start(app);
        let listing = part("list", app.list()).await?;
        if let Some(report) = running::pipes(app, &listing).await? {
            return Ok(report);
        }
        let files = listing.files();
        let permit = self.browsers.permit().await?;
        let mut tour = match &permit {
            Some(_) => Some(Tour::new(self.browsers.settings(), app.page_address()?)),
            None => None,
        };
        // The error is `None` when nothing answers: then nobody waits for the browser.
        let remaking = async {
            let remade = part("mark", styles::mark(app)).await.map_err(Some)?;
            let first = part("answer", answered(app, "/", READY)).await;
            let first = first.map_err(Some)?.ok_or(None)?;
            let served = part("styles", remade.until_served(app, &first)).await;
            served.map_err(Some)?;
            Ok(remade)
        };
        let begin = async {
            if let Some(tour) = &mut tour {
                part("browser", tour.begin(scope.browser)).await;
            }
            Ok::<_, Option<RunError>>(())
        };
        let remade = match tokio::try_join!(remaking, begin) {
            Ok((remade, ())) => remade,
            Err(Some(error)) => return Err(error),
            Err(None) => {
                let log = running::not_running(app, READY).await?;
                return Ok(Report {
                    problems: vec![Problem::new(ProblemKind::NotRunning, "the dev server", log)],
                    ..Report::default()
                });
            }
        };
        if !remade.is_marked() {
            tokio::time::sleep(NOTICED).await;
        }
        let routes = async {
            let report = self.check_routes(app, &files, scope, tour).await;
            drop(permit);
            report
        };
        let (types, routes) = tokio::join!(
            part("types", types::check(app, types::TIMEOUT)),
            part("routes and pages", routes)
        );
        let mut types = types?;
        // Failures that prevent a page from being shown come before errors in it.
        let mut report = routes?;
        if matches!(types, Types::Unfinished { .. }) && report.is_sound() {
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
            Types::Unfinished { why, killed: true } if report.is_sound() => {
                return Err(unfinished(&format!("Types could not be checked: {why}.")));
            }
            // Before the notes on pages, because only the first notes are reported.
            Types::Unknown(why) | Types::Unfinished { why, .. } => report.notes.insert(0, why),
        }
        journey::require(&scope.journeys, &listing, &mut report);
        if report.is_sound() {
            part("journeys", self.play_journeys(app, &files, &mut report)).await?;
        }
        remade.remove_marks().await;
        report.barriers_last();
        Ok(report)
    }
}
