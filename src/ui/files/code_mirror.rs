//! CodeMirror, as `editor/main.js` offers it: its script is fetched when the Code tab is first
//! opened.

use std::{cell::RefCell, rc::Rc};

use futures::channel::oneshot;
use leptos::{
    wasm_bindgen::{self, JsCast, JsValue, closure::Closure, prelude::wasm_bindgen},
    web_sys::{
        HtmlElement,
        js_sys::{Array, Object, Promise, Reflect},
    },
};

use crate::ui::script;

/// The path of esbuild's output.
const SCRIPT: &str = "/editor/editor.js";
/// The script's global object.
const GLOBAL: &str = "codeflowEditor";

mod js {
    use super::{Array, HtmlElement, JsValue, Object, Promise, wasm_bindgen};

    #[wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
    extern "C" {
        pub type Editor;
        #[wasm_bindgen(js_namespace = codeflowEditor, catch)]
        pub fn mount(host: &HtmlElement, on: &Object) -> Result<Editor, JsValue>;
        #[wasm_bindgen(method)]
        pub fn open(this: &Editor, path: &str, text: &str, locked: bool);
        #[wasm_bindgen(method)]
        pub fn show(this: &Editor, path: &str);
        #[wasm_bindgen(method)]
        pub fn hide(this: &Editor);
        #[wasm_bindgen(method)]
        pub fn text(this: &Editor, path: &str) -> String;
        #[wasm_bindgen(method)]
        pub fn replace(this: &Editor, path: &str, text: &str);
        #[wasm_bindgen(method)]
        pub fn grow(this: &Editor, path: &str, text: &str);
        #[wasm_bindgen(method)]
        pub fn lock(this: &Editor, path: &str, locked: bool);
        #[wasm_bindgen(method)]
        pub fn close(this: &Editor, path: &str);
        #[wasm_bindgen(method)]
        pub fn rename(this: &Editor, from: &str, to: &str);
        #[wasm_bindgen(method, js_name = goTo)]
        pub fn go_to(this: &Editor, path: &str, line: u32);
        #[wasm_bindgen(method)]
        pub fn focus(this: &Editor);
        #[wasm_bindgen(method)]
        pub fn destroy(this: &Editor);

        pub type Comparison;
        #[wasm_bindgen(js_namespace = codeflowEditor, catch)]
        pub fn compare(
            host: &HtmlElement,
            path: &str,
            texts: &Array,
            names: &Array,
            unified: bool,
            merges: bool,
        ) -> Result<Promise, JsValue>;
        #[wasm_bindgen(method)]
        pub fn text(this: &Comparison) -> String;
        #[wasm_bindgen(method)]
        pub fn destroy(this: &Comparison);
    }
}

pub use js::{Comparison, Editor};

/// The user's actions in an editor: the file's path, and for `moved` the cursor's line.
pub struct Handlers {
    changed: Closure<dyn Fn(String)>,
    save: Closure<dyn Fn(String)>,
    moved: Closure<dyn Fn(String, u32)>,
}

impl Handlers {
    pub fn new(
        changed: impl Fn(String) + 'static,
        save: impl Fn(String) + 'static,
        moved: impl Fn(String, u32) + 'static,
    ) -> Self {
        Self {
            changed: Closure::new(changed),
            save: Closure::new(save),
            moved: Closure::new(moved),
        }
    }
}

/// Fetches the script; returns whether it is available.
pub async fn load() -> bool {
    script::load(SCRIPT, GLOBAL).await
}

/// Shows an editor in the element. The handlers live as long as it does.
pub fn mount(host: &HtmlElement, handlers: &Handlers) -> Option<Editor> {
    let on = Object::new();
    for (name, handler) in [
        ("changed", handlers.changed.as_ref()),
        ("save", handlers.save.as_ref()),
        ("moved", handlers.moved.as_ref()),
    ] {
        Reflect::set(&on, &name.into(), handler).ok()?;
    }
    js::mount(host, &on).ok()
}

/// Two texts to compare, and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    pub path: String,
    pub texts: [String; 2],
    pub names: [String; 2],
}

/// Shows both texts in the element; `merges` makes the second one editable. `None` if the script
/// for it can't be fetched.
pub async fn compare(
    host: &HtmlElement,
    sides: &Sides,
    unified: bool,
    merges: bool,
) -> Option<Comparison> {
    if !load().await {
        return None;
    }
    let list = |items: &[String; 2]| {
        let items = items.iter().map(|item| JsValue::from_str(item));
        items.collect::<Array>()
    };
    let texts = list(&sides.texts);
    let comparing = js::compare(
        host,
        &sides.path,
        &texts,
        &list(&sides.names),
        unified,
        merges,
    );
    let (ended, end) = oneshot::channel();
    let ended = Rc::new(RefCell::new(Some(ended)));
    let failed = ended.clone();
    let on_done = Closure::once(move |made: JsValue| {
        if let Some(ended) = ended.borrow_mut().take() {
            let _ = ended.send(Some(made));
        }
    });
    let on_failed = Closure::once(move |_: JsValue| {
        if let Some(ended) = failed.borrow_mut().take() {
            let _ = ended.send(None);
        }
    });
    let _ = comparing.ok()?.then2(&on_done, &on_failed);
    Some(end.await.ok()??.unchecked_into())
}
