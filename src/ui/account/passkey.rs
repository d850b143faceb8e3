//! Passkeys in the browser, through a script that is fetched when a page that offers them is shown.

use futures::channel::oneshot;
use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_bindgen::{self, JsValue, closure::Closure, prelude::wasm_bindgen},
    web_sys::js_sys::Promise,
};

use crate::{
    protocol::{ApiError, ErrorCode},
    ui::{
        browser::{Hydrated, text_of},
        script, visitor,
    },
};

const SCRIPT: &str = "/passkeys.js";
/// The script's global object.
const GLOBAL: &str = "codeflowPasskeys";
/// The maximum length of an answer, in UTF-16 units: the largest keys need several thousand.
const MAX_ANSWER_UNITS: u32 = 100_000;

mod js {
    use super::{Promise, wasm_bindgen};

    #[wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
    extern "C" {
        #[wasm_bindgen(js_namespace = codeflowPasskeys, js_name = areThere)]
        pub fn are_there() -> bool;
        #[wasm_bindgen(js_namespace = codeflowPasskeys)]
        pub fn ask(kind: &str, question: &str) -> Promise;
    }
}

/// What to do with a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// Create one.
    Create,
    /// Sign with one.
    Get,
}

/// Whether passkeys can be used here; `false` until that is known.
pub fn are_there() -> Signal<bool> {
    let found = RwSignal::new(false);
    if visitor::expect().passkeys {
        let hydrated = Hydrated::expect();
        Effect::new(move || {
            if hydrated.get() {
                spawn_local(async move {
                    if script::load(SCRIPT, GLOBAL).await && js::are_there() {
                        found.try_set(true);
                    }
                });
            }
        });
    }
    found.into()
}

/// Asks an authenticator; `None` if the user cancelled or let it time out.
pub async fn ask(ceremony: Ceremony, question: &str) -> Result<Option<String>, ApiError> {
    let kind = match ceremony {
        Ceremony::Create => "create",
        Ceremony::Get => "get",
    };
    let (ended, end) = oneshot::channel();
    let on_end = Closure::once(move |answer: JsValue| {
        let _ = ended.send(answer);
    });
    // It reports its errors, and never rejects.
    let _ = js::ask(kind, question).then(&on_end);
    let Ok(answer) = end.await else {
        return Ok(None);
    };
    match text_of(&answer, "trouble", MAX_ANSWER_UNITS) {
        Some(trouble) => Err(ApiError::new(ErrorCode::Unavailable, trouble)),
        None => Ok(text_of(&answer, "answer", MAX_ANSWER_UNITS)),
    }
}
