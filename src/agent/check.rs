//! What “it runs” means: the app compiles, its types fit, its routes answer, and its pages, really
//! loaded, throw nothing and show something. The model asks for it with `checkApp`, and no run ends
//! as a result without it.

mod browser;
mod devices;
mod events;
mod jail;
mod launch;
mod page;
mod relay;
mod report;
mod rest;
mod running;
mod tour;
mod watch;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use jail::Jail;
use page::Seen;
pub use report::{Problem, ProblemKind, Report};
use running::not_running;
use tokio::sync::{Semaphore, SemaphorePermit};
use tour::Tour;

use super::{
    Agent, App, Fault, FaultKind, PageState, RunError,
    nextjs::{
        answer::Answer,
        refresh,
        routes::{self, Route, RouteKind},
        styles,
        types::{self, Types},
    },
};
use crate::config;

/// The longest that a check may take.
pub const TIMEOUT: Duration = Duration::from_secs(400);
/// How long a check waits for its turn to load pages.
const TURN: Duration = Duration::from_secs(120);
/// How long the dev server may take to listen, after a crash too.
const READY: Duration = Duration::from_secs(45);
/// Between two looks at a dev server that does not answer yet.
const STARTING: Duration = Duration::from_millis(300);
/// How long the dev server may take to notice what was just written, where its styles don't tell.
const WATCHER: Duration = Duration::from_millis(800);
/// A route that fails is asked once more after this: it may have been compiled from half of what
/// was written.
const SECOND_LOOK: Duration = Duration::from_millis(1500);
/// How many routes without a parameter are asked for, and how many with one.
const MAX_ROUTES: usize = 16;
/// After this long no more of them are begun.
const ENOUGH: Duration = Duration::from_secs(150);
/// How long a route handler may take: it may be one that waits for something to happen.
const HANDLER: Duration = Duration::from_secs(10);
/// How many browsers run at a time at least, and one for each processor: each takes some 200 MB.
const BROWSERS: usize = 2;
/// How long an open preview has to show its errors, where there is no browser of ours.
const REPORTS: Duration = Duration::from_secs(2);
/// What the template's first page has and an app of one's own has not.
const PLACEHOLDER: &str = "data-codeflow-placeholder";

/// What is said of a page that answers with 404.
const NOT_FOUND: &str = "It answers with HTTP 404, although there is a page for it: either the page says so itself (notFound()), or Next.js does \
                         not serve its file, as it does not serve src/app when there is an app folder.";

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
    settings: config::Browser,
    slots: Arc<Semaphore>,
    /// Whether one has loaded a page: when none does after that, it is not for want of a browser.
    proven: Arc<AtomicBool>,
    /// Whether it was said that there is none.
    told: Arc<AtomicBool>,
}

impl Browsers {
    /// Nothing runs yet, and what an earlier server left of its own is removed.
    pub fn new(settings: &config::Browser) -> Self {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| launch::sweep(&std::env::temp_dir()));
        let processors = std::thread::available_parallelism().map_or(BROWSERS, usize::from);
        Self {
            settings: settings.clone(),
            slots: Arc::new(Semaphore::new(processors.max(BROWSERS))),
            proven: Arc::default(),
            told: Arc::default(),
        }
    }

    /// The right to run a browser, waited for while others have it; `None` when there is none to
    /// run.
    async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, RunError> {
        if self.settings.program.is_none() {
            return Ok(None);
        }
        match tokio::time::timeout(TURN, self.slots.acquire()).await {
            Ok(slot) => Ok(Some(slot.map_err(anyhow::Error::from)?)),
            Err(_) => Err(busy(
                "The app's pages could not be loaded: the machine is busy with other apps.",
            )),
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
        if let Some(report) = running::pipes(app).await? {
            return Ok(report);
        }
        if answered(app, "/", READY).await?.is_none() {
            return Ok(Report {
                problems: vec![Problem::new(
                    ProblemKind::NotRunning,
                    "the dev server",
                    not_running(app).await?,
                )],
                ..Report::default()
            });
        }
        if !styles::remake(app).await? {
            tokio::time::sleep(WATCHER).await;
        }
        let (types, routes) = tokio::join!(
            types::check(app, types::TIMEOUT),
            self.check_routes(app, scope)
        );
        let mut types = types?;
        // What keeps a page from being shown is told before what is wrong in it.
        let mut report = routes?;
        if matches!(types, Types::Unfinished { .. }) && report.is_well() {
            // The machine is less busy than it was.
            types = types::check(app, types::AGAIN).await?;
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
                return Err(busy(&format!("Types could not be checked: {why}.")));
            }
            // Before the notes on pages, of which there may be more than are told.
            Types::Unknown(why) | Types::Unfinished { why, .. } => report.notes.insert(0, why),
        }
        Ok(report)
    }

    /// Asks the routes, and loads the pages that answer: what this run has changed comes first.
    async fn check_routes(&self, app: &App, scope: &Scope<'_>) -> Result<Report, RunError> {
        let turn = self.browsers.turn().await?;
        let begun = Instant::now();
        let mut report = Report::default();
        let files = app.list_files().await?;
        let routes = routes::routes(files.iter().map(String::as_str));
        let (mut dynamic, mut fixed): (Vec<Route>, Vec<Route>) =
            routes.into_iter().partition(Route::is_dynamic);
        // What says more of its path goes before what stands for anything.
        dynamic.sort_by(|a, b| b.path.cmp(&a.path));
        // The first page is asked whatever makes it.
        fixed.retain(|route| !(route.path == "/" && route.kind == RouteKind::Page));
        fixed.sort_by_key(|route| !route.is_touched_by(&scope.changed));
        let mut pages = Vec::new();
        if self.ask(app, "/", RouteKind::Page, &mut report).await? {
            pages.push("/".to_owned());
        }
        let mut asked = 0;
        let mut unseen = Vec::new();
        for route in &fixed {
            if asked == MAX_ROUTES || begun.elapsed() > ENOUGH || report.is_not_running() {
                unseen.push(route.path.clone());
                continue;
            }
            asked += 1;
            match route.kind {
                RouteKind::Handler if !answers_get(app, route).await? => {
                    unseen.push(route.path.clone())
                }
                RouteKind::Handler => {
                    _ = self.ask(app, &route.path, route.kind, &mut report).await?
                }
                RouteKind::Page if self.ask(app, &route.path, route.kind, &mut report).await? => {
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
        let toured = turn.is_some() && self.tour(app, &plan, &mut unseen, &mut report).await?;
        drop(turn);
        if !toured && !plan.pages.is_empty() {
            self.take_reports(scope, &mut report).await;
        }
        report.note_unseen(&unseen);
        Ok(report)
    }

    /// Asks for a path; whether it answers well.
    async fn ask(
        &self,
        app: &App,
        path: &str,
        kind: RouteKind,
        report: &mut Report,
    ) -> Result<bool, RunError> {
        let patience = match kind {
            RouteKind::Page => READY,
            RouteKind::Handler => HANDLER,
        };
        let mut problem: Option<Problem> = None;
        for look in 0..2 {
            if look > 0 {
                if let Some(error) = problem
                    .as_ref()
                    .filter(|problem| problem.kind == ProblemKind::Compile)
                {
                    refresh::failing_file(app, &error.text).await?;
                }
                tokio::time::sleep(SECOND_LOOK).await;
            }
            let Some(answer) = answered(app, path, patience).await? else {
                if kind == RouteKind::Page || answered(app, "/", READY).await?.is_none() {
                    problem = Some(Problem::new(
                        ProblemKind::NotRunning,
                        path,
                        not_running(app).await?,
                    ));
                } else if problem.is_none() {
                    let seconds = patience.as_secs();
                    report
                        .notes
                        .push(format!("{path} did not answer within {seconds} seconds"));
                }
                break;
            };
            match judge(&answer, path, kind) {
                Verdict::Well => {
                    report.seen.push(path.to_owned());
                    return Ok(true);
                }
                Verdict::Meant(note) => {
                    report.notes.push(note);
                    return Ok(false);
                }
                Verdict::Wrong(found) => problem = Some(found),
            }
        }
        report.problems.extend(problem);
        Ok(false)
    }

    /// Takes what open previews report, where there is no browser of ours.
    async fn take_reports(&self, scope: &Scope<'_>, report: &mut Report) {
        if self.browsers.settings.program.is_none() {
            self.browsers.unusable("there is no Chromium");
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

    /// Loads the pages, and of each route with a parameter one that they link to. Whether there is
    /// a browser to do it with.
    async fn tour(
        &self,
        app: &App,
        plan: &Plan<'_>,
        unseen: &mut Vec<String>,
        report: &mut Report,
    ) -> Result<bool, RunError> {
        let mut tour = Tour::new(&self.browsers.settings, app.page_address()?);
        let (mut links, mut loaded) = (BTreeSet::new(), BTreeSet::new());
        for path in &plan.pages {
            // The first is loaded whatever the others took to answer.
            if !loaded.is_empty() && plan.begun.elapsed() > ENOUGH {
                unseen.push(path.clone());
                continue;
            }
            let Some(seen) = self.look_at(app, &mut tour, path).await? else {
                return Ok(false);
            };
            links.append(&mut report.take(path, seen));
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
                unseen.push(route.path.clone());
                continue;
            };
            if !self.ask(app, &path, route.kind, report).await? {
                continue;
            }
            let Some(seen) = self.look_at(app, &mut tour, &path).await? else {
                return Ok(false);
            };
            links.append(&mut report.take(&path, seen));
            loaded.insert(path);
        }
        tour.end().await;
        Ok(true)
    }

    /// Loads a page, once more when it was perhaps not the page's fault; `None` when there is no
    /// browser to do it with.
    async fn look_at(
        &self,
        app: &App,
        tour: &mut Tour<'_>,
        path: &str,
    ) -> Result<Option<Seen>, RunError> {
        let mut seen = tour.look_at(path).await;
        if seen.as_ref().is_ok_and(|seen| seen.doubtful) {
            answered(app, "/", READY).await?;
            tour.start_again().await;
            seen = tour.look_at(path).await;
        }
        match seen {
            Ok(seen) => {
                self.browsers.proven.store(true, Ordering::Relaxed);
                Ok(Some(seen))
            }
            Err(error) if self.browsers.proven.load(Ordering::Relaxed) => Err(busy(&format!(
                "The app's pages could not be loaded: the browser fails ({error})."
            ))),
            Err(error) => {
                self.browsers.unusable(&error.to_string());
                Ok(None)
            }
        }
    }
}

/// What is to be loaded.
struct Plan<'a> {
    /// Pages that answer.
    pages: Vec<String>,
    /// Routes with a parameter.
    dynamic: Vec<Route>,
    /// The paths of those without: no route with a parameter answers them.
    known: BTreeSet<&'a str>,
    /// When the routes were begun with.
    begun: Instant,
}

/// What keeps a check from coming to an end, and may pass; the sandbox is not in doubt.
fn busy(why: &str) -> RunError {
    RunError::Transient(Fault {
        kind: FaultKind::Slow,
        message: format!("{why} What was written is kept; send a message to go on."),
        retry_after: None,
    })
}

/// What is answered to a path, waited for while the dev server starts, or starts again; `None` when
/// nothing answers in time.
async fn answered(app: &App, path: &str, patience: Duration) -> Result<Option<Answer>, RunError> {
    let answering = async {
        loop {
            if let Some(answer) = app.ask(path).await? {
                return Ok(answer);
            }
            tokio::time::sleep(STARTING).await;
        }
    };
    tokio::time::timeout(patience, answering)
        .await
        .ok()
        .transpose()
}

/// Whether a route handler is one that answers GET.
async fn answers_get(app: &App, route: &Route) -> Result<bool, RunError> {
    let source = app.read_file(&route.file).await?.unwrap_or_default();
    Ok(routes::answers_get(&String::from_utf8_lossy(&source)))
}

/// What an answer says of the app.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    /// It is no page to be loaded, and the app may mean it; a note.
    Meant(String),
    Wrong(Problem),
}

/// Judges an answer. What handlers answer to a request without arguments is theirs to decide, an
/// error that they did not catch aside.
fn judge(answer: &Answer, path: &str, kind: RouteKind) -> Verdict {
    let status = answer.status;
    let wrong = |kind, text: String| Verdict::Wrong(Problem::new(kind, path, text));
    match (kind, answer.page_state()) {
        (RouteKind::Page, PageState::Failed(_)) if matches!(status, 401 | 403) => Verdict::Meant(format!(
            "{path} answers with HTTP {status}, so what it shows to those who may see it was not looked at"
        )),
        (RouteKind::Page, PageState::Failed(_)) if path != "/" && status == 404 => wrong(ProblemKind::Http, NOT_FOUND.to_owned()),
        (_, PageState::Failed(reason)) if answer.is_compile_error() => wrong(ProblemKind::Compile, reason),
        (RouteKind::Page, PageState::Failed(reason)) => wrong(ProblemKind::Http, reason),
        (RouteKind::Handler, _) if answer.is_uncaught() => wrong(
            ProblemKind::Http,
            format!("It answers with HTTP {status}: it threw an error.{}", answer.beginning()),
        ),
        (RouteKind::Handler, _) if status >= 500 => Verdict::Meant(format!("{path} answers with HTTP {status}:{}", answer.beginning())),
        (RouteKind::Page, _) if path == "/" && answer.has(PLACEHOLDER) => wrong(
            ProblemKind::Blank,
            "The first page is still the template's placeholder: nothing of the app is there. Write app/page.tsx.".to_owned(),
        ),
        _ => Verdict::Well,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Page;

    fn verdict(status: u16, body: &str, kind: RouteKind) -> Verdict {
        let page = Page {
            status,
            content_type: String::new(),
            body: body.as_bytes().to_vec(),
        };
        judge(&Answer::of(&page), "/x", kind)
    }

    fn kind_of(verdict: Verdict) -> Option<ProblemKind> {
        match verdict {
            Verdict::Wrong(problem) => Some(problem.kind),
            Verdict::Meant(_) | Verdict::Well => None,
        }
    }

    #[test]
    fn a_handler_may_answer_with_an_error_of_its_own_and_not_throw_one() {
        let handler = |status, body| verdict(status, body, RouteKind::Handler);
        assert_eq!(
            handler(503, r#"{"error":"set STRIPE_KEY"}"#),
            Verdict::Meant("/x answers with HTTP 503:\n{\"error\":\"set STRIPE_KEY\"}".to_owned())
        );
        assert!(matches!(
            handler(500, r#"{"error":"no database"}"#),
            Verdict::Meant(_)
        ));
        assert_eq!(handler(400, "which?"), Verdict::Well);
        let thrown = "<template data-next-error-message=\"no items\"></template>";
        for body in ["", "Internal Server Error", thrown] {
            assert_eq!(
                kind_of(handler(500, body)),
                Some(ProblemKind::Http),
                "{body}"
            );
        }
        let broken = r#"<script id="__NEXT_DATA__" type="application/json">{"err":{"message":"./x.ts"}}</script>"#;
        assert_eq!(kind_of(handler(500, broken)), Some(ProblemKind::Compile));
    }

    #[test]
    fn a_page_may_be_closed_and_not_missing() {
        let page = |status| verdict(status, "", RouteKind::Page);
        assert!(matches!(page(401), Verdict::Meant(note) if note.contains("HTTP 401")));
        assert!(matches!(page(403), Verdict::Meant(_)));
        assert_eq!(page(307), Verdict::Well);
        for status in [404, 410, 500, 503] {
            assert_eq!(kind_of(page(status)), Some(ProblemKind::Http), "{status}");
        }
    }
}
