//! The preview's frame: the app's permissions, recognising the app's messages, and the open page.
//! That page has another origin, so it is known only from the app's own reports, and reloaded by
//! asking it to.

use std::time::Duration;

use leptos::{
    ev, html,
    prelude::*,
    wasm_bindgen::JsValue,
    web_sys::{HtmlIFrameElement, MessageEvent},
};

use super::{
    notice::RateLimit,
    place::{address, origin},
};
use crate::ui::browser;

/// The greeting that the app's page waits for before it reports anything.
const HELLO: &str = "codeflow-builder:hello";
/// Asks it to reload itself.
const RELOAD: &str = "codeflow-builder:reload";
/// Go back and forward in the frame's own history.
pub const BACK: &str = "codeflow-builder:back";
pub const FORWARD: &str = "codeflow-builder:forward";
/// Asks for everything in its console.
pub const ASK_CONSOLE: &str = "codeflow-builder:console";
/// Lets the user point at an element, or stops that.
pub const PICK: &str = "codeflow-builder:pick";
pub const PICK_END: &str = "codeflow-builder:pick-end";
/// How long a loaded page may take to announce the host's script.
const TOOLS: Duration = Duration::from_secs(5);

/// Everything that a tab may do, except navigating the builder's own window.
pub const SANDBOX: &str = "allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups \
                           allow-popups-to-escape-sandbox allow-presentation allow-same-origin allow-scripts \
                           allow-storage-access-by-user-activation";
/// The permissions of a tab. The browser asks the user before it grants any that reveal something
/// about them. Only those that Chromium knows on every system, because it warns about others.
pub const FRAME_PERMISSIONS: &str = "accelerometer; autoplay; camera; clipboard-read; clipboard-write; display-capture; encrypted-media; fullscreen; \
                          gamepad; geolocation; gyroscope; hid; idle-detection; local-fonts; magnetometer; microphone; midi; payment; \
                          picture-in-picture; publickey-credentials-create; publickey-credentials-get; screen-wake-lock; serial; \
                          storage-access; usb; window-management; xr-spatial-tracking";

/// The frame and the app in it.
#[derive(Clone, Copy)]
pub struct AppFrame {
    element: NodeRef<html::Iframe>,
    url: Memo<Option<String>>,
    /// The path, query and fragment of the app's open page, as it reports them.
    pub place: RwSignal<String>,
    /// Whether the frame's history has a page before the open one, and one after it.
    pub history: RwSignal<(bool, bool)>,
    /// Whether the open page has the sandbox host's script, which does more than the template's;
    /// `None` until that is known.
    pub has_tools: RwSignal<Option<bool>>,
    /// Counts the pages that were loaded.
    pub loaded: RwSignal<u32>,
    script: StoredValue<Script>,
    /// Whether the last loaded page has announced that script.
    has_spoken: StoredValue<bool>,
}

/// What is known about the script in the app's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// The loaded page has reported nothing.
    Silent,
    Speaks,
    /// It was asked to reload its page, and has not confirmed.
    Asked,
}

impl AppFrame {
    pub fn new(element: NodeRef<html::Iframe>, url: Memo<Option<String>>) -> Self {
        Self {
            element,
            url,
            place: RwSignal::new("/".to_owned()),
            history: RwSignal::new((false, false)),
            has_tools: RwSignal::new(None),
            script: StoredValue::new(Script::Silent),
            loaded: RwSignal::new(0),
            has_spoken: StoredValue::new(false),
        }
    }

    fn element(self) -> Option<HtmlIFrameElement> {
        self.element.try_get_untracked().flatten()
    }

    /// Whether the message came from the frame's window and the app's page.
    pub fn sent(self, message: &MessageEvent) -> bool {
        let window = self.element().and_then(|frame| frame.content_window());
        let is_source =
            window.is_some() && message.source().map(JsValue::from) == window.map(JsValue::from);
        is_source
            && self.url.with_untracked(|url| {
                url.as_deref()
                    .is_some_and(|url| origin(url) == message.origin())
            })
    }

    /// Greets the app's page, and no other page in the frame; it answers with its reports.
    pub fn greet(self) {
        self.post(HELLO);
    }

    /// Sends a message to the app's page, and no other.
    pub fn post(self, message: &str) {
        let window = self.element().and_then(|frame| frame.content_window());
        if let (Some(window), Some(Some(url))) = (window, self.url.try_get_untracked()) {
            let _ = window.post_message(&JsValue::from_str(message), origin(&url));
        }
    }

    /// Passes the app's messages to `take`, within the rate limit, until the owner is cleaned up.
    pub fn listen(self, take: impl Fn(&JsValue) + 'static) {
        let rate_limit = StoredValue::new(RateLimit::default());
        let listener = window_event_listener(ev::message, move |message| {
            let is_heard = self.sent(&message)
                && rate_limit.try_update_value(|limit| limit.take(browser::now())) == Some(true);
            if is_heard {
                take(&message.data());
            }
        });
        on_cleanup(move || listener.remove());
    }

    /// Moves the keyboard focus to the app's page.
    pub fn focus(self) {
        if let Some(frame) = self.element() {
            let _ = frame.focus();
        }
    }

    /// Records that a page was loaded, the app's or another.
    pub fn note_load(self) {
        self.script.set_value(Script::Silent);
        let load = self.loaded.get_untracked().wrapping_add(1);
        self.loaded.set(load);
        self.has_spoken.set_value(false);
        let unless_it_has = move || {
            let is_open = self.loaded.try_get_untracked() == Some(load);
            if is_open && self.has_spoken.try_get_value() == Some(false) {
                self.has_tools.set(Some(false));
                self.history.set((false, false));
            }
        };
        set_timeout(unless_it_has, TOOLS);
    }

    /// Records that the open page has the sandbox host's script, and the state of its history.
    pub fn set_history(self, back: bool, forward: bool) {
        self.has_spoken.set_value(true);
        self.has_tools.set(Some(true));
        self.history.set((back, forward));
    }

    /// Opens a page of the app.
    pub fn go(self, place: &str) {
        if let (Some(frame), Some(Some(url))) = (self.element(), self.url.try_get_untracked()) {
            self.place.set(place.to_owned());
            frame.set_src(&address(&url, place));
        }
    }

    /// The address of the open page.
    pub fn address(self) -> Option<String> {
        self.url
            .with(|url| Some(address(url.as_deref()?, &self.place.get())))
    }

    /// Records the page that the app reports.
    pub fn set_place(self, place: String) {
        if !self.awaits_reload() {
            self.script.set_value(Script::Speaks);
        }
        if self.place.with_untracked(|known| *known != place) {
            self.place.set(place);
        }
    }

    /// Records that the page is reloading itself.
    pub fn note_reload(self) {
        self.script.set_value(Script::Silent);
    }

    /// Asks the app's page to reload itself at its current address; returns whether there is such a
    /// page.
    pub fn ask_to_reload(self) -> bool {
        let speaks = self.script.try_get_value() == Some(Script::Speaks);
        if speaks {
            self.script.set_value(Script::Asked);
            self.post(RELOAD);
        }
        speaks
    }

    /// Whether the open page is one of the app's that reports its location.
    pub fn speaks(self) -> bool {
        self.script.try_get_value() == Some(Script::Speaks)
    }

    /// Whether the page was asked to reload, and has neither confirmed nor been loaded since.
    pub fn awaits_reload(self) -> bool {
        self.script.try_get_value() == Some(Script::Asked)
    }

    /// Reloads the last open page; returns whether there is a frame for it.
    pub fn load_again(self) -> bool {
        let (Some(frame), Some(Some(url)), Some(place)) = (
            self.element(),
            self.url.try_get_untracked(),
            self.place.try_get_untracked(),
        ) else {
            return false;
        };
        // With a fragment, the browser would only scroll within the current page.
        let place = place.split('#').next().unwrap_or_default();
        frame.set_src(&address(&url, place));
        true
    }
}
