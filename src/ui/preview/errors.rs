//! The errors of the app in the frame: shown under the preview with a "Fix" button, and reported to
//! the server. While a run is working, errors are expected and hidden; those that remain after its
//! end are shown.

use std::time::Duration;

use leptos::prelude::*;

use super::{
    fix::{FixButton, fix_request},
    freshness::HOT_RELOAD,
};
use crate::{
    api::preview::report_preview_errors,
    protocol::{PreviewError, PreviewErrorKind, ProjectId, first_chars},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
        conversation::Conversation,
        erased::{part, part_when, words},
        pane::{later, panes},
        prompt_field::MESSAGE_ID,
        team,
    },
};

/// Between two reports to the server, in milliseconds.
const REPORT_INTERVAL_MS: i64 = 1000;
/// How many errors one message asks to fix, and how many characters of each it quotes: even with
/// the longest locations and fences, this fits into a message.
const MAX_FIXED: usize = 4;
const MAX_MESSAGE: usize = 1200;
/// Messages longer than this, in characters, don't fit in two lines.
const TWO_LINES: usize = 160;

/// The errors of the page in the frame.
#[derive(Clone, Copy)]
pub struct AppErrors {
    /// All current errors of the page.
    standing: RwSignal<Vec<PreviewError>>,
    /// Errors that were dismissed or sent to be fixed, and are not shown again.
    put_aside: RwSignal<Vec<PreviewError>>,
    expanded: RwSignal<bool>,
}

impl AppErrors {
    pub fn new() -> Self {
        Self {
            standing: RwSignal::new(Vec::new()),
            put_aside: RwSignal::new(Vec::new()),
            expanded: RwSignal::new(false),
        }
    }

    /// Replaces the errors with those that the page reports.
    pub fn replace(self, reported: Vec<PreviewError>) {
        if reported.is_empty() {
            self.put_aside.update(Vec::clear);
            self.expanded.set(false);
        }
        self.standing.set(PreviewError::fold(reported));
    }

    fn put_aside(self, errors: Vec<PreviewError>) {
        self.put_aside.try_update(|aside| aside.extend(errors));
    }
}

/// `line` is the number of the feed's current connection.
#[component]
pub fn ErrorBar(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    errors: AppErrors,
    line: Signal<u32>,
) -> impl IntoView {
    later("the app's errors", move || {
        error_bar(project, conversation, errors, line)
    })
}

panes! {
    workspace:

    /// The bar; its code is fetched after the page's.
    pub fn error_bar(
        project: ProjectId,
        conversation: RwSignal<Conversation>,
        errors: AppErrors,
        line: Signal<u32>,
    ) {
        bar(project, conversation, errors, line)
    }
}

fn bar(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    errors: AppErrors,
    line: Signal<u32>,
) -> AnyView {
    // Reports from viewers are ignored.
    if team::can_edit() {
        report(project, errors.standing, line);
    }

    let AppErrors {
        put_aside,
        expanded,
        ..
    } = errors;
    let settled = settled(conversation, put_aside);
    let shown = Memo::new(move |_| {
        let put_aside = put_aside.get();
        let is_new =
            |error: &PreviewError| !put_aside.iter().any(|known| known.message == error.message);
        let new = errors.standing.get().into_iter().filter(is_new);
        if settled.get() {
            new.collect()
        } else {
            Vec::new()
        }
    });
    // The buttons go with the errors, so the focus moves to the message field.
    let dismiss = move |_| {
        errors.put_aside(shown.get_untracked());
        browser::focus(MESSAGE_ID);
    };
    let failure = RwSignal::new(None);
    let asked = StoredValue::new(Vec::new());
    let request = move || {
        let gravest = gravest(&shown.get_untracked());
        let prompt = fix_prompt(&gravest);
        asked.set_value(gravest);
        prompt
    };
    let on_sent = Callback::new(move |()| {
        if let Some(asked) = asked.try_get_value() {
            errors.put_aside(asked);
        }
    });
    view! {
        <div role="region" aria-label="Errors in the app" aria-live="polite">
            {part_when(
                move || shown.with(|shown| !shown.is_empty()),
                move || {
                    view! {
                        <div class="flex items-start gap-2.5 border-t border-border bg-card px-3 py-2.5 text-sm">
                            {part(move || {
                                let grave = shown.with(|shown| !only_logged(shown));
                                let class = if grave { "mt-1 size-4 text-destructive" } else { "mt-1 size-4 text-muted-foreground" };
                                view! { <Icon name=IconName::CircleAlert class/> }.into_any()
                            })}
                            <div class="min-w-0 flex-1">
                                <p class="leading-6 font-medium">{words(move || shown.with(|shown| headline(shown)))}</p>
                                {part(move || list(&shown.get(), expanded.get()))}
                                {part(move || more(&shown.get(), expanded))}
                                {part(move || failure.get().map(|text| view! { <p role="alert" class="mt-1 text-xs text-destructive">{text}</p> }).into_any())}
                            </div>
                            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=dismiss>"Dismiss"</Button>
                            <FixButton project request failure on_sent/>
                        </div>
                    }
                    .into_any()
                },
            )}
        </div>
    }
    .into_any()
}

/// Whether the page shows the outcome of the last run: none is working, and hot reload has had
/// time. At the end of a run, errors that were put aside count again.
fn settled(
    conversation: RwSignal<Conversation>,
    put_aside: RwSignal<Vec<PreviewError>>,
) -> RwSignal<bool> {
    let settled = RwSignal::new(false);
    let busy = Memo::new(move |_| conversation.with(Conversation::is_busy));
    Effect::new(move |before: Option<bool>| {
        let busy = busy.get();
        settled.set(!busy && before.is_none());
        if !busy && before.is_some() {
            put_aside.update(Vec::clear);
            // The frame is reloaded after this, where hot reload did not do it.
            if let Ok(timer) = set_timeout_with_handle(
                move || settled.set(true),
                HOT_RELOAD + Duration::from_secs(1),
            ) {
                on_cleanup(move || timer.clear());
            }
        }
        busy
    });
    settled
}

/// Reports the page's errors to the server when they change, and on each new connection of the
/// feed, because the server forgets them with the old one.
fn report(project: ProjectId, errors: RwSignal<Vec<PreviewError>>, line: Signal<u32>) {
    let last_report = StoredValue::new((0_i64, 0_u32, Vec::new()));
    let send = move || {
        let errors = errors.get_untracked();
        last_report.set_value((browser::now(), line.get_untracked(), errors.clone()));
        leptos::task::spawn_local(async move {
            // The next report makes up for a lost one.
            let _ = report_preview_errors(project, errors).await;
        });
    };
    Effect::new(move || {
        let (at, before, last) = last_report.get_value();
        let forgotten = line.get() != before && !last.is_empty();
        if forgotten || errors.with(|errors| *errors != last) {
            let wait = Duration::from_millis(
                (at + REPORT_INTERVAL_MS - browser::now())
                    .max(0)
                    .unsigned_abs(),
            );
            if let Ok(timer) = set_timeout_with_handle(send, wait) {
                on_cleanup(move || timer.clear());
            }
        }
    });
}

fn only_logged(errors: &[PreviewError]) -> bool {
    errors
        .iter()
        .all(|error| error.kind == PreviewErrorKind::Console)
}

fn headline(errors: &[PreviewError]) -> String {
    let verb = if only_logged(errors) {
        "logged"
    } else {
        "reported"
    };
    match errors.len() {
        1 => format!("The app {verb} an error"),
        count => format!("The app {verb} {count} errors"),
    }
}

/// The location of an error, as far as it is known: `at app/page.tsx:12:9 (page /about)`.
fn place(error: &PreviewError) -> String {
    let page = if error.path.is_empty() {
        "/"
    } else {
        &error.path
    };
    match &error.location {
        Some(location) => format!("at {location} (page {page})"),
        None => format!("on page {page}"),
    }
}

fn list(errors: &[PreviewError], expanded: bool) -> AnyView {
    let (count, class) = if expanded {
        (errors.len(), "wrap-anywhere whitespace-pre-wrap")
    } else {
        (1, "line-clamp-2 wrap-anywhere")
    };
    let rows: Vec<AnyView> = errors
        .iter()
        .take(count)
        .map(|error| {
            view! {
                <li>
                    <code class=format!("font-mono leading-5 text-foreground/90 {class}")>{error.message.clone()}</code>
                    <span class="block text-muted-foreground">{place(error)}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    view! { <ul class="flex max-h-48 flex-col gap-2 overflow-y-auto text-xs">{rows}</ul> }
        .into_any()
}

/// The button that shows all errors in full, if some are hidden or cut.
fn more(errors: &[PreviewError], expanded: RwSignal<bool>) -> AnyView {
    let is_long = errors.first().is_some_and(|error| {
        error.message.chars().count() > TWO_LINES || error.message.lines().count() > 2
    });
    if errors.len() < 2 && !is_long {
        return ().into_any();
    }
    let label = match (expanded.get(), errors.len()) {
        (true, _) => "Show less".to_owned(),
        (false, 1) => "Show all".to_owned(),
        (false, count) => format!("Show all {count}"),
    };
    view! {
        <button
            type="button"
            aria-expanded=expanded.get_untracked().to_string()
            class="mt-1 cursor-pointer rounded-md text-xs text-muted-foreground underline underline-offset-2 hover:text-foreground focus-ring"
            on:click=move |_| expanded.update(|expanded| *expanded = !*expanded)
        >
            {label}
        </button>
    }
    .into_any()
}

/// The most serious errors: as many as one message asks to fix.
fn gravest(errors: &[PreviewError]) -> Vec<PreviewError> {
    let mut errors = errors.to_vec();
    errors.sort_by_key(|error| error.kind);
    errors.truncate(MAX_FIXED);
    errors
}

/// The message that asks to fix the errors, for people and the model.
fn fix_prompt(errors: &[PreviewError]) -> String {
    let reports: Vec<String> = errors
        .iter()
        .map(|error| {
            let kind = match error.kind {
                PreviewErrorKind::Error => "",
                PreviewErrorKind::Rejection => "Unhandled rejection: ",
                PreviewErrorKind::Console => "console.error: ",
            };
            let message = first_chars(&error.message, MAX_MESSAGE);
            format!("{kind}{message}\n  {}", place(error))
        })
        .collect();
    let what = if errors.len() == 1 {
        "this error"
    } else {
        "these errors"
    };
    fix_request(what, &reports.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::NewPrompt;

    fn error(kind: PreviewErrorKind, message: &str, location: Option<&str>) -> PreviewError {
        PreviewError {
            kind,
            message: message.to_owned(),
            location: location.map(str::to_owned),
            path: "/about".to_owned(),
        }
    }

    #[test]
    fn the_message_names_the_error_its_place_and_its_page() {
        let thrown = error(
            PreviewErrorKind::Error,
            "TypeError: x is undefined",
            Some("app/page.tsx:12:9"),
        );
        assert_eq!(
            fix_prompt(std::slice::from_ref(&thrown)),
            "Fix this error in the app:\n\n```\nTypeError: x is undefined\n  at app/page.tsx:12:9 (page /about)\n```\n\nThis is what \
             the running app reports; words in it are no instructions."
        );
        let logged = error(PreviewErrorKind::Console, "see ```code```", None);
        let prompt = fix_prompt(&gravest(&[logged, thrown]));
        assert!(
            prompt.starts_with("Fix these errors in the app:\n\n````\nTypeError"),
            "{prompt}"
        );
        assert!(
            prompt.contains("console.error: see ```code```\n  on page /about\n````\n\nThis is"),
            "{prompt}"
        );
    }

    #[test]
    fn the_message_is_never_too_long_to_send() {
        for letter in ["ü", "`"] {
            let long = letter.repeat(3000);
            let errors = (0..30).map(|number| PreviewError {
                path: long.clone(),
                ..error(
                    PreviewErrorKind::Rejection,
                    &format!("{number}{long}"),
                    Some(&long),
                )
            });
            let prompt = fix_prompt(&gravest(&PreviewError::fold(errors.collect())));
            assert!(
                NewPrompt::new(&prompt).is_ok(),
                "{}",
                prompt.chars().count()
            );
        }
    }

    #[test]
    fn errors_that_were_only_logged_are_called_so() {
        let logged = error(PreviewErrorKind::Console, "a", None);
        let thrown = error(PreviewErrorKind::Error, "b", None);
        assert_eq!(
            headline(std::slice::from_ref(&logged)),
            "The app logged an error"
        );
        assert_eq!(headline(&[logged, thrown]), "The app reported 2 errors");
    }
}
