//! The browser features that the page needs beyond Leptos: the clock, preferences, the clipboard.
//! Only called from event handlers and effects, never on the server.

use std::{str::FromStr, time::Duration};

use codee::{Decoder, Encoder, string::FromToStringCodec};
use leptos::{
    prelude::*,
    wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen},
    web_sys::{
        HtmlElement,
        js_sys::{Array, JsString, Reflect},
    },
};

mod js {
    use super::{JsValue, wasm_bindgen};

    #[wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
    extern "C" {
        #[wasm_bindgen(js_namespace = Date)]
        pub fn now() -> f64;
        #[wasm_bindgen(js_namespace = Math)]
        pub fn random() -> f64;
        #[wasm_bindgen(js_namespace = codeflow, js_name = localTime)]
        pub fn local_time(at: f64) -> String;
        #[wasm_bindgen(js_namespace = codeflow, js_name = followLog)]
        pub fn follow_log();
        #[wasm_bindgen(js_namespace = codeflow, js_name = keepLogPlace)]
        pub fn keep_log_place();
        #[wasm_bindgen(js_namespace = localStorage, js_name = getItem, catch)]
        pub fn get_item(key: &str) -> Result<Option<String>, JsValue>;
        #[wasm_bindgen(js_namespace = localStorage, js_name = setItem, catch)]
        pub fn set_item(key: &str, value: &str) -> Result<(), JsValue>;
        #[wasm_bindgen(js_namespace = codeflow, catch)]
        pub fn remembered(name: &str) -> Result<Option<String>, JsValue>;
        #[wasm_bindgen(js_namespace = codeflow, catch)]
        pub fn remember(name: &str, value: &str) -> Result<(), JsValue>;
        #[cfg(feature = "hydrate")]
        #[wasm_bindgen(js_namespace = codeflow, js_name = comeAlive)]
        pub fn come_alive();
        #[wasm_bindgen(js_namespace = localStorage, js_name = removeItem, catch)]
        pub fn remove_item(key: &str) -> Result<(), JsValue>;
        #[wasm_bindgen(js_name = encodeURIComponent)]
        pub fn encoded(text: &str) -> String;
        #[wasm_bindgen(js_namespace = history, js_name = replaceState, catch)]
        pub fn replace_state(state: &JsValue, unused: &str, url: &str) -> Result<(), JsValue>;
        #[wasm_bindgen(js_namespace = ["navigator", "clipboard"], js_name = writeText, catch)]
        pub fn write_text(text: &str) -> Result<JsValue, JsValue>;
    }
}

/// Whether a field, a menu or a dialog has the keyboard focus, so that the page's shortcuts don't
/// apply.
pub fn is_occupied() -> bool {
    const OCCUPIED: &str =
        "dialog[open], :popover-open, input:focus, textarea:focus, [contenteditable]:focus";
    matches!(document().query_selector(OCCUPIED), Ok(Some(_)))
}

/// Whether this media query of CSS holds now.
pub fn matches_media(query: &str) -> bool {
    let query = window().match_media(query);
    query.ok().flatten().is_some_and(|query| query.matches())
}

/// Milliseconds since the Unix epoch, UTC.
pub fn now() -> i64 {
    js::now() as i64
}

/// A number in 0.0..1.0.
pub fn random() -> f64 {
    js::random()
}

/// The user's preference of this name; `None` also if it can't be parsed.
pub fn remembered<T: FromStr>(name: &str) -> Option<T> {
    FromToStringCodec::decode(&js::remembered(name).ok()??).ok()
}

/// Saves a user preference on the server and in the browser, through `boot.js`. The name consists
/// of lower-case letters and hyphens; the value has at most 400 bytes.
pub fn remember<T: ToString>(name: &str, value: &T) {
    if let Ok(text) = FromToStringCodec::encode(value) {
        let _ = js::remember(name, &text);
    }
}

/// Day and hour in the reader's language and zone.
pub fn local_time(at: i64) -> String {
    js::local_time(at as f64)
}

/// A draft stored in this browser; `None` if there is none.
pub fn draft(name: &str) -> Option<String> {
    let text = js::get_item(&format!("draft-{name}")).ok()??;
    Some(text).filter(|text| !text.is_empty())
}

/// Stores a draft in this browser, if it allows that; an empty one is removed.
pub fn keep_draft(name: &str, text: &str) {
    let _ = js::set_item(&format!("draft-{name}"), text);
}

/// Removes a draft.
pub fn forget_draft(name: &str) {
    let _ = js::remove_item(&format!("draft-{name}"));
}

/// The text, encoded for a query.
pub fn encoded(text: &str) -> String {
    js::encoded(text)
}

/// Replaces the query in the page's address, without a new history entry.
pub fn set_query(query: &str) {
    let path = location().pathname().unwrap_or_default();
    let url = match query {
        "" => path,
        query => format!("{path}?{query}"),
    };
    let _ = js::replace_state(&JsValue::NULL, "", &url);
}

/// Keeps the conversation's log scrolled to its end while the reader is there; a repeated call says
/// that it has grown.
pub fn follow_log() {
    js::follow_log();
}

/// Keeps the reader's place in the log when something is inserted before it.
pub fn keep_log_place() {
    js::keep_log_place();
}

/// Copies the text; returns whether the browser accepted it.
pub fn copy(text: &str) -> bool {
    js::write_text(text).is_ok()
}

/// Moves the focus to the element with the id, if there is one that takes it.
pub fn focus(id: &str) {
    let element = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into::<HtmlElement>().ok());
    if let Some(element) = element {
        let _ = element.focus();
    }
}

/// Presses the button or link with the id, if there is one.
pub fn press(id: &str) {
    let element = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into::<HtmlElement>().ok());
    if let Some(element) = element {
        element.click();
    }
}

/// The string property `key` of a script's object, at most `longest` UTF-16 units of it; `None` if
/// there is none.
pub fn text_of(object: &JsValue, key: &str, longest: u32) -> Option<String> {
    let text: JsString = Reflect::get(object, &key.into()).ok()?.dyn_into().ok()?;
    Some(text.slice(0, longest).into())
}

/// The number property `key` of a script's object.
pub fn number_of(object: &JsValue, key: &str) -> Option<f64> {
    Reflect::get(object, &key.into()).ok()?.as_f64()
}

/// Whether the property `key` of a script's object is `true`.
pub fn flag_of(object: &JsValue, key: &str) -> bool {
    Reflect::get(object, &key.into()).is_ok_and(|value| value == JsValue::TRUE)
}

/// At most `most` elements of the array property `key` of a script's object; `None` if there is
/// none.
pub fn list_of(object: &JsValue, key: &str, most: u32) -> Option<Array> {
    let list: Array = Reflect::get(object, &key.into()).ok()?.dyn_into().ok()?;
    Some(list.slice(0, most))
}

/// Waits in the browser.
pub async fn pause(time: Duration) {
    let (over, waiting) = futures::channel::oneshot::channel();
    set_timeout(
        move || {
            let _ = over.send(());
        },
        time,
    );
    let _ = waiting.await;
}

/// Whether the page is hydrated: `false` on the server and during hydration, so that both render
/// the same. Hydration pauses while a route's code is fetched, and effects run meanwhile; their
/// changes to the page must wait for this.
#[derive(Debug, Clone, Default)]
pub struct Hydrated(ArcRwSignal<bool>);

impl Hydrated {
    pub fn expect() -> Signal<bool> {
        use_context::<Self>().unwrap_or_default().0.into()
    }

    #[cfg(feature = "hydrate")]
    pub fn complete(&self) {
        self.0.set(true);
        js::come_alive();
    }
}
