//! The state of an app, judged by a page of the dev server: it works, it is starting, or it fails
//! and why.

use std::collections::BTreeSet;

use crate::{agent::text::plain, protocol::first_chars, sandbox::Page};

/// The longest reason, in characters.
const MAX_REASON: usize = 600;
/// How many stylesheets of a page are read.
const MAX_STYLESHEETS: usize = 8;

/// Marks the template's first page, which no app keeps.
const PLACEHOLDER: &str = "data-codeflow-placeholder";
/// The problem of a page that answers 404.
pub const NOT_FOUND: &str = "It answers with HTTP 404, although there is a page for it: either \
                             the page calls notFound(), or Next.js does not serve its file, as it does not \
                             serve src/app when there is an app folder.";

/// The state of an app's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageState {
    /// Nothing listens yet.
    Starting,
    /// The page answers.
    Ready,
    /// The page fails, with the reason in a few lines for people.
    Failed(String),
}

/// What the app answered to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    body: String,
}

impl Answer {
    pub fn of(page: &Page) -> Self {
        Self {
            status: page.status,
            body: String::from_utf8_lossy(&page.body).into_owned(),
        }
    }

    /// The state that it shows, if it is a page.
    pub fn page_state(&self) -> PageState {
        judge(self.status, &self.body)
    }

    /// Whether the dev server says that it could not compile the page.
    pub fn is_compile_error(&self) -> bool {
        self.status >= 500 && self.body.contains("id=\"__NEXT_DATA__\"")
    }

    /// Whether Next.js reports that a route handler threw an error, with its error page or an empty
    /// response.
    pub fn is_uncaught(&self) -> bool {
        let body = self.body.trim();
        self.status == 500
            && (body.is_empty() || body == "Internal Server Error" || next_error(body).is_some())
    }

    /// The paths of the page's stylesheets, each once.
    pub fn stylesheets(&self) -> BTreeSet<String> {
        let links = self.body.split("href=\"").skip(1);
        let links = links.filter_map(|rest| rest.split('"').next());
        let is_stylesheet = |link: &&str| {
            let path = link.split('?').next().unwrap_or_default();
            path.starts_with('/') && path.contains("/_next/") && path.ends_with(".css")
        };
        let paths = links.filter(is_stylesheet).take(MAX_STYLESHEETS);
        paths.map(unescape).collect()
    }

    /// Whether it is still the template's first page.
    pub fn is_placeholder(&self) -> bool {
        self.has(PLACEHOLDER)
    }

    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// The response's text on a line of its own, if it is short and readable.
    pub fn beginning(&self) -> String {
        if let PageState::Failed(reason) = self.page_state()
            && !reason.starts_with("The app answered")
        {
            return format!("\n{reason}");
        }
        let text = self.body.trim();
        if text.is_empty() || text.starts_with('<') {
            return String::new();
        }
        format!("\n{}", first_chars(text, MAX_REASON))
    }
}

/// Judges the page. A 404 of the first page is a failure too: an app has one.
fn judge(status: u16, body: &str) -> PageState {
    match status {
        200..=399 => PageState::Ready,
        404 => PageState::Failed(
            "The app has no first page (404): app/page.tsx is missing.".to_owned(),
        ),
        status => {
            let reason =
                next_error(body).unwrap_or_else(|| format!("The app answered with HTTP {status}."));
            PageState::Failed(reason)
        }
    }
}

/// The error in Next.js' development error page: in the data of its overlay (compile errors), in
/// the template that carries it to the client (errors thrown there), or in the rows of React's
/// stream (errors thrown in a server component).
fn next_error(body: &str) -> Option<String> {
    let data = between(body, "id=\"__NEXT_DATA__\"", "</script>")
        .and_then(|script| script.split_once('>'));
    let from_data = data.and_then(|(_, json)| {
        let json: serde_json::Value = serde_json::from_str(json).ok()?;
        json["err"]["message"].as_str().map(str::to_owned)
    });
    let from_template = || between(body, "data-next-error-message=\"", "\"").map(unescape);
    let text = from_data
        .or_else(from_template)
        .or_else(|| from_stream(body))?;
    let text = plain::text(text.as_bytes());
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let text = lines.into_iter().take(8).collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then(|| first_chars(&text, MAX_REASON).to_owned())
}

/// A row `<id>:E{"digest":…,"name":…,"message":…,"stack":…}`: JSON within a string of a script.
fn from_stream(body: &str) -> Option<String> {
    let row = between(body, r#":E{\"digest\":"#, r#",\"stack\":"#)?;
    let (_, message) = row.split_once(r#"\"message\":"#)?;
    let json: String = serde_json::from_str(&format!("\"{message}\"")).ok()?;
    serde_json::from_str(&json).ok()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(start)?;
    Some(after.split_once(end)?.0)
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_read_off_next_s_error_pages() {
        let data = r#"<script id="__NEXT_DATA__" type="application/json">{"err":{"name":"Error","message":"./app/page.tsx:3:7\n\u001b[31mExpected ';'\u001b[0m\n\n  1 | x"}}</script>"#;
        assert_eq!(
            judge(500, data),
            PageState::Failed("./app/page.tsx:3:7\nExpected ';'\n  1 | x".to_owned())
        );
        let template = r#"<template data-next-error-message="Can&#x27;t read &quot;x&quot;" data-next-error-stack="…"></template>"#;
        assert_eq!(
            judge(500, template),
            PageState::Failed("Can't read \"x\"".to_owned())
        );
        assert_eq!(
            judge(500, "oops"),
            PageState::Failed("The app answered with HTTP 500.".to_owned())
        );
        assert_eq!(judge(200, "<h1>Hi</h1>"), PageState::Ready);
    }

    #[test]
    fn a_page_s_stylesheets_are_those_that_the_dev_server_builds() {
        let css = "/_next/static/chunks/app_globals_1.css";
        let body = format!(
            r#"<link rel="stylesheet" href="{css}"/><link rel="preload" href="{css}"/>
               <link href="/shop/_next/a.css?v=1&amp;w=2"/><link href="/own.css"/>
               <link href="https://a.example/_next/b.css"/><script src="/_next/c.js"></script>"#
        );
        let page = Answer { status: 200, body };
        let found: Vec<String> = page.stylesheets().into_iter().collect();
        assert_eq!(found, [css, "/shop/_next/a.css?v=1&w=2"]);
    }
}
