//! Requests an app's routes, and judges what they answer.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, stream};

use super::{
    report::{Problem, ProblemKind, Report},
    running::not_running,
};
use crate::agent::{
    App, PageState, RunError,
    nextjs::{
        answer::{self, Answer},
        refresh,
        routes::{self, Route, RouteKind},
    },
};

/// How long the dev server may take to listen, after a crash too.
pub const READY: Duration = Duration::from_secs(45);
/// Between two requests to a dev server that is starting.
const STARTING: Duration = Duration::from_millis(300);
/// A route that fails is requested again after this time: it may have been compiled from
/// half-written files.
const SECOND_LOOK: Duration = Duration::from_millis(1500);
/// How many pages are requested side by side.
const TOGETHER: usize = 4;
/// How long a route handler may take the first and the second time: some wait for something to
/// happen. The first request also compiles it, which takes long on a busy machine.
const HANDLER: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(20)];

/// Requests a path; `true` if it answers well. Adds errors and oddities to the report.
pub async fn ask(
    app: &App,
    path: &str,
    kind: RouteKind,
    report: &mut Report,
) -> Result<bool, RunError> {
    let patience = match kind {
        RouteKind::Page => [READY; 2],
        RouteKind::Handler => HANDLER,
    };
    let mut problem: Option<Problem> = None;
    for (look, patience) in patience.into_iter().enumerate() {
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
                    not_running(app, READY).await?,
                ));
                break;
            }
            if look > 0 && problem.is_none() {
                let seconds = patience.as_secs();
                report
                    .notes
                    .push(format!("{path} did not answer within {seconds} seconds"));
            }
            continue;
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

/// Requests these pages side by side, and returns those that answer well. What else comes says
/// nothing: the dev server had others to compile.
pub async fn ask_together(app: &App, paths: Vec<String>) -> Result<HashSet<String>, RunError> {
    let mut well = HashSet::new();
    let asking = stream::iter(paths).map(|path| async move {
        let answer = app.ask(&path).await?;
        let is_well = |answer: &Answer| judge(answer, &path, RouteKind::Page) == Verdict::Well;
        Ok::<_, RunError>(answer.as_ref().is_some_and(is_well).then_some(path))
    });
    let mut asking = asking.buffer_unordered(TOGETHER);
    let all = async {
        while let Some(answered) = asking.next().await {
            well.extend(answered?);
        }
        Ok::<_, RunError>(())
    };
    // Those that have not answered by then are asked again.
    if let Ok(asked) = tokio::time::timeout(READY, all).await {
        asked?;
    }
    Ok(well)
}

/// The answer to a path, also while the dev server is starting; `None` when nothing answers in
/// time.
pub async fn answered(
    app: &App,
    path: &str,
    patience: Duration,
) -> Result<Option<Answer>, RunError> {
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
pub async fn answers_get(app: &App, route: &Route) -> Result<bool, RunError> {
    let source = app.read_file(&route.file).await?.unwrap_or_default();
    Ok(routes::answers_get(&String::from_utf8_lossy(&source)))
}

/// The judgement of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    /// There is no page to load, possibly on purpose. With a note.
    Meant(String),
    Wrong(Problem),
}

/// Judges an answer. A handler may answer a request without arguments in any way, but must not
/// throw.
fn judge(answer: &Answer, path: &str, kind: RouteKind) -> Verdict {
    let status = answer.status;
    let wrong = |kind, text: String| Verdict::Wrong(Problem::new(kind, path, text));
    match (kind, answer.page_state()) {
        (RouteKind::Page, PageState::Failed(_)) if matches!(status, 401 | 403) => {
            Verdict::Meant(format!(
                "{path} answers with HTTP {status}, so what it shows to those who may see it was not \
             looked at"
            ))
        }
        (RouteKind::Page, PageState::Failed(_)) if path != "/" && status == 404 => {
            wrong(ProblemKind::Http, answer::NOT_FOUND.to_owned())
        }
        (_, PageState::Failed(reason)) if answer.is_compile_error() => {
            wrong(ProblemKind::Compile, reason)
        }
        (RouteKind::Page, PageState::Failed(reason)) => wrong(ProblemKind::Http, reason),
        (RouteKind::Handler, _) if answer.is_uncaught() => wrong(
            ProblemKind::Http,
            format!(
                "It answers with HTTP {status}: it threw an error.{}",
                answer.beginning()
            ),
        ),
        (RouteKind::Handler, _) if status >= 500 => Verdict::Meant(format!(
            "{path} answers with HTTP {status}:{}",
            answer.beginning()
        )),
        (RouteKind::Page, _) if path == "/" && answer.is_placeholder() => wrong(
            ProblemKind::Blank,
            "The first page is still the template's placeholder: nothing of the app is there. \
             Write app/page.tsx."
                .to_owned(),
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
