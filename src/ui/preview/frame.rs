//! The preview's frame: what the app in it may do, who of all that send messages is the app, and
//! the page that is open there. That page is another origin's, so it is known from what the app
//! says, and reloaded by asking it to.

use leptos::{
    html,
    prelude::*,
    wasm_bindgen::JsValue,
    web_sys::{HtmlIFrameElement, MessageEvent},
};

/// What the app's page must hear from its parent before it tells anything.
const HELLO: &str = "codeflow-builder:hello";
/// What makes it load itself anew.
const RELOAD: &str = "codeflow-builder:reload";

/// What a tab may do, but to lead the builder's own window elsewhere.
pub const SANDBOX: &str = "allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups \
                           allow-popups-to-escape-sandbox allow-presentation allow-same-origin allow-scripts \
                           allow-storage-access-by-user-activation";
/// What a tab may ask its visitor for, or has: the browser asks before anything that tells of the
/// visitor. Only what Chromium knows on every system, as it warns of the rest.
pub const POWERS: &str = "accelerometer; autoplay; camera; clipboard-read; clipboard-write; display-capture; encrypted-media; fullscreen; \
                          gamepad; geolocation; gyroscope; hid; idle-detection; local-fonts; magnetometer; microphone; midi; payment; \
                          picture-in-picture; publickey-credentials-create; publickey-credentials-get; screen-wake-lock; serial; \
                          storage-access; usb; window-management; xr-spatial-tracking";

/// The frame and the app in it.
#[derive(Clone, Copy)]
pub struct AppFrame {
    element: NodeRef<html::Iframe>,
    url: Memo<Option<String>>,
    /// Path, query and fragment of the app's page that is open, as it says.
    pub place: RwSignal<String>,
    script: StoredValue<Script>,
}

/// What is known of the app's page that speaks to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// The page that is loaded has said nothing.
    Silent,
    Speaks,
    /// It was asked to load its page anew, and has not said that it does.
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

    /// Makes itself known to the app's page, and to no other that the frame may show; the page
    /// answers with what it has to tell.
    pub fn greet(self) {
        self.say(HELLO);
    }

    fn say(self, words: &str) {
        let window = self.element().and_then(|frame| frame.content_window());
        if let (Some(window), Some(Some(url))) = (window, self.url.try_get_untracked()) {
            let _ = window.post_message(&JsValue::from_str(words), origin(&url));
        }
    }

    /// Notes that a page was loaded, whatever page that is.
    pub fn was_loaded(self) {
        self.script.set_value(Script::Silent);
    }

    /// Notes where the app says that it is.
    pub fn is_at(self, place: String) {
        if !self.owes_a_reload() {
            self.script.set_value(Script::Speaks);
        }
        if self.place.with_untracked(|known| *known != place) {
            self.place.set(place);
        }
    }

    /// Notes that the page loads itself anew.
    pub fn reloads(self) {
        self.script.set_value(Script::Silent);
    }

    /// Asks the app's page to load itself anew, with whatever address it has; whether there is one
    /// that can be asked.
    pub fn ask_to_reload(self) -> bool {
        let speaks = self.script.try_get_value() == Some(Script::Speaks);
        if speaks {
            self.script.set_value(Script::Asked);
            self.say(RELOAD);
        }
        speaks
    }

    /// Whether the page was asked, and has neither said that it does nor been loaded since.
    pub fn owes_a_reload(self) -> bool {
        self.script.try_get_value() == Some(Script::Asked)
    }

    /// Loads the page that was open last; whether there is a frame to load it in.
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
