//! The script that connects an app's page with the builder that frames it. It is served from the
//! preview's own origin, and inserted at the start of the page's head on its way to the browser, so
//! that it works whatever the app's files are. Only the part before the head is held back.

use std::{
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header},
};
use bytes::BytesMut;
use hyper::body::{Body as _, Frame, SizeHint};
use sha2::{Digest, Sha256};

use super::headers::{replace, texts};
use crate::sandbox_host::pages::Audience;

/// Its path, below every preview.
pub(super) const PATH: &str = "/__codeflow/preview.js";
/// In other providers' sandboxes, the template loads the same file through a hook of Next.js.
const SOURCE: &str = include_str!("../../../sandbox-templates/nextjs/instrumentation-client.js");
/// Where Next.js' dev server keeps what it compiles; names the files in a page's stack traces.
const NEXTJS_DIST: &str = "/home/user/.next/dev";
/// Additional scripts for CodeFlow's own sandboxes, appended in the same scope.
const TOOLS: [&str; 3] = [
    include_str!("script/console.js"),
    include_str!("script/picker.js"),
    include_str!("script/tools.js"),
];
/// How many bytes before a page's head are held back.
const MAX_HELD: usize = 64 << 10;

/// The address changes with the script's text.
static ADDRESS: LazyLock<String> = LazyLock::new(|| {
    let text = Sha256::new()
        .chain_update(SOURCE)
        .chain_update(TOOLS.concat());
    format!("{PATH}?{}", hex::encode(&text.finalize()[..4]))
});

/// Serves the script, which trusts the builder at this address.
pub(super) fn serve(public_url: &str) -> Response<Body> {
    let env = serde_json::json!({
        "CODEFLOW_URL": public_url, "NODE_ENV": "development", "__NEXT_DIST_DIR": NEXTJS_DIST
    });
    let tools = TOOLS.concat();
    // Next.js replaces these names at build time; here they are defined as values. The file ends
    // with a line feed.
    let text = format!(
        "(() => {{\ndocument.currentScript?.remove();\nconst process = {{ env: {env} }};\n{SOURCE}{tools}}})();\n"
    );
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Whether a request is for a page in a frame. Without TLS and outside localhost, browsers don't
/// say, so any page may be.
pub(super) fn is_for(method: &Method, headers: &HeaderMap, audience: Audience) -> bool {
    let destination = headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    method == Method::GET
        && audience == Audience::Person
        && matches!(destination, None | Some(b"iframe" | b"frame"))
}

/// The syntax of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    Html,
    /// In XML, a tag in the wrong place would be an error.
    Xhtml,
}

impl Markup {
    /// The syntax of a complete page in an ASCII-compatible encoding; `None` for any other
    /// response.
    pub(super) fn of(response: &Response<Body>) -> Option<Self> {
        let headers = response.headers();
        let text = |name| {
            let value: Option<&HeaderValue> = headers.get(name);
            let text = value.and_then(|value| value.to_str().ok());
            text.unwrap_or_default().to_ascii_lowercase()
        };
        let content_type = text(header::CONTENT_TYPE);
        let (kind, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        let markup = match kind.trim() {
            "text/html" => Self::Html,
            "application/xhtml+xml" => Self::Xhtml,
            _ => return None,
        };
        let is_plain = matches!(&*text(header::CONTENT_ENCODING), "" | "identity")
            && !["utf-16", "utf-32"]
                .iter()
                .any(|wide| parameters.contains(wide));
        let is_download = text(header::CONTENT_DISPOSITION)
            .trim_start()
            .starts_with("attachment");
        let is_whole = !headers.contains_key(header::CONTENT_RANGE);
        (is_plain && is_whole && !is_download && !response.body().is_end_stream()).then_some(markup)
    }
}

/// Headers that describe the original body.
const OF_THE_BODY: [HeaderName; 6] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    header::ETAG,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Allows the page to load the script, whatever its policy says, and returns the script's tag.
pub(super) fn admit(headers: &mut HeaderMap) -> String {
    for name in OF_THE_BODY {
        headers.remove(name);
    }
    let policies = texts(headers, &header::CONTENT_SECURITY_POLICY);
    let mut nonce = None;
    let allowed: Vec<String> = policies
        .iter()
        .map(|list| allowed(list, &mut nonce))
        .collect();
    if allowed != policies {
        replace(
            headers,
            &header::CONTENT_SECURITY_POLICY,
            allowed.into_iter(),
        );
    }
    let nonce = nonce
        .map(|nonce| format!(" nonce=\"{nonce}\""))
        .unwrap_or_default();
    format!("<script src=\"{}\"{nonce}></script>", *ADDRESS)
}

/// A list of policies under which the script runs: by the nonce of the page's own scripts, else by
/// its address.
fn allowed(policies: &str, nonce: &mut Option<String>) -> String {
    let policy = |policy: &str| {
        let directives: Vec<&str> = policy.split(';').collect();
        let find = |name: &str| {
            let named = |directive: &&str| {
                directive
                    .split_ascii_whitespace()
                    .next()
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            };
            directives.iter().copied().find(named)
        };
        let Some(scripts) = ["script-src-elem", "script-src", "default-src"]
            .into_iter()
            .find_map(find)
        else {
            return policy.to_owned();
        };
        let sources: Vec<&str> = scripts.split_ascii_whitespace().skip(1).collect();
        let given = sources
            .iter()
            .find_map(|source| source.strip_prefix("'nonce-")?.strip_suffix('\''));
        // A nonce is Base64, and goes into an attribute.
        let is_plain = |nonce: &&str| {
            nonce
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte))
        };
        if let Some(given) = given.filter(is_plain) {
            nonce.get_or_insert_with(|| given.to_owned());
            return policy.to_owned();
        }
        let is_open = sources
            .iter()
            .any(|source| source.eq_ignore_ascii_case("'self'") || *source == "*");
        let needs_nonce = sources
            .iter()
            .any(|source| source.eq_ignore_ascii_case("'strict-dynamic'"));
        if is_open && !needs_nonce {
            return policy.to_owned();
        }
        let kept = sources
            .iter()
            .filter(|source| !source.eq_ignore_ascii_case("'none'"));
        // Uses a nonce of our own where addresses don't count. The page's own scripts go by hashes
        // there, so none of them is shut out.
        let own = if needs_nonce {
            let own = nonce.get_or_insert_with(|| format!("{:032x}", rand::random::<u128>()));
            format!("'nonce-{own}'")
        } else {
            "'self'".to_owned()
        };
        let sources = kept
            .copied()
            .chain([own.as_str()])
            .collect::<Vec<_>>()
            .join(" ");
        // The first directive of a name counts.
        format!("script-src-elem {sources}; {}", policy.trim_start())
    };
    policies
        .split(',')
        .map(policy)
        .collect::<Vec<_>>()
        .join(",")
}

/// The body of a page, with the script's tag inserted at the start of its head.
pub(super) struct Injecting {
    page: Body,
    markup: Markup,
    tag: String,
    /// The part held back until the tag's position is known; `None` from then on.
    held: Option<BytesMut>,
}

impl Injecting {
    pub(super) fn new(page: Body, markup: Markup, tag: String) -> Self {
        Self {
            page,
            markup,
            tag,
            held: Some(BytesMut::new()),
        }
    }

    /// The part held back, with the tag inserted at `at`.
    fn release(&mut self, at: usize) -> Option<Frame<Bytes>> {
        let mut held = self.held.take()?;
        let is_wide = held.starts_with(b"\xfe\xff") || held.starts_with(b"\xff\xfe");
        let has_place = match self.markup {
            Markup::Html => !is_wide,
            Markup::Xhtml => !is_wide && is_in_head(&held[..at]),
        };
        let rest = held.split_off(at);
        let tag = if has_place { &self.tag } else { "" };
        let page = [&held[..], tag.as_bytes(), &rest[..]].concat();
        Some(Frame::data(page.into()))
    }
}

impl hyper::body::Body for Injecting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.page).poll_frame(context));
            let Some(held) = &mut self.held else {
                return Poll::Ready(frame);
            };
            match frame {
                // Browsers ignore trailers.
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    held.extend_from_slice(&piece);
                    match start_of_head(held) {
                        Spot::Unclear(_) if held.len() < MAX_HELD => {}
                        Spot::Found(at) | Spot::Unclear(at) => {
                            return Poll::Ready(self.release(at).map(Ok));
                        }
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if held.is_empty() => return Poll::Ready(None),
                None => {
                    let (Spot::Found(at) | Spot::Unclear(at)) = start_of_head(held);
                    return Poll::Ready(self.release(at).map(Ok));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.page.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The position of a page's head, in bytes.
#[derive(Debug, PartialEq, Eq)]
enum Spot {
    Found(usize),
    /// More of the page is needed to tell; if there is no more, this is the position.
    Unclear(usize),
}

/// Parses what an HTML parser reads before the head (html.spec.whatwg.org, 13.2.6.4.1 to
/// 13.2.6.4.3).
fn start_of_head(page: &[u8]) -> Spot {
    let mut at = if page.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    loop {
        at += page[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let rest = &page[at..];
        let begins = |start: &[u8]| {
            rest.get(..start.len())
                .is_some_and(|own| own.eq_ignore_ascii_case(start))
        };
        let tag = |name: &[u8]| {
            begins(name)
                && rest
                    .get(name.len())
                    .is_none_or(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte))
        };
        let end = if begins(b"<!--") {
            rest[4..]
                .windows(3)
                .position(|three| three == b"-->")
                .map(|end| 4 + end + 3)
        } else if begins(b"<!") || begins(b"<?") {
            rest.iter()
                .position(|byte| *byte == b'>')
                .map(|end| end + 1)
        } else if tag(b"<html") || tag(b"<head") {
            end_of_tag(rest)
        } else {
            let could_be = |start: &&[u8]| {
                start.len() > rest.len() && start[..rest.len()].eq_ignore_ascii_case(rest)
            };
            let is_short = [&b"<!--"[..], b"<html", b"<head"].iter().any(could_be);
            return if is_short {
                Spot::Unclear(at)
            } else {
                Spot::Found(at)
            };
        };
        match end {
            None => return Spot::Unclear(at),
            Some(end) if tag(b"<head") => return Spot::Found(at + end),
            Some(end) => at += end,
        }
    }
}

/// Whether the text before the position ends with the head's opening tag.
fn is_in_head(before: &[u8]) -> bool {
    let tag = before.iter().rposition(|byte| *byte == b'<');
    tag.is_some_and(|at| {
        let tag = &before[at..];
        tag.starts_with(b"<head") && tag.ends_with(b">") && !tag.ends_with(b"/>")
    })
}

/// The position after a tag's `>`, skipping its attributes' values.
fn end_of_tag(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
