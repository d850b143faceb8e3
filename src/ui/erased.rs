//! Type-erased reactive parts of a view. Leptos compiles its code for every closure in a view, some
//! kilobytes each; boxed closures share one copy. For pages with many small parts.

use std::sync::Arc;

use leptos::prelude::*;

type Part = Box<dyn FnMut() -> AnyView + Send>;
type Words = Box<dyn FnMut() -> String + Send>;

/// A part that is rendered again when a signal in it changes.
pub fn part(view: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let view: Part = Box::new(view);
    view.into_any()
}

/// A part that exists while `when` is true.
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

/// Reactive text.
pub fn words(words: impl FnMut() -> String + Send + 'static) -> AnyView {
    let words: Words = Box::new(words);
    words.into_any()
}

/// One row per key, which keeps its elements as long as its key exists.
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
