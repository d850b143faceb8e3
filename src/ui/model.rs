//! The model that writes the apps; in the demo, what it can do and how to use a real model.

use leptos::prelude::*;

use super::{
    browser,
    components::{Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, Icon, IconName},
};
use crate::protocol::ModelNotice;

/// Whether the demo's notice is open: an attribute of `<html>`, so that `boot.js` can apply it
/// before the first paint, and a signal for elements that name its state.
#[derive(Clone, Copy)]
pub struct DemoNoticeState(RwSignal<bool>);

impl DemoNoticeState {
    pub fn new() -> Self {
        let open = RwSignal::new(true);
        Effect::new(move || {
            open.set(browser::remembered::<String>("demo-notice").as_deref() != Some("closed"))
        });
        Self(open)
    }

    fn set(self, open: bool) {
        let word = if open { "open" } else { "closed" };
        self.0.set(open);
        browser::remember("demo-notice", &word);
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-demo-notice", word);
        }
        // Opened from the header, it may be outside the visible part.
        if let Some(notice) = document().get_element_by_id("demo-notice").filter(|_| open) {
            notice.scroll_into_view();
        }
    }
}

/// The model's name, where there is room; in the demo a button that shows and hides the notice.
#[component]
pub fn ModelBadge(model: ModelNotice, notice: DemoNoticeState) -> impl IntoView {
    if !model.demo {
        return view! {
            <span class="shrink-0 whitespace-nowrap max-sm:hidden">
                <Badge variant=BadgeVariant::Outline>{model.label}</Badge>
            </span>
        }
        .into_any();
    }
    view! {
        <button
            type="button"
            class="inline-flex h-6 cursor-pointer items-center gap-1 rounded-full border border-brand/40 bg-brand/10 px-2.5 text-xs font-medium text-brand hover:bg-brand/15 focus-ring"
            aria-expanded=move || notice.0.get().to_string()
            aria-controls="demo-notice"
            title="About the demo"
            on:click=move |_| notice.set(!notice.0.get_untracked())
        >
            "Demo"
            <Icon name=IconName::Info class="size-3.5"/>
        </button>
    }
    .into_any()
}

/// What the demo is; nothing with a real model. Hidden by the style sheet while `<html>` says so.
#[component]
pub fn DemoNotice(model: ModelNotice, notice: DemoNoticeState) -> impl IntoView {
    model.demo.then(|| {
        let prompts = model.demo_prompts.into_iter().map(|prompt| view! { <li>{prompt}</li> }).collect_view();
        view! {
            <aside
                id="demo-notice"
                aria-label="About the demo"
                class="@container relative rounded-xl border border-brand/30 bg-brand/6 p-4 text-left text-[0.8125rem] leading-5"
            >
                <p class="pr-9 font-medium">"This is the demo: it replays recorded builds in a sandbox, where they really run."</p>
                <div class="mt-2 grid gap-y-3 text-muted-foreground">
                    <div>
                        <p>"It knows these prompts and some follow-ups:"</p>
                        <ul class="mt-1 grid list-disc gap-x-8 gap-y-0.5 pl-4 marker:text-brand @xl:grid-cols-2">{prompts}</ul>
                    </div>
                    <div>
                        <p>"To build anything you like, start CodeFlow with a key:"</p>
                        <p class="mt-1">
                            <code class="rounded bg-card px-1.5 py-0.5 font-mono text-xs text-foreground wrap-anywhere">"OPENAI_API_KEY=… script/run"</code>
                            " or choose another provider with "
                            <code class="rounded bg-card px-1.5 py-0.5 font-mono text-xs text-foreground">"AI_PROVIDER"</code>
                            ": gemini, openrouter, ollama, custom."
                        </p>
                    </div>
                </div>
                <div class="absolute top-2 right-2">
                    <Button
                        variant=ButtonVariant::Ghost
                        size=ButtonSize::Icon
                        on:click=move |_| notice.set(false)
                        attr:aria-label="Hide the notice about the demo"
                        attr:title="Hide; the Demo badge brings it back"
                    >
                        <Icon name=IconName::X/>
                    </Button>
                </div>
            </aside>
        }
    })
}
