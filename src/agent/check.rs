//! What “it runs” means: the app compiles, its types fit, its routes answer, and its pages, really loaded, throw nothing and show
//! something. The model asks for it with `checkApp`, and no run ends as a result without it.

mod browser;
mod console;
mod page;
mod report;
mod routes;
mod tour;
mod types;
mod watch;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use page::Seen;
pub use report::{Problem, ProblemKind, Report};
use routes::{Route, RouteKind};
use tokio::sync::Semaphore;
use tour::Tour;
use types::Types;

use super::{Agent, App, Probe, RunError, probe::Answer};
use crate::config;

/// The longest that a check may take.
pub const TIMEOUT: Duration = Duration::from_secs(280);
/// How long the dev server may take to listen, after a crash too.
const READY: Duration = Duration::from_secs(45);
/// Between two looks at a dev server that does not answer yet.
const STARTING: Duration = Duration::from_millis(300);
/// What was written a moment ago is what is to be looked at: the dev server's watcher has this long to see it.
const WATCHER: Duration = Duration::from_millis(800);
/// A route that fails is asked once more after this: it may have been compiled from half of what was written.
const SECOND_LOOK: Duration = Duration::from_millis(1500);
/// How many routes are asked for, and how many pages are loaded.
const MAX_ROUTES: usize = 16;
const MAX_PAGES: usize = 8;
/// After this long no more of them are begun.
const ENOUGH: Duration = Duration::from_secs(180);
/// How long a route handler may take: it may be one that waits for something to happen.
const HANDLER: Duration = Duration::from_secs(10);
/// How many browsers run at a time at least, and one for each processor: each takes some 200 MB.
const BROWSERS: usize = 2;
/// How long an open preview has to show its errors, where there is no browser of ours.
const REPORTS: Duration = Duration::from_secs(2);
/// What the template's first page has and an app of one's own has not.
const PLACEHOLDER: &str = "data-codeflow-placeholder";

/// Tells what stands in open previews.
pub type Reports = dyn Fn() -> Option<Vec<String>> + Send + Sync;

/// What a check looks at besides the app itself.
pub struct Scope<'a> {
    /// The files that this run has changed.
    pub changed: BTreeSet<String>,
    /// The errors that stand in the previews that users have open; `None` when nobody has one open.
    pub reports: &'a Reports,
}

/// Loads pages, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Browsers {
    program: Option<PathBuf>,
    slots: Arc<Semaphore>,
    /// Whether it was said that there is none.
    told: Arc<AtomicBool>,
}

impl Browsers {
    /// Nothing runs yet, and what an earlier server left of its own is removed.
    pub fn new(settings: &config::Browser) -> Self {
        browser::sweep(&std::env::temp_dir());
        let processors = std::thread::available_parallelism().map_or(BROWSERS, usize::from);
        Self {
            program: settings.program.clone(),
            slots: Arc::new(Semaphore::new(processors.max(BROWSERS))),
            told: Arc::default(),
        }
    }

    /// Says once, in the log, why pages are not loaded.
    fn unusable(&self, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "pages are not loaded before an app is called done ({why}); install Chromium, or set CHROMIUM_PATH. Until then the open \
                 previews' own reports are used"
            );
        }
    }
}

impl Agent {
    /// Looks at everything there is to see of the running app.
    pub async fn check(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        tokio::time::sleep(WATCHER).await;
        if answered(app, "/").await?.is_none() {
            return Ok(Report {
                problems: vec![Problem::new(ProblemKind::NotRunning, "the dev server", not_running(app).await?)],
                ..Report::default()
            });
        }
        let (types, routes) = tokio::join!(types::check(app), self.check_routes(app, scope));
        let types = types?;
        // What keeps a page from being shown is told before what is wrong in it.
        let mut report = routes?;
        match types {
            Types::Fine => report.seen.push("types".to_owned()),
            Types::Nothing => {}
            Types::Wrong(errors) => report.problems.push(Problem::new(ProblemKind::Types, "tsc --noEmit", errors)),
            // Before the notes on pages, of which there may be more than are told.
            Types::Unknown(why) => report.notes.insert(0, why),
        }
        Ok(report)
    }

    /// Asks the routes, and loads the pages that answer: what this run has changed comes first.
    async fn check_routes(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        let begun = Instant::now();
        let mut report = Report::default();
        let files = app.list_files().await?;
        let routes = routes::routes(files.iter().map(String::as_str));
        let (dynamic, mut fixed): (Vec<Route>, Vec<Route>) = routes.into_iter().partition(Route::is_dynamic);
        // The first page is asked whatever makes it.
        fixed.retain(|route| !(route.path == "/" && route.kind == RouteKind::Page));
        fixed.sort_by_key(|route| !route.is_touched_by(&scope.changed));
        let mut pages = Vec::new();
        if self.ask(app, "/", RouteKind::Page, &mut report).await? {
            pages.push("/".to_owned());
        }
        for route in fixed.iter().take(MAX_ROUTES) {
            if begun.elapsed() > ENOUGH || report.is_not_running() {
                break;
            }
            match route.kind {
                RouteKind::Handler => self.ask_handler(app, route, &mut report).await?,
                RouteKind::Page if self.ask(app, &route.path, route.kind, &mut report).await? => pages.push(route.path.clone()),
                RouteKind::Page => {}
            }
        }
        if !pages.is_empty() {
            let dynamic = dynamic.iter().filter(|route| route.kind == RouteKind::Page);
            self.load(app, &pages, dynamic, scope, begun, &mut report).await?;
        }
        Ok(report)
    }

    /// Asks for a path; whether it answers well.
    async fn ask(&self, app: &App, path: &str, kind: RouteKind, report: &mut Report) -> Result<bool, RunError> {
        let mut problem = None;
        for look in 0..2 {
            if look > 0 {
                tokio::time::sleep(SECOND_LOOK).await;
            }
            let Some(answer) = answered(app, path).await? else {
                problem = Some(Problem::new(ProblemKind::NotRunning, path, not_running(app).await?));
                break;
            };
            problem = judge(&answer, path, kind);
            if problem.is_none() {
                report.seen.push(path.to_owned());
                return Ok(true);
            }
        }
        report.problems.extend(problem);
        Ok(false)
    }

    /// Asks a route handler, when it is one that answers GET.
    async fn ask_handler(&self, app: &App, route: &Route, report: &mut Report) -> Result<(), RunError> {
        let Some(source) = app.read_file(&route.file).await? else {
            return Ok(());
        };
        if !routes::answers_get(&String::from_utf8_lossy(&source)) {
            return Ok(());
        }
        let asked = self.ask(app, &route.path, route.kind, report);
        if let Ok(asked) = tokio::time::timeout(HANDLER, asked).await {
            asked?;
        } else if answered(app, "/").await?.is_some() {
            let seconds = HANDLER.as_secs();
            report.notes.push(format!("{} did not answer within {seconds} seconds", route.path));
        } else {
            let problem = Problem::new(ProblemKind::NotRunning, &route.path, not_running(app).await?);
            report.problems.push(problem);
        }
        Ok(())
    }

    /// Loads the pages in a browser, or takes what open previews report.
    async fn load(
        &self,
        app: &App,
        pages: &[String],
        dynamic: impl Iterator<Item = &Route>,
        scope: &Scope<'_>,
        begun: Instant,
        report: &mut Report,
    ) -> Result<(), RunError> {
        let Some(why) = self.tour(app, pages, dynamic, begun, report).await? else {
            return Ok(());
        };
        self.browsers.unusable(&why);
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
        Ok(())
    }

    /// Loads the pages, and of each route with a parameter one that they link to. Returns why there is no browser to do it with, when
    /// there is none.
    async fn tour(
        &self,
        app: &App,
        pages: &[String],
        dynamic: impl Iterator<Item = &Route>,
        begun: Instant,
        report: &mut Report,
    ) -> Result<Option<String>, RunError> {
        let Some(program) = &self.browsers.program else {
            return Ok(Some("there is no Chromium".to_owned()));
        };
        let _slot = self.browsers.slots.acquire().await.map_err(anyhow::Error::from)?;
        let mut tour = Tour::new(program, app.page_address());
        let (mut links, mut loaded) = (BTreeSet::new(), 0);
        for path in pages {
            if loaded == MAX_PAGES || begun.elapsed() > ENOUGH {
                break;
            }
            match tour.look_at(path).await {
                Ok(seen) => links.append(&mut report.take(path, seen)),
                Err(error) => return Ok(Some(error.to_string())),
            }
            loaded += 1;
        }
        if loaded < pages.len() {
            let rest = pages[loaded..].join(", ");
            report.notes.push(format!("only asked for, and not loaded in a browser: {rest}"));
        }
        // Pages with a parameter are reached by a link, if at all.
        for route in dynamic.take(MAX_ROUTES) {
            let Some(path) = links.iter().find(|path| route.answers(path)).cloned() else {
                continue;
            };
            if begun.elapsed() > ENOUGH || !self.ask(app, &path, route.kind, report).await? || loaded >= MAX_PAGES {
                continue;
            }
            loaded += 1;
            match tour.look_at(&path).await {
                Ok(seen) => links.append(&mut report.take(&path, seen)),
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
        tour.end().await;
        Ok(None)
    }
}

impl Report {
    /// Adds what was seen of a page, and returns what it links to.
    fn take(&mut self, path: &str, seen: Seen) -> BTreeSet<String> {
        let warnings = seen.warnings.into_iter();
        self.notes
            .extend(warnings.map(|text| format!("{path} says on the console: {text}")));
        let problems = seen.errors.into_iter().map(|text| Problem::new(ProblemKind::Runtime, path, text));
        self.problems.extend(problems);
        seen.links
    }

    fn is_not_running(&self) -> bool {
        self.problems.iter().any(|problem| problem.kind == ProblemKind::NotRunning)
    }
}

/// What is answered to a path, waited for while the dev server starts, or starts again; `None` when nothing answers in time.
async fn answered(app: &App, path: &str) -> Result<Option<Answer>, RunError> {
    let answering = async {
        loop {
            if let Some(answer) = app.ask(path).await? {
                return Ok(answer);
            }
            tokio::time::sleep(STARTING).await;
        }
    };
    tokio::time::timeout(READY, answering).await.ok().transpose()
}

/// What is wrong with an answer, when anything is. What handlers answer to a request without arguments is theirs to decide.
fn judge(answer: &Answer, path: &str, kind: RouteKind) -> Option<Problem> {
    match answer.probe() {
        Probe::Failed(_) if kind == RouteKind::Page && path != "/" && answer.status == 404 => Some(Problem::new(
            ProblemKind::Http,
            path,
            "It answers with HTTP 404, although there is a page for it: either the page says so itself (notFound()), or Next.js does not \
             serve its file, as it does not serve src/app when there is an app folder.",
        )),
        Probe::Failed(reason) if kind == RouteKind::Page => {
            let kind = if answer.is_compile_error() {
                ProblemKind::Compile
            } else {
                ProblemKind::Http
            };
            Some(Problem::new(kind, path, reason))
        }
        _ if answer.status >= 500 => Some(Problem::new(
            ProblemKind::Http,
            path,
            format!("It answers with HTTP {}.{}", answer.status, answer.beginning()),
        )),
        _ if path == "/" && answer.has(PLACEHOLDER) => Some(Problem::new(
            ProblemKind::Blank,
            path,
            "The first page is still the template's placeholder: nothing of the app is there. Write app/page.tsx.",
        )),
        _ => None,
    }
}

/// Why nothing answers, as far as the dev server says.
async fn not_running(app: &App) -> Result<String, RunError> {
    let tail = "tail -n 25 /tmp/dev-server.log 2>/dev/null || true";
    let output = app.run(tail, &[], Duration::from_secs(10)).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    let said = super::probe::without_colours(said.trim());
    let seconds = READY.as_secs();
    Ok(if said.is_empty() {
        format!("The dev server does not answer ({seconds} seconds were waited).")
    } else {
        format!("The dev server does not answer ({seconds} seconds were waited). Its last words:\n{said}")
    })
}
