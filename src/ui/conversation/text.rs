//! What the model says in a turn, and what it shows of its reasoning: one line that opens, which is
//! read along while the model thinks, and folds when it goes on.

use leptos::prelude::*;

use super::{Text, timeline::took};
use crate::ui::{
    components::{Icon, IconName, Spinner},
    erased::{part_when, words},
};

pub fn said(text: Memo<Text>) -> AnyView {
    view! { <div class="prose py-1 empty:hidden">{html(text)}</div> }.into_any()
}

/// `growing`: nothing came after it yet.
pub fn thinking(text: Memo<Text>, growing: Memo<bool>) -> AnyView {
    let chosen = RwSignal::new(None::<bool>);
    let open = Memo::new(move |_| chosen.get().unwrap_or_else(|| growing.get()));
    let time = move || text.with(|text| text.took.map(took).unwrap_or_default());
    view! {
        <div class="timeline">
            <button
                type="button"
                class="timeline-line focus-ring-inset"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| chosen.set(Some(!open.get_untracked()))
            >
                <span class="timeline-arrow"><Icon name=IconName::ChevronRight class="size-3.5"/></span>
                <span class="min-w-0 flex-1 truncate text-start text-foreground/80">"Thinking"</span>
                <span class="shrink-0 tabular-nums">{words(time)}</span>
                {part_when(move || growing.get(), || view! { <Spinner/> }.into_any())}
            </button>
            {part_when(
                move || open.get(),
                move || view! { <div aria-live="off" class="timeline-thoughts">{html(text)}</div> }.into_any(),
            )}
        </div>
    }
    .into_any()
}

/// A text's HTML. A block's element stays as it is while those after it grow.
fn html(text: Memo<Text>) -> AnyView {
    let count = Memo::new(move |_| text.with(|text| text.html.len()));
    view! {
        <For each=move || 0..count.get() key=|at| *at let:at>
            {
                let html = Memo::new(move |_| text.with(|text| text.html.get(at).cloned()));
                view! { <div class="prose" dir="auto" inner_html=move || html.get().as_deref().unwrap_or_default().to_owned()></div> }
            }
        </For>
    }
    .into_any()
}
