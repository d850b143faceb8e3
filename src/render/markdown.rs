//! The assistant's Markdown as HTML that is safe to insert: raw HTML is shown as text, images
//! become links, and links lead only to the web or to mail.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// The HTML of the Markdown text.
pub fn markdown(text: &str) -> String {
    let parser = Parser::new_ext(
        text,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
    );
    let events = parser.map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link {
            dest_url,
            title,
            id,
            ..
        }) => link(dest_url, title, id),
        // A remote image would tell its server who reads the conversation.
        Event::Start(Tag::Image {
            dest_url,
            title,
            id,
            ..
        }) => link(dest_url, title, id),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        event => event,
    });
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events);
    out
}

/// The end of fenced code's HTML.
pub const CODE_END: &str = "</code></pre>\n";

/// The HTML of a text that ends with the line that opens fenced code, and of that code's beginning:
/// more code can be appended with [`CODE_END`] after it. `None` where the line is no fence after
/// all.
pub fn open_code(text: &str) -> Option<String> {
    let mut html = markdown(text);
    html.truncate(html.strip_suffix(CODE_END)?.len());
    Some(html)
}

/// Code as the text of an element.
pub fn code_text(code: &str) -> String {
    code.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn link<'a>(url: CowStr<'a>, title: CowStr<'a>, id: CowStr<'a>) -> Event<'a> {
    let scheme = url
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let allowed = matches!(scheme.as_str(), "http" | "https" | "mailto");
    Event::Start(Tag::Link {
        link_type: LinkType::Inline,
        dest_url: if allowed { url } else { CowStr::Borrowed("#") },
        title,
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_remote_images_and_script_links_do_not_survive() {
        let html = markdown(
            "**hi** <script>alert(1)</script> ![pixel](https://x.test/a.png) \
             [a](javascript:alert(1)) [b](https://b.test)",
        );
        assert_eq!(
            html,
            "<p><strong>hi</strong> &lt;script&gt;alert(1)&lt;/script&gt; <a href=\"https://x.test/a.png\">pixel</a> \
             <a href=\"#\">a</a> <a href=\"https://b.test\">b</a></p>\n"
        );
    }
}
