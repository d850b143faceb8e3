//! The preview's frame: what the app in it may do, which messages are the app's, and the page that
//! is open there. That page is of another origin, so it is known only from the app's own reports,
//! and reloaded by asking it to.

use leptos::{
    html,
    prelude::*,
    wasm_bindgen::JsValue,
    web_sys::{HtmlIFrameElement, MessageEvent},
};

/// The greeting that the app's page waits for before it reports anything.
const HELLO: &str = "codeflow-builder:hello";
/// Asks it to reload itself.
const RELOAD: &str = "codeflow-builder:reload";

/// All that a tab may do, except navigating the builder's own window.
pub const SANDBOX: &str = "allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups \
                           allow-popups-to-escape-sandbox allow-presentation allow-same-origin allow-scripts \
                           allow-storage-access-by-user-activation";
/// The powers of a tab; the browser asks the visitor before it grants any that reveal something of
/// them. Only those that Chromium knows on every system, because it warns of others.
pub const POWERS: &str = "accelerometer; autoplay; camera; clipboard-read; clipboard-write; display-capture; encrypted-media; fullscreen; \
                          gamepad; geolocation; gyroscope; hid; idle-detection; local-fonts; magnetometer; microphone; midi; payment; \
                          picture-in-picture; publickey-credentials-create; publickey-credentials-get; screen-wake-lock; serial; \
                          storage-access; usb; window-management; xr-spatial-tracking";

/// The frame and the app in it.
#[derive(Clone, Copy)]
pub struct AppFrame {
    element: NodeRef<html::Iframe>,
    url: Memo<Option<String>>,
    /// Path, query and fragment of the app's open page, as it reports.
    pub place: RwSignal<String>,
    script: StoredValue<Script>,
}

/// What is known of the script in the app's page.
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
            script: StoredValue::new(Script::Silent),
        }
    }

    fn element(self) -> Option<HtmlIFrameElement> {
        self.element.try_get_untracked().flatten()
    }

    /// Whether the frame's window sent the message, and its page is the app's.
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

    /// Greets the app's page, and no other that the frame may show; the page answers with its
    /// reports.
    pub fn greet(self) {
        self.post(HELLO);
    }

    fn post(self, message: &str) {
        let window = self.element().and_then(|frame| frame.content_window());
        if let (Some(window), Some(Some(url))) = (window, self.url.try_get_untracked()) {
            let _ = window.post_message(&JsValue::from_str(message), origin(&url));
        }
    }

    /// Notes that a page was loaded, the app's or another.
    pub fn was_loaded(self) {
        self.script.set_value(Script::Silent);
    }

    /// Notes the page that the app reports.
    pub fn is_at(self, place: String) {
        if !self.owes_a_reload() {
            self.script.set_value(Script::Speaks);
        }
        if self.place.with_untracked(|known| *known != place) {
            self.place.set(place);
        }
    }

    /// Notes that the page is reloading itself.
    pub fn reloads(self) {
        self.script.set_value(Script::Silent);
    }

    /// Asks the app's page to reload itself at its current address; returns whether there is one to
    /// ask.
    pub fn ask_to_reload(self) -> bool {
        let speaks = self.script.try_get_value() == Some(Script::Speaks);
        if speaks {
            self.script.set_value(Script::Asked);
            self.post(RELOAD);
        }
        speaks
    }

    /// Whether the page was asked to reload, and has neither confirmed nor been loaded since.
    pub fn owes_a_reload(self) -> bool {
        self.script.try_get_value() == Some(Script::Asked)
    }

    /// Loads the last open page; returns whether there is a frame to load it in.
    pub fn load_again(self) -> bool {
        let (Some(frame), Some(Some(url)), Some(place)) = (
            self.element(),
            self.url.try_get_untracked(),
            self.place.try_get_untracked(),
        ) else {
            return false;
        };
        // With a fragment the browser would move within the page that is there.
        let place = place.split('#').next().unwrap_or_default();
        frame.set_src(&address(&url, place));
        true
    }
}

/// A place in the app at this address.
pub fn address(url: &str, place: &str) -> String {
    format!("{}{place}", origin(url))
}

/// The origin of an absolute address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..]
        .find(['/', '?', '#'])
        .map_or(url, |end| &url[..host + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_judged_by_the_address_up_to_its_path() {
        assert_eq!(
            origin("http://3000-a.localhost:3000/x?y"),
            "http://3000-a.localhost:3000"
        );
        assert_eq!(origin("https://a.example"), "https://a.example");
    }

    #[test]
    fn a_place_is_one_of_the_app_s_whatever_it_says() {
        for place in [
            "/",
            "/settings?a=b#c",
            "//evil.example/",
            "/@evil.example",
            "/\\evil.example",
        ] {
            let found = address("http://3000-a.localhost:3000/", place);
            assert_eq!(found, format!("http://3000-a.localhost:3000{place}"));
            assert_eq!(origin(&found), "http://3000-a.localhost:3000");
        }
    }
}
