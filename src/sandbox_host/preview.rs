//! A preview as the builder's frame shows it: what of a browser's request its app gets to see
//! (`request`), what of the app's answer the browser does (`response`), and the script that speaks
//! for the page to the builder (`script`). Only for requests by host name: whoever names a sandbox
//! by E2B's headers gets what the app says, as it is.

mod request;
mod response;
mod script;

use axum::{
    body::Body,
    http::{HeaderMap, Request, Response},
};

use self::script::Injecting;
use super::{pages::Audience, passage::Passing};
use crate::config;

/// Ports that are no app's: envd's egress proxy, and where debuggers listen (Node.js and its
/// workers, Chrome, Go, Java, Python), which run whatever they are sent.
const NO_PREVIEWS: [std::ops::RangeInclusive<u16>; 7] = [
    super::envd::PROXY_PORT..=super::envd::PROXY_PORT,
    2345..=2345,
    5005..=5005,
    5678..=5678,
    5858..=5858,
    9222..=9222,
    9229..=9239,
];

/// Whether a port is never shown.
pub(super) fn is_refused(port: u16) -> bool {
    NO_PREVIEWS.iter().any(|ports| ports.contains(&port))
}

/// What the answer to a request is shown with.
pub(super) struct Showing {
    port: u16,
    /// The page is framed, perhaps by the builder.
    is_framed: bool,
}

impl Showing {
    /// Makes a browser's request one for the app. To be called before hop-by-hop headers are gone.
    pub(super) fn of(
        request: &mut Request<Body>,
        port: u16,
        settings: &config::SandboxHost,
    ) -> Self {
        let is_framed = script::is_for(
            request.method(),
            request.headers(),
            Audience::of(request.headers()),
        );
        request::admit(request, port, is_framed, settings);
        Self { port, is_framed }
    }

    /// Makes the app's answer one for a browser that shows it in the builder's frame.
    pub(super) fn answer(
        &self,
        response: &mut Response<Passing>,
        settings: &config::SandboxHost,
    ) -> Option<String> {
        response::show(response.headers_mut(), self.port, &settings.public_url);
        (self.is_framed && script::fits(response)).then(|| script::admit(response.headers_mut()))
    }
}

/// The script that pages of previews load, when the request asks for it.
pub(super) fn own_file(
    request: &Request<Body>,
    settings: &config::SandboxHost,
) -> Option<Response<Body>> {
    (request.uri().path() == script::PATH).then(|| script::serve(&settings.public_url))
}

/// The body of an answer, with the script's tag in it where the page is to have one.
pub(super) fn body(passing: Passing, tag: Option<String>) -> Body {
    match tag {
        Some(tag) => Body::new(Injecting::new(passing, tag)),
        None => Body::new(passing),
    }
}

/// The header's values as they are, one character for each byte.
fn texts(headers: &HeaderMap, name: &axum::http::HeaderName) -> Vec<String> {
    let text = |value: &axum::http::HeaderValue| {
        value
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    };
    headers.get_all(name).iter().map(text).collect()
}
