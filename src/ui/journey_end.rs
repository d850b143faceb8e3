//! What a journey ended with: a small picture, which opens larger.

use leptos::prelude::*;

use super::components::{Dialog, DialogSize};

/// The picture at this address of the journey with this title.
pub fn journey_end(title: String, src: String) -> AnyView {
    let open = RwSignal::new(false);
    let alt = format!("How “{title}” ended");
    let (large, about) = (src.clone(), alt.clone());
    view! {
        <button
            type="button"
            aria-haspopup="dialog"
            class="block w-full cursor-zoom-in overflow-hidden rounded-md border border-border bg-muted focus-ring"
            on:click=move |_| open.set(true)
        >
            <img src=src alt=alt width="640" height="400" loading="lazy" decoding="async" class="block h-auto w-full"/>
        </button>
        <Dialog open title=Signal::stored(title) size=DialogSize::Picture>
            <img src=large.clone() alt=about.clone() width="640" height="400" class="block h-auto w-full rounded-md border border-border bg-muted"/>
        </Dialog>
    }
    .into_any()
}
