//! What the page needs of the browser beyond Leptos: the clock, stored preferences, the clipboard.
//! Called from event handlers and effects only, so never on the server.

use std::str::FromStr;

use codee::{Decoder, Encoder, string::FromToStringCodec};
use leptos::{
    prelude::*,
    wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen},
    web_sys::{
        HtmlElement,
        js_sys::{Array, JsString, Object, Reflect},
    },
};

mod js {
    use super::{JsValue, wasm_bindgen};

    #[wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
    extern "C" {
        #[wasm_bindgen(js_namespace = Date)]
        pub fn now() -> f64;
        #[wasm_bindgen(js_namespace = ["Intl"])]
        pub type DateTimeFormat;
        #[wasm_bindgen(constructor, js_namespace = Intl)]
        pub fn new(locales: &JsValue, options: &JsValue) -> DateTimeFormat;
        #[wasm_bindgen(method)]
        pub fn format(this: &DateTimeFormat, at: f64) -> String;
        #[wasm_bindgen(js_namespace = Math)]
        pub fn random() -> f64;
        #[wasm_bindgen(js_namespace = localStorage, js_name = getItem, catch)]
        pub fn get_item(key: &str) -> Result<Option<String>, JsValue>;
        #[wasm_bindgen(js_namespace = localStorage, js_name = setItem, catch)]
        pub fn set_item(key: &str, value: &str) -> Result<(), JsValue>;
        #[wasm_bindgen(js_namespace = ["navigator", "clipboard"], js_name = writeText, catch)]
        pub fn write_text(text: &str) -> Result<JsValue, JsValue>;
    }
}

/// Milliseconds since the Unix epoch, UTC.
pub fn now() -> i64 {
    js::now() as i64
}

/// A moment in the reader's language, with the hour and the zone.
pub fn moment(at: i64) -> String {
    let options = Object::new();
    for (name, value) in [
        ("day", "numeric"),
        ("month", "short"),
        ("year", "numeric"),
        ("hour", "2-digit"),
        ("minute", "2-digit"),
        ("timeZoneName", "short"),
    ] {
        let _ = Reflect::set(&options, &name.into(), &value.into());
    }
    js::DateTimeFormat::new(&JsValue::UNDEFINED, &options).format(at as f64)
}

/// A number in 0.0..1.0.
pub fn random() -> f64 {
    js::random()
}

/// A preference kept in the browser's storage; `None` too where it can't be read.
pub fn remembered<T: FromStr>(key: &str) -> Option<T> {
    FromToStringCodec::decode(&js::get_item(key).ok()??).ok()
}

/// Keeps a preference, where the browser allows it. It is stored as plain text, which `boot.js`
/// reads.
pub fn remember<T: ToString>(key: &str, value: &T) {
    if let Ok(text) = FromToStringCodec::encode(value) {
        let _ = js::set_item(key, &text);
    }
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

/// The text that a script's object has under the key, as far as `longest` UTF-16 units of it;
/// `None` when it has none.
pub fn text_of(object: &JsValue, key: &str, longest: u32) -> Option<String> {
    let text: JsString = Reflect::get(object, &key.into()).ok()?.dyn_into().ok()?;
    Some(text.slice(0, longest).into())
}

/// The first elements, `most` at most, of the array that a script's object has under the key;
/// `None` when it has none.
pub fn list_of(object: &JsValue, key: &str, most: u32) -> Option<Array> {
    let list: Array = Reflect::get(object, &key.into()).ok()?.dyn_into().ok()?;
    Some(list.slice(0, most))
}

/// Whether the page is hydrated: `false` on the server and during hydration, so that both render
/// the same.
#[derive(Debug, Clone, Copy)]
pub struct Hydrated(RwSignal<bool>);

impl Hydrated {
    /// Made once, by the app.
    pub fn provide() {
        let hydrated = RwSignal::new(false);
        Effect::new(move || hydrated.set(true));
        provide_context(Self(hydrated));
    }

    pub fn expect() -> Signal<bool> {
        expect_context::<Self>().0.into()
    }
}
