//! Scripts for parts of the page: each is fetched once, when first needed.

use std::{cell::RefCell, rc::Rc};

use futures::channel::oneshot;
use leptos::{
    prelude::*,
    wasm_bindgen::{JsCast, closure::Closure},
    web_sys::js_sys::{self, Reflect},
};

/// Fetches the script, a module that defines this global object; returns whether it is available.
pub async fn load(address: &str, global: &str) -> bool {
    let is_there =
        || Reflect::has(&js_sys::global(), &global.into()).is_ok_and(std::convert::identity);
    if is_there() {
        return true;
    }
    let document = document();
    let (Ok(script), Some(root)) = (
        document.create_element("script"),
        document.document_element(),
    ) else {
        return false;
    };
    let (ended, end) = oneshot::channel();
    let ended = Rc::new(RefCell::new(Some(ended)));
    let on_end = Closure::<dyn FnMut()>::new(move || {
        if let Some(ended) = ended.borrow_mut().take() {
            let _ = ended.send(());
        }
    });
    for event in ["load", "error"] {
        let _ = script.add_event_listener_with_callback(event, on_end.as_ref().unchecked_ref());
    }
    let _ = script.set_attribute("type", "module");
    let _ = script.set_attribute("src", address);
    let _ = root.append_child(&script);
    let _ = end.await;
    is_there()
}
