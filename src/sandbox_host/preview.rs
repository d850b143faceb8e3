//! Adapts previews to the builder's frame: the browser's request to the app (`request`), the app's
//! response to the browser (`response`), and the script that reports to the builder (`script`). It
//! applies only to requests by host name: clients that name a sandbox by E2B's headers get the
//! app's response unchanged.

mod headers;
mod request;
mod response;
mod script;

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, header},
};
use tower::ServiceExt;
use tower_http::decompression::Decompression;

use self::{
    headers::texts,
    response::Route,
    script::{Injecting, Markup},
};
use super::pages::Audience;
use crate::config;

/// Ports that belong to no app: envd's egress proxy, and those of debuggers (Node.js and its
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

/// Whether a port is never a preview.
pub(super) fn is_refused(port: u16) -> bool {
    NO_PREVIEWS.iter().any(|ports| ports.contains(&port))
}

/// How the response to a request is presented.
pub(super) struct Showing {
    route: Route,
    /// Whether the response is a page in a frame, perhaps the builder's.
    is_page: bool,
}

impl Showing {
    /// Turns a browser's request into one for the app. Call it before hop-by-hop headers and our
    /// cookies are removed.
    pub(super) fn of(
        request: &mut Request<Body>,
        port: u16,
        settings: &config::SandboxHost,
    ) -> Self {
        let headers = request.headers();
        let is_page = script::is_for(request.method(), headers, Audience::of(headers));
        let host = headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()?.split(':').next().map(str::to_owned));
        // Browsers that send this header also support partitioned cookies.
        let is_new = is_page && headers.contains_key("sec-fetch-dest");
        let is_marked = texts(headers, &header::COOKIE)
            .iter()
            .flat_map(|cookies| cookies.split(';'))
            .any(|cookie| cookie.trim() == response::FRAME_COOKIE);
        request::admit(request, port, is_page, settings);
        Self {
            route: Route {
                port,
                host,
                is_framed: is_new || is_marked,
            },
            is_page,
        }
    }

    /// Turns the app's response into one for a browser that shows it in the builder's frame.
    pub(super) async fn answer(
        &self,
        mut response: Response<Body>,
        settings: &config::SandboxHost,
    ) -> Response<Body> {
        response::show(response.headers_mut(), &self.route, &settings.public_url);
        if !self.is_page {
            return response;
        }
        if self.route.is_framed
            && let Ok(cookie) = HeaderValue::try_from(response::frame_cookie())
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let mut response = decoded(response).await;
        let Some(markup) = Markup::of(&response) else {
            return response;
        };
        let headers = response.headers_mut();
        // The same page opened in a tab of its own is a different response.
        headers.append(header::VARY, HeaderValue::from_static("sec-fetch-dest"));
        let tag = script::admit(headers);
        response.map(|page| Body::new(Injecting::new(page, markup, tag)))
    }
}

/// The response with its body decompressed: some apps compress even if asked not to.
async fn decoded(response: Response<Body>) -> Response<Body> {
    if !response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let mut body = Some(body);
    let headers = head.headers.clone();
    let service = tower::service_fn(move |_: Request<()>| {
        let mut response = Response::new(body.take().unwrap_or_default());
        *response.headers_mut() = headers.clone();
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    let Ok(answer) = Decompression::new(service).oneshot(Request::new(())).await;
    let (decoded, body) = answer.into_parts();
    head.headers = decoded.headers;
    Response::from_parts(head, Body::new(body))
}

/// The script that previews' pages load, if the request asks for it.
pub(super) fn own_file(
    request: &Request<Body>,
    settings: &config::SandboxHost,
) -> Option<Response<Body>> {
    (request.uri().path() == script::PATH).then(|| script::serve(&settings.public_url))
}
