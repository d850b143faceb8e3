//! The cover over the preview's frame while there is no page to show: what is going on, or what
//! went wrong.

use leptos::prelude::*;

use super::fix::{FixButton, fix_request};
use crate::{
    api::preview::attend_preview,
    protocol::{PreviewState, ProjectId, first_chars},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
        conversation::Conversation,
        erased::part,
    },
};

/// How much of the dev server's report is quoted in the message that asks for a fix, in characters.
const MAX_REPORT: usize = 4000;

/// Empty once the page is ready and `is_shown`. A failure over a page can be dismissed until the
/// next one. What went wrong before is said whether or not the frame has loaded its page: on a busy
/// machine that may take minutes.
#[component]
pub fn Screen(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    state: Memo<PreviewState>,
    is_shown: Memo<bool>,
) -> impl IntoView {
    let put_aside = RwSignal::new(None::<PreviewState>);
    let on_dismiss = move || put_aside.set(Some(state.get_untracked()));
    let cover = move || {
        let state = state.get();
        match &state {
            PreviewState::None => view! { <Nothing/> }.into_any(),
            PreviewState::Starting => view! {
                <Working title="Starting the sandbox" text="Your app gets a machine of its own. This takes a few seconds."/>
            }
            .into_any(),
            PreviewState::Asleep { .. } => view! { <Asleep project/> }.into_any(),
            // The previous page is still worth showing.
            PreviewState::Compiling { .. } | PreviewState::Ready { .. } if is_shown.get() => ().into_any(),
            PreviewState::Compiling { .. } => view! {
                <Working title="Compiling the app" text="The dev server is building the page."/>
            }
            .into_any(),
            PreviewState::Ready { .. } => view! { <Working title="Loading the page" text="Almost there."/> }.into_any(),
            PreviewState::Failed { .. } if put_aside.with(|aside| aside.as_ref() == Some(&state)) => ().into_any(),
            PreviewState::Failed { url, reason } => {
                let (reason, has_page) = (reason.clone(), url.is_some());
                view! { <Failure project conversation reason has_page on_dismiss/> }.into_any()
            }
        }
    };
    view! {
        {cover}
        {note(state, put_aside)}
    }
}

/// What went wrong before, in an app that answers again, until it is put aside.
fn note(state: Memo<PreviewState>, put_aside: RwSignal<Option<PreviewState>>) -> AnyView {
    let notice = Memo::new(move |_| match state.get() {
        state if put_aside.with(|aside| aside.as_ref() == Some(&state)) => None,
        PreviewState::Ready { notice, .. } => notice,
        _ => None,
    });
    let on_dismiss = move || put_aside.set(Some(state.get_untracked()));
    part(move || match notice.get() {
        Some(notice) => view! { <Trouble notice on_dismiss/> }.into_any(),
        None => ().into_any(),
    })
}

const COVER: &str = "absolute inset-0 grid place-items-center overflow-auto bg-background p-6";

#[component]
fn Nothing() -> impl IntoView {
    view! {
        <div class=format!("{COVER} dotted")>
            <div class="max-w-xs text-center">
                <span class="mx-auto grid size-11 place-items-center rounded-xl border border-border bg-card text-muted-foreground shadow-xs">
                    <Icon name=IconName::Monitor class="size-5"/>
                </span>
                <p class="mt-4 text-sm font-medium">"Your app will appear here"</p>
                <p class="mt-1 text-sm text-muted-foreground">"It really runs: click around as soon as the first version is ready."</p>
            </div>
        </div>
    }
}

#[component]
fn Asleep(project: ProjectId) -> impl IntoView {
    let wake = Action::new(move |(): &()| async move { attend_preview(project).await });
    let pending = wake.pending();
    let failure = move || {
        let result = wake.value().get();
        result.and_then(|result| result.err().map(|error| error.message))
    };
    view! {
        <div class=format!("{COVER} dotted")>
            <div class="max-w-xs text-center">
                <p class="text-sm font-medium">"The app is asleep"</p>
                <p class="mt-1 mb-4 text-sm text-muted-foreground">"Nobody looked at it for a while. Its files are kept."</p>
                <Button disabled=pending on:click=move |_| { wake.dispatch(()); }>"Wake"</Button>
                <p role="alert" class="mt-2 text-xs text-destructive empty:hidden">{failure}</p>
            </div>
        </div>
    }
}

#[component]
fn Working(title: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <div class=format!("{COVER} dotted")>
            <div class="w-full max-w-xs text-center">
                <div aria-hidden="true" class="building mx-auto"><i></i><i></i><i></i><i></i></div>
                <p class="mt-5 inline-flex items-center gap-2 text-sm font-medium">
                    <span class="text-muted-foreground"><Spinner/></span>
                    {title}
                </p>
                <p class="mt-1 text-sm text-muted-foreground">{text}</p>
            </div>
        </div>
    }
}

/// A recent problem, over a page that answers again.
#[component]
fn Trouble(notice: String, on_dismiss: impl Fn() + 'static) -> impl IntoView {
    view! {
        <div class="absolute inset-x-0 top-0 flex justify-center p-3">
            <div
                role="note"
                aria-label="What went wrong"
                class="flex max-w-lg items-start gap-2 rounded-xl border border-border bg-card p-3 text-sm shadow-sm"
            >
                <Icon name=IconName::CircleAlert class="mt-0.5 size-4 shrink-0 text-destructive"/>
                <p class="wrap-anywhere whitespace-pre-wrap">{notice}</p>
                <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| on_dismiss()>"Dismiss"</Button>
            </div>
        </div>
    }
}

#[component]
fn Failure(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    reason: String,
    /// Whether there is an app behind it that can be fixed.
    has_page: bool,
    on_dismiss: impl Fn() + 'static,
) -> impl IntoView {
    let failure = RwSignal::new(None);
    let prompt = fix_request("this error", first_chars(&reason, MAX_REPORT));
    let request = move || prompt.clone();
    // A working run may already be fixing it.
    let disabled = Signal::derive(move || conversation.with(Conversation::is_busy));
    let buttons = has_page.then(|| {
        view! {
            <div class="mt-4 flex items-center gap-2">
                <FixButton project request failure disabled/>
                <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| on_dismiss()>"Show the page anyway"</Button>
            </div>
            <p role="alert" class="mt-2 text-xs text-destructive empty:hidden">{move || failure.get()}</p>
        }
    });
    view! {
        <div class=format!("{COVER} bg-background/95")>
            <div role="alert" class="w-full max-w-lg rounded-xl border border-destructive/40 bg-card p-5 shadow-sm">
                <p class="flex items-center gap-2 text-sm font-semibold">
                    <Icon name=IconName::CircleAlert class="size-4 text-destructive"/>
                    "The preview can't be shown"
                </p>
                <pre class="mt-3 max-h-72 overflow-auto rounded-lg bg-muted px-3 py-2.5 font-mono text-xs leading-5 wrap-anywhere whitespace-pre-wrap">
                    {reason}
                </pre>
                {buttons}
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_said_whatever_the_frame_has_loaded_until_it_is_put_aside() {
        Owner::new().with(|| {
            let ready = PreviewState::Ready {
                url: "http://a/".to_owned(),
                notice: Some("The app ran out of memory.".to_owned()),
            };
            let (state, put_aside) = (RwSignal::new(PreviewState::Starting), RwSignal::new(None));
            let shown = || note(Memo::new(move |_| state.get()), put_aside).to_html();
            assert!(!shown().contains("role=\"note\""));
            state.set(ready.clone());
            assert!(shown().contains("The app ran out of memory."));
            put_aside.set(Some(ready));
            assert!(!shown().contains("role=\"note\""));
        });
    }
}
