//! The border between chat and app, which can be dragged or moved with the arrow keys; its position
//! is stored in the browser. The width is a CSS variable of `<html>`, so that `boot.js` can set it
//! before the first paint.

use leptos::{ev, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};

use crate::ui::{browser, components::Drag};

/// All in CSS pixels. The default is the style sheet's too.
const NARROWEST: i32 = 300;
const WIDEST: i32 = 760;
const DEFAULT: i32 = 420;
const STEP: i32 = 24;
const KEY: &str = "chat-width";

#[component]
pub fn Separator() -> impl IntoView {
    let width = RwSignal::new(DEFAULT);
    let drag = Drag::new();
    Effect::new(move || {
        if let Some(remembered) = browser::remembered(KEY) {
            width.set(remembered);
        }
    });

    let resize = move |wanted: i32| {
        let wanted = wanted.clamp(NARROWEST, WIDEST);
        width.set(wanted);
        if let Some(root) = document().document_element() {
            let style = root.unchecked_ref::<HtmlElement>().style();
            let _ = style.set_property(&format!("--{KEY}"), &format!("{wanted}px"));
        }
    };
    let keep = move || browser::remember(KEY, &width.get_untracked());
    let on_key = move |key: ev::KeyboardEvent| {
        let wanted = match key.key().as_str() {
            "ArrowLeft" => width.get_untracked() - STEP,
            "ArrowRight" => width.get_untracked() + STEP,
            "Home" => NARROWEST,
            "End" => WIDEST,
            _ => return,
        };
        key.prevent_default();
        resize(wanted);
        keep();
    };
    let release = move |_| {
        if drag.release() {
            keep();
        }
    };
    view! {
        <div
            node_ref=drag.element
            role="separator"
            aria-label="Width of the chat"
            aria-orientation="vertical"
            aria-valuemin=NARROWEST.to_string()
            aria-valuemax=WIDEST.to_string()
            aria-valuenow=move || width.get().to_string()
            tabindex="0"
            class="relative z-10 -mx-1 hidden w-2 shrink-0 cursor-col-resize touch-none outline-none before:absolute before:inset-y-0 before:left-1/2 before:w-px before:bg-border before:transition-colors hover:before:bg-brand focus-visible:before:w-0.5 focus-visible:before:bg-brand md:block md:max-xl:group-data-versions/split:hidden"
            on:keydown=on_key
            on:pointerdown=move |pointer| drag.grab(&pointer, width.get_untracked())
            on:pointermove=move |pointer| {
                if let Some((right, _, width)) = drag.moved(&pointer) {
                    resize(width + right);
                }
            }
            on:pointerup=release
            on:pointercancel=release
        ></div>
    }
}
