//! What went wrong: the server is out of reach, or it refused an action.

use leptos::prelude::*;

use crate::{
    protocol::ApiError,
    ui::{components::Alert, erased::part},
};

/// Shown while the last refresh failed.
#[component]
pub fn ConnectionLost(refresh: Action<(), Result<(), ApiError>>) -> impl IntoView {
    let lost = Memo::new(move |_| refresh.value().with(|last| matches!(last, Some(Err(_)))));
    part(move || {
        if lost.get() {
            view! { <span class="text-destructive">"The server can't be reached. Trying again…"</span> }.into_any()
        } else {
            ().into_any()
        }
    })
}

/// The message, if there is one.
#[component]
pub fn Trouble(message: Signal<Option<String>>) -> impl IntoView {
    part(move || match message.get() {
        Some(message) => view! { <Alert>{message}</Alert> }.into_any(),
        None => ().into_any(),
    })
}
