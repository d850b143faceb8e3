//! Converts the assistant's Markdown to HTML that is safe to insert: raw HTML is shown as text,
//! images become links, and links lead only to the web or to mail.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd, html};

use super::{code::code_text, highlight::highlight_code};

/// Opens a code block in an answer; `follow.js` knows the button.
const CODE_START: &str = r#"<div class="code-block"><button type="button" class="code-copy">Copy</button><pre tabindex="0"><code>"#;
/// Closes a code block.
pub const CODE_END: &str = "</code></pre></div>\n";

/// Renders the Markdown text as HTML.
pub fn markdown(text: &str) -> String {
    markdown_blocks(text).concat()
}

/// Renders the Markdown text as HTML, one string per top-level block (paragraph, list, table, code,
/// …).
pub fn markdown_blocks(text: &str) -> Vec<String> {
    render(text, true)
}

fn render(text: &str, in_colours: bool) -> Vec<String> {
    let parser = Parser::new_ext(
        text,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
    );
    // The code being read, with its language; for each open link, whether it is kept.
    let (mut code, mut links) = (None::<(String, String)>, Vec::new());
    let events = parser.filter_map(|event| match event {
        Event::Start(Tag::CodeBlock(kind)) => {
            let info = match &kind {
                CodeBlockKind::Fenced(info) => info,
                CodeBlockKind::Indented => "",
            };
            let language = info.split([' ', ',', '{']).next().unwrap_or_default();
            code = Some((language.to_owned(), String::new()));
            None
        }
        Event::End(TagEnd::CodeBlock) => {
            let (language, code) = code.take()?;
            let code = if in_colours {
                highlight_code(&language, &code)
            } else {
                code_text(&code)
            };
            Some(Event::Html(format!("{CODE_START}{code}{CODE_END}").into()))
        }
        Event::Text(text) => match &mut code {
            Some((_, code)) => {
                code.push_str(&text);
                None
            }
            None => Some(Event::Text(text)),
        },
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        // A remote image would tell its server who reads the conversation.
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            let link = link(&dest_url);
            links.push(link.is_some());
            link
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            let leads = links.pop().unwrap_or_default();
            leads.then(|| Event::InlineHtml("</a>".into()))
        }
        event => Some(event),
    });
    let (mut blocks, mut block, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for event in events {
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        block.push(event);
        if depth == 0 {
            let mut html = String::new();
            html::push_html(&mut html, block.drain(..));
            blocks.push(with_alignment_as_attribute(html));
        }
    }
    blocks
}

/// Cells of a table with their alignment as an attribute: the page's policy refuses style
/// attributes. Within text, `<` is escaped.
fn with_alignment_as_attribute(mut html: String) -> String {
    for cell in ["td", "th"] {
        let styled = format!("<{cell} style=\"text-align: ");
        if html.contains(&styled) {
            html = html.replace(&styled, &format!("<{cell} align=\""));
        }
    }
    html
}

/// Renders a text that ends with the line that opens fenced code, up to the beginning of that code:
/// more code can be appended, with [`CODE_END`] after it. `None` if the line turns out not to be a
/// fence.
pub fn open_code(text: &str) -> Option<String> {
    let mut html = render(text, false).concat();
    html.truncate(html.strip_suffix(CODE_END)?.len());
    Some(html)
}

/// The start tag of a link that opens in a new tab; `None` if it leads neither to the web nor to
/// mail.
fn link<'a>(url: &str) -> Option<Event<'a>> {
    let scheme = url.split(':').next().unwrap_or_default();
    let is_safe = ["http", "https", "mailto"]
        .iter()
        .any(|safe| scheme.eq_ignore_ascii_case(safe));
    is_safe.then(|| {
        let href = code_text(url).replace('"', "&quot;");
        let start =
            format!(r#"<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">"#);
        Event::InlineHtml(start.into())
    })
}

#[cfg(test)]
mod tests {
    use super::{super::highlight::MAX_HIGHLIGHTED_CODE, *};

    #[test]
    fn code_has_colours_and_a_button_and_its_text_cannot_end_it() {
        let html = markdown("```tsx app/a.tsx\nconst a = \"</code>\";\n```\n\n- x\n\n      <b>\n");
        assert!(
            html.starts_with(CODE_START) && html.contains("class=\"hl-"),
            "{html}"
        );
        assert_eq!(html.matches("</code>").count(), 2, "{html}");
        assert!(
            html.contains("&lt;b&gt;") && html.contains("<li>"),
            "{html}"
        );
        let nested =
            markdown("[![a](https://a.test/b.png)](javascript:x) & [\"](<https://c.test/\"x>)");
        assert_eq!(
            nested.matches("<a ").count(),
            nested.matches("</a>").count(),
            "{nested}"
        );
        assert!(
            !nested.contains("javascript") && nested.contains("/&quot;x\""),
            "{nested}"
        );
    }

    #[test]
    fn what_follows_each_other_is_a_block_of_its_own() {
        let text = "# A\nb **c** [d]\n***\n- e\n\n- f\n\n```ts\ng\n```\n> h\n\n|i|\n|-|\n|j|\n\n\
            [d]: https://d.test";
        let blocks = markdown_blocks(text);
        let begins = [
            "<h1>",
            "<p>",
            "<hr",
            "<ul>",
            CODE_START,
            "<blockquote>",
            "<table>",
        ];
        assert_eq!(blocks.len(), begins.len(), "{blocks:#?}");
        for (block, begin) in blocks.iter().zip(begins) {
            assert!(block.starts_with(begin), "{begin}: {block}");
        }
        assert!(blocks[1].contains("href=\"https://d.test\""), "{blocks:#?}");
        assert_eq!(blocks.concat(), markdown(text));
    }

    #[test]
    fn the_cells_of_a_table_are_aligned_without_a_style() {
        let html = markdown("|a|b|\n|-|-:|\n|<td style=\"text-align: x|`c`|");
        assert!(
            html.contains("<th align=\"right\">b</th>")
                && html.contains("<td align=\"right\"><code>c</code></td>")
                && html.contains("<td>&lt;td style=\"text-align: x</td>"),
            "{html}"
        );
    }

    #[test]
    fn long_code_has_no_colours() {
        let coloured = |lines: usize| {
            let code = "const a = 1;\n".repeat(lines);
            markdown(&format!("```ts\n{code}```")).contains("class=\"hl-")
        };
        assert!(coloured(100) && !coloured(MAX_HIGHLIGHTED_CODE / 12));
    }

    #[test]
    fn raw_html_remote_images_and_script_links_do_not_survive() {
        let html = markdown(
            "**hi** <script>alert(1)</script> ![pixel](https://x.test/a.png) \
             [a](javascript:alert(1)) [b](https://b.test)",
        );
        assert_eq!(
            html,
            "<p><strong>hi</strong> &lt;script&gt;alert(1)&lt;/script&gt; \
             <a href=\"https://x.test/a.png\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">pixel</a> \
             a <a href=\"https://b.test\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">b</a></p>\n"
        );
    }
}
