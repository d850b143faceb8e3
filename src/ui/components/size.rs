//! Following the size of an element.

use leptos::{
    html,
    prelude::*,
    wasm_bindgen::{JsCast, closure::Closure},
    web_sys::{Element, HtmlDivElement, ResizeObserver},
};

/// Calls `on_size` once the element is there, and whenever its size changes; does nothing on the
/// server.
pub fn follow_size(
    element: NodeRef<html::Div>,
    on_size: impl Fn(&HtmlDivElement) + Copy + 'static,
) {
    Effect::new(move || {
        let Some(element) = element.get() else {
            return;
        };
        let measured = element.clone();
        let measure = Closure::<dyn FnMut()>::new(move || on_size(&measured));
        let Ok(observer) = ResizeObserver::new(measure.as_ref().unchecked_ref()) else {
            return;
        };
        observer.observe(element.unchecked_ref::<Element>());
        let observing = StoredValue::new_local((observer, measure));
        on_cleanup(move || {
            observing.try_with_value(|(observer, _)| observer.disconnect());
        });
    });
}
