//! The model's text of a turn, and its reasoning: one line that can be opened; it is open while the
//! model is thinking, and folds when its answer begins, unless the reader chose otherwise.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Shared, Text, run_view::html_blocks, timeline::took};
use crate::ui::{
    browser::Hydrated,
    components::{Icon, IconName, Spinner},
    erased::{part_when, words},
};

pub fn said(text: Memo<Text>) -> AnyView {
    view! { <div class="prose py-1 empty:hidden">{blocks(text)}</div> }.into_any()
}

/// `growing`: whether the model is still thinking.
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
                move || view! { <div aria-live="off" class="timeline-thoughts">{blocks(text)}</div> }.into_any(),
            )}
        </div>
    }
    .into_any()
}

/// A complete text.
pub fn whole(html: &str) -> AnyView {
    let text = Text {
        html: html_blocks(html),
        took: None,
    };
    let text = Memo::new(move |_| text.clone());
    view! { <div class="prose">{blocks(text)}</div> }.into_any()
}

/// A text's HTML. A block's element stays while later ones grow. Long texts are added in slices,
/// one per frame, so that the page stays responsive.
fn blocks(text: Memo<Text>) -> AnyView {
    let is_there = !Hydrated::expect().get_untracked();
    let first = text.with_untracked(|text| match is_there {
        true => text.html.len(),
        false => end_of_slice(&text.html, 0),
    });
    let (shown, waiting) = (RwSignal::new(first), StoredValue::new(false));
    Effect::new(move || {
        let is_behind = text.with(|text| shown.get() < text.html.len());
        if !is_behind || waiting.get_value() {
            return;
        }
        waiting.set_value(true);
        request_animation_frame(move || {
            let end = |text: &Text| end_of_slice(&text.html, shown.get_untracked());
            // The text may have left the page.
            if let Some(end) = text.try_with_untracked(end) {
                waiting.set_value(false);
                shown.set(end);
            }
        });
    });
    // An unchanged block keeps its element; a block that grew gets a new one.
    let placed = move || {
        text.with(|text| {
            let shown = text.html.iter().take(shown.get()).cloned().map(Shared);
            shown.enumerate().collect::<Vec<_>>()
        })
    };
    view! {
        <For each=placed key=Clone::clone let((_, block))>
            <div class="prose" dir="auto" inner_html=block.0.to_string()></div>
        </For>
    }
    .into_any()
}

/// How much HTML is added to the page at once, in bytes.
const SLICE: usize = 32 << 10;

/// The end of the slice that begins here: at least one block later, if there is one.
fn end_of_slice(blocks: &[Arc<str>], from: usize) -> usize {
    let from = from.min(blocks.len());
    let mut bytes = 0;
    let slice = blocks[from..].iter().take_while(|block| {
        let begins_within = bytes < SLICE;
        bytes += block.len();
        begins_within
    });
    from + slice.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_some_of_the_blocks_and_slices_have_all_of_them() {
        let block: Arc<str> = "x".repeat(SLICE / 2).into();
        let blocks = vec![block; 5];
        let mut ends = vec![0];
        while ends.last() < Some(&blocks.len()) {
            ends.push(end_of_slice(&blocks, ends[ends.len() - 1]));
        }
        assert_eq!(ends, [0, 2, 4, 5]);
        assert_eq!(end_of_slice(&blocks, 9), 5);
        assert_eq!(end_of_slice(&["x".repeat(9 * SLICE).into()], 0), 1);
        assert_eq!(end_of_slice(&[], 0), 0);
    }
}
