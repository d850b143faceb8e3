//! What the app in the frame fails with: told under the preview with a way to have it fixed, and reported to the server.
//! While a run is at work errors are expected, so nobody is told; what still stands after its end is.

use std::time::Duration;

use leptos::{ev, prelude::*};
use serde::Deserialize;

use super::{AppFrame, HOT_RELOAD, Load};
use crate::{
    api::{messages::send_message, preview::report_preview_errors},
    protocol::{PreviewError, PreviewErrorKind, ProjectId},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
        conversation::Conversation,
        erased::{later, part, part_when, words},
    },
};

/// Between two reports to the server, in milliseconds.
const REPORT_EVERY: i64 = 1000;
/// How many errors one message asks to be fixed.
const MAX_FIXED: usize = 4;
/// A message longer than this, in characters, has more to show than two lines.
const TWO_LINES: usize = 160;

/// What the app's page tells of its errors: all that stand.
#[derive(Debug, Deserialize)]
struct ErrorsNotice {
    source: String,
    errors: Vec<PreviewError>,
}

/// `loaded` is set whenever the frame has loaded a page.
#[component]
pub fn ErrorBar(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    frame: AppFrame,
    loaded: RwSignal<Option<Load>>,
) -> impl IntoView {
    later(error_bar(project, conversation, frame, loaded))
}

#[lazy]
fn error_bar(project: ProjectId, conversation: RwSignal<Conversation>, frame: AppFrame, loaded: RwSignal<Option<Load>>) -> AnyView {
    let errors = RwSignal::new(Vec::<PreviewError>::new());
    let put_aside = RwSignal::new(Vec::<PreviewError>::new());
    let expanded = RwSignal::new(false);
    let replace = move |reported: Vec<PreviewError>| {
        if reported.is_empty() {
            put_aside.update(Vec::clear);
            expanded.set(false);
        }
        errors.set(PreviewError::fold(reported));
    };

    let listener = window_event_listener(ev::message, move |message| {
        if frame.sent(&message)
            && let Some(notice) = browser::from_js::<ErrorsNotice>(&message.data()).filter(|notice| notice.source == "codeflow-preview")
        {
            replace(notice.errors);
        }
    });
    on_cleanup(move || listener.remove());
    // Another page has other errors; it tells them when it is greeted.
    Effect::new(move || {
        // Before that the frame is empty, and nobody is there to be greeted.
        if loaded.with(Option::is_some) {
            replace(Vec::new());
            frame.greet();
        }
    });
    report(project, errors);

    let settled = settled(conversation, put_aside);
    let shown = Memo::new(move |_| {
        let put_aside = put_aside.get();
        let is_news = |error: &PreviewError| !put_aside.iter().any(|known| known.message == error.message);
        let errors = errors.get().into_iter().filter(is_news);
        if settled.get() { errors.collect() } else { Vec::new() }
    });
    let dismiss = move || put_aside.set(errors.get_untracked());
    let trouble = RwSignal::new(None);
    let fix = Action::new(move |_: &()| {
        let text = fix_prompt(&shown.get_untracked());
        async move {
            match send_message(project, text, None).await {
                Ok(_) => {
                    trouble.set(None);
                    dismiss();
                }
                Err(error) => trouble.set(Some(error.message)),
            }
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
                                {part(move || trouble.get().map(|text| view! { <p role="alert" class="mt-1 text-xs text-destructive">{text}</p> }).into_any())}
                            </div>
                            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=move |_| dismiss()>"Dismiss"</Button>
                            <Button
                                size=ButtonSize::Sm
                                disabled=fix.pending()
                                attr:title="Ask for this to be fixed"
                                on:click=move |_| {
                                    fix.dispatch(());
                                }
                            >
                                <Icon name=IconName::Wrench class="size-3.5"/>
                                "Fix"
                            </Button>
                        </div>
                    }
                    .into_any()
                },
            )}
        </div>
    }
    .into_any()
}

/// Whether what the page shows is the outcome of the last run: none is at work, and hot reload had its time. What was put aside counts
/// again after a run.
fn settled(conversation: RwSignal<Conversation>, put_aside: RwSignal<Vec<PreviewError>>) -> RwSignal<bool> {
    let settled = RwSignal::new(false);
    let busy = Memo::new(move |_| conversation.with(Conversation::is_busy));
    Effect::new(move |before: Option<bool>| {
        let busy = busy.get();
        settled.set(!busy && before.is_none());
        if busy {
            put_aside.update(Vec::clear);
        } else if before.is_some()
            // The frame is reloaded after this, where hot reload did not do it.
            && let Ok(timer) = set_timeout_with_handle(move || settled.set(true), HOT_RELOAD + Duration::from_secs(1))
        {
            on_cleanup(move || timer.clear());
        }
        busy
    });
    settled
}

/// Tells the server what stands, when that has changed.
fn report(project: ProjectId, errors: RwSignal<Vec<PreviewError>>) {
    let told = StoredValue::new((0_i64, Vec::new()));
    let tell = move || {
        let errors = errors.get_untracked();
        told.set_value((browser::now(), errors.clone()));
        leptos::task::spawn_local(async move {
            // A report that is lost is made up for by the next one.
            let _ = report_preview_errors(project, errors).await;
        });
    };
    Effect::new(move || {
        let (at, last) = told.get_value();
        if errors.with(|errors| *errors != last) {
            let wait = Duration::from_millis((at + REPORT_EVERY - browser::now()).max(0).unsigned_abs());
            if let Ok(timer) = set_timeout_with_handle(tell, wait) {
                on_cleanup(move || timer.clear());
            }
        }
    });
}

fn only_logged(errors: &[PreviewError]) -> bool {
    errors.iter().all(|error| error.kind == PreviewErrorKind::Console)
}

fn headline(errors: &[PreviewError]) -> String {
    let verb = if only_logged(errors) { "logged" } else { "reported" };
    match errors.len() {
        1 => format!("The app {verb} an error"),
        count => format!("The app {verb} {count} errors"),
    }
}

/// Where an error happened, as far as known: `at app/page.tsx:12:9 (page /about)`.
fn place(error: &PreviewError) -> String {
    let page = if error.path.is_empty() { "/" } else { &error.path };
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
    view! { <ul class="flex max-h-48 flex-col gap-2 overflow-y-auto text-xs">{rows}</ul> }.into_any()
}

/// The button that shows all there is to read, where that is more than what is shown.
fn more(errors: &[PreviewError], expanded: RwSignal<bool>) -> AnyView {
    let is_long = errors
        .first()
        .is_some_and(|error| error.message.chars().count() > TWO_LINES || error.message.lines().count() > 2);
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

/// The message that asks for the errors to be fixed, for people and the model.
fn fix_prompt(errors: &[PreviewError]) -> String {
    let mut graves_first: Vec<&PreviewError> = errors.iter().collect();
    graves_first.sort_by_key(|error| error.kind);
    graves_first.truncate(MAX_FIXED);
    let told: Vec<String> = graves_first
        .iter()
        .map(|error| {
            let kind = match error.kind {
                PreviewErrorKind::Error => "",
                PreviewErrorKind::Rejection => "Unhandled rejection: ",
                PreviewErrorKind::Console => "console.error: ",
            };
            format!("{kind}{}\n  {}", error.message, place(error))
        })
        .collect();
    let told = told.join("\n\n");
    // Longer than any fence in the words themselves.
    let mut fence = "```".to_owned();
    while told.contains(&fence) {
        fence.push('`');
    }
    let what = if graves_first.len() == 1 { "this error" } else { "these errors" };
    format!("Fix {what} in the app:\n\n{fence}\n{told}\n{fence}")
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
        let thrown = error(PreviewErrorKind::Error, "TypeError: x is undefined", Some("app/page.tsx:12:9"));
        assert_eq!(
            fix_prompt(std::slice::from_ref(&thrown)),
            "Fix this error in the app:\n\n```\nTypeError: x is undefined\n  at app/page.tsx:12:9 (page /about)\n```"
        );
        let logged = error(PreviewErrorKind::Console, "see ```code```", None);
        let prompt = fix_prompt(&[logged, thrown]);
        assert!(prompt.starts_with("Fix these errors in the app:\n\n````\nTypeError"), "{prompt}");
        assert!(
            prompt.ends_with("console.error: see ```code```\n  on page /about\n````"),
            "{prompt}"
        );
    }

    #[test]
    fn the_message_is_never_too_long_to_send() {
        let long = "ü".repeat(3000);
        let errors = (0..30).map(|number| error(PreviewErrorKind::Console, &format!("{number}{long}"), Some(&long)));
        let prompt = fix_prompt(&PreviewError::fold(errors.collect()));
        assert!(NewPrompt::new(&prompt).is_ok(), "{}", prompt.chars().count());
    }

    #[test]
    fn what_was_only_logged_is_said_to_be_less() {
        let logged = error(PreviewErrorKind::Console, "a", None);
        let thrown = error(PreviewErrorKind::Error, "b", None);
        assert_eq!(headline(std::slice::from_ref(&logged)), "The app logged an error");
        assert_eq!(headline(&[logged, thrown]), "The app reported 2 errors");
    }
}
