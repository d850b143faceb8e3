//! Parts of a view that follow their signals without a type of their own. Every closure in a view
//! is compiled anew with all that Leptos does with it, some kilobytes each; boxed, they are
//! compiled once. For pages with many small parts.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use leptos::{prelude::*, task::spawn_local_scoped_with_cancellation};

type Part = Box<dyn FnMut() -> AnyView + Send>;
type Words = Box<dyn FnMut() -> String + Send>;

/// A part that is made anew when a signal in it changes.
pub fn part(view: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let view: Part = Box::new(view);
    view.into_any()
}

/// A part that is there while `when` says so.
pub fn part_when(
    when: impl Fn() -> bool + Send + Sync + 'static,
    view: impl Fn() -> AnyView + Send + 'static,
) -> AnyView {
    let when = there(Box::new(when));
    part(move || if when.get() { view() } else { ().into_any() })
}

fn there(when: Box<dyn Fn() -> bool + Send + Sync>) -> Memo<bool> {
    Memo::new(move |_| when())
}

/// Words that follow their signals.
pub fn words(words: impl FnMut() -> String + Send + 'static) -> AnyView {
    let words: Words = Box::new(words);
    words.into_any()
}

/// A part that the browser makes once the page has come alive, by a `#[lazy]` function say: its
/// code is then fetched after the page's.
pub fn later(view: impl Future<Output = AnyView> + 'static) -> AnyView {
    make_later(Box::pin(view))
}

fn make_later(view: Pin<Box<dyn Future<Output = AnyView>>>) -> AnyView {
    let mut view = Some(view);
    let made = Arc::new(Mutex::new(None));
    let is_made = RwSignal::new(false);
    let slot = made.clone();
    Effect::new(move || {
        if let Some(view) = view.take() {
            let slot = slot.clone();
            spawn_local_scoped_with_cancellation(async move {
                let view = view.await;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
                is_made.set(true);
            });
        }
    });
    part(move || {
        is_made.track();
        let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.unwrap_or_else(|| ().into_any())
    })
}

/// One row for each key, which keeps its elements for as long as its key is there.
pub fn rows(
    keys: impl Fn() -> Vec<String> + Send + Sync + 'static,
    row: impl Fn(String) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    keyed(Box::new(keys), Arc::new(row))
}

fn keyed(
    keys: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    row: Arc<dyn Fn(String) -> AnyView + Send + Sync>,
) -> AnyView {
    view! { <For each=keys key=String::clone children=move |key| row(key)/> }.into_any()
}
