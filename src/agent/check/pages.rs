//! Requests an app's routes and loads its pages, as many as fit into the time of a check.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    Agent, App, Scope,
    page::Findings,
    part::part,
    report::{Problem, ProblemKind, Report, unfinished},
    request::{READY, answered, answers_get, ask, ask_together},
    tour::Tour,
};
use crate::agent::{
    RunError,
    nextjs::routes::{self, Route, RouteKind},
};

/// How many routes without a parameter are requested, and how many with one.
const MAX_ROUTES: usize = 16;
/// After this long no further route is requested.
const ENOUGH: Duration = Duration::from_secs(150);
/// How long an open preview has to show its errors, where no browser loads the pages.
const REPORTS: Duration = Duration::from_secs(2);

/// The pages to load.
struct Plan<'a> {
    /// Pages that answer.
    pages: Vec<String>,
    /// Routes with a parameter.
    dynamic: Vec<Route>,
    /// The paths of the routes without a parameter: no route with one answers them.
    known: BTreeSet<&'a str>,
    /// When the first route was requested.
    begun: Instant,
}

impl Agent {
    /// Requests the routes, and loads the pages that answer, where there is a browser for a tour of
    /// them. What this run has changed comes first.
    pub(super) async fn check_routes(
        &self,
        app: &App,
        files: &[String],
        scope: &Scope<'_>,
        mut tour: Option<Tour<'_>>,
    ) -> Result<Report, RunError> {
        let begun = Instant::now();
        let mut report = Report::default();
        let routes = routes::routes(files.iter().map(String::as_str));
        let (mut dynamic, mut fixed): (Vec<Route>, Vec<Route>) =
            routes.into_iter().partition(Route::is_dynamic);
        // More specific routes come first.
        dynamic.sort_by(|a, b| b.path.cmp(&a.path));
        // The first page is requested in any case.
        fixed.retain(|route| !(route.path == "/" && route.kind == RouteKind::Page));
        fixed.sort_by_key(|route| !route.is_touched_by(&scope.changed));
        let mut pages = Vec::new();
        if part("first route", ask(app, "/", RouteKind::Page, &mut report)).await? {
            pages.push("/".to_owned());
        }
        let is_page = |route: &&Route| route.kind == RouteKind::Page;
        let others = fixed.iter().take(MAX_ROUTES).filter(is_page);
        let others: Vec<String> = others.map(|route| route.path.clone()).collect();
        let (well, first) = match pages.is_empty() {
            // Whatever keeps the first one from answering may keep the others.
            true => (HashSet::new(), None),
            false => {
                // The first page is loaded meanwhile.
                let loading = async {
                    match &mut tour {
                        Some(tour) if !others.is_empty() => tour.load_sound("/").await,
                        _ => None,
                    }
                };
                let asking = part("routes together", ask_together(app, others.clone()));
                let (well, first) = tokio::join!(asking, part("first page", loading));
                (well?, first)
            }
        };
        let mut asked = 0;
        let mut unchecked = Vec::new();
        for route in &fixed {
            if asked == MAX_ROUTES || begun.elapsed() > ENOUGH || report.is_not_running() {
                unchecked.push(route.path.clone());
                continue;
            }
            asked += 1;
            match route.kind {
                RouteKind::Handler if !answers_get(app, route).await? => {
                    unchecked.push(route.path.clone())
                }
                RouteKind::Handler => _ = ask(app, &route.path, route.kind, &mut report).await?,
                RouteKind::Page if well.contains(&route.path) => {
                    report.seen.push(route.path.clone());
                    pages.push(route.path.clone())
                }
                RouteKind::Page if ask(app, &route.path, route.kind, &mut report).await? => {
                    pages.push(route.path.clone())
                }
                RouteKind::Page => {}
            }
        }
        let known = fixed
            .iter()
            .map(|route| route.path.as_str())
            .chain(["/"])
            .collect();
        let plan = Plan {
            pages,
            dynamic,
            known,
            begun,
        };
        let ahead = first.map(|findings| ("/".to_owned(), findings));
        let ahead = ahead.into_iter().collect();
        let toured = match tour {
            Some(tour) => {
                self.tour(tour, app, &plan, ahead, &mut unchecked, &mut report)
                    .await?
            }
            None => false,
        };
        if !toured && !plan.pages.is_empty() {
            self.add_preview_errors(scope, &mut report).await;
        }
        report.note_unchecked(&unchecked);
        Ok(report)
    }

    /// Adds the errors of open previews, where no browser loads the pages.
    async fn add_preview_errors(&self, scope: &Scope<'_>, report: &mut Report) {
        if self.browsers.settings().program.is_none() {
            self.browsers.warn_unusable("there is no Chromium");
        }
        if (scope.reports)().is_some() {
            tokio::time::sleep(REPORTS).await;
        }
        let reported = (scope.reports)().unwrap_or_default();
        let reported = reported
            .into_iter()
            .map(|text| Problem::new(ProblemKind::Runtime, "the open preview", text));
        report.problems.extend(reported);
        report
            .notes
            .push("no browser was there to load the pages in; only what the user's open preview reports is known".to_owned());
    }

    /// Loads the pages that were not loaded ahead, and for each route with a parameter one page that
    /// they link to; `false` if there is no browser.
    async fn tour(
        &self,
        mut tour: Tour<'_>,
        app: &App,
        plan: &Plan<'_>,
        mut ahead: HashMap<String, Findings>,
        unchecked: &mut Vec<String>,
        report: &mut Report,
    ) -> Result<bool, RunError> {
        let (mut links, mut loaded) = (BTreeSet::new(), BTreeSet::new());
        for (number, path) in plan.pages.iter().enumerate() {
            // What the first one stores for its visitors is there for the others.
            if number == 1 && plan.pages.len() > 2 {
                let rest = &plan.pages[number..];
                ahead = part(
                    "pages together",
                    tour.load_together(rest, plan.begun + ENOUGH),
                )
                .await;
            }
            if let Some(findings) = ahead.remove(path) {
                self.browsers.prove();
                links.append(&mut report.add_page(path, findings));
                loaded.insert(path.clone());
                continue;
            }
            // The first is loaded however long the others took to answer.
            if !loaded.is_empty() && plan.begun.elapsed() > ENOUGH {
                unchecked.push(path.clone());
                continue;
            }
            let loading = part("one page", self.load(app, &mut tour, path));
            let Some(findings) = loading.await? else {
                return Ok(false);
            };
            links.append(&mut report.add_page(path, findings));
            loaded.insert(path.clone());
        }
        // Pages with a parameter are reached by a link, if at all.
        for (number, route) in plan.dynamic.iter().enumerate() {
            let linked = |path: &&String| {
                route.answers(path)
                    && !plan.known.contains(path.as_str())
                    && !loaded.contains(*path)
            };
            let path = links.iter().find(linked).cloned();
            let path = path.filter(|_| {
                route.kind == RouteKind::Page
                    && number < MAX_ROUTES
                    && plan.begun.elapsed() <= ENOUGH
            });
            let Some(path) = path else {
                unchecked.push(route.path.clone());
                continue;
            };
            if !ask(app, &path, route.kind, report).await? {
                continue;
            }
            let Some(findings) = self.load(app, &mut tour, &path).await? else {
                return Ok(false);
            };
            links.append(&mut report.add_page(&path, findings));
            loaded.insert(path);
        }
        tour.end();
        Ok(true)
    }

    /// Loads a page, a second time if its failure may not be its own fault; `None` if there is no
    /// browser.
    async fn load(
        &self,
        app: &App,
        tour: &mut Tour<'_>,
        path: &str,
    ) -> Result<Option<Findings>, RunError> {
        let mut findings = tour.load(path).await;
        if findings.as_ref().is_ok_and(|findings| findings.doubtful) {
            answered(app, "/", READY).await?;
            tour.restart().await;
            findings = tour.load(path).await;
        }
        match findings {
            Ok(findings) => {
                self.browsers.prove();
                Ok(Some(findings))
            }
            Err(error) if self.browsers.is_proven() => Err(unfinished(&format!(
                "The app's pages could not be loaded: the browser fails ({error})."
            ))),
            Err(error) => {
                self.browsers.warn_unusable(&error.to_string());
                Ok(None)
            }
        }
    }
}
