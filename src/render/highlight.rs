//! Highlights source files line by line, with class names only (`hl-…`), so that the page's light
//! and dark colours apply.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use syntect::{
    html::{ClassStyle, ClassedHTMLGenerator},
    parsing::{SyntaxReference, SyntaxSet},
    util::LinesWithEndings,
};

use super::code::code_text;
use crate::protocol::{FileView, MAX_EDITED};

/// Files larger than this, in bytes, are shown without colours: highlighting takes about a second
/// for a megabyte.
const MAX_HIGHLIGHTED_BYTES: usize = 128 * 1024;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(two_face::syntax::extra_newlines);

/// The file for reading: its text and highlighted lines. A binary or very large file has a notice
/// instead.
pub fn highlight(path: &str, content: &[u8]) -> FileView {
    let mut view = plain_view(path, content);
    if let Some(text) = &view.text {
        (view.language, view.lines) = highlighted(path, text);
    }
    view
}

/// The same without lines, for editors.
pub fn plain_view(path: &str, content: &[u8]) -> FileView {
    let mut view = FileView {
        path: path.to_owned(),
        language: "Plain Text".to_owned(),
        lines: Vec::new(),
        size: content.len() as u64,
        notice: None,
        text: None,
        hash: hex::encode(Sha256::digest(content)),
        image: image_type(path).is_some(),
    };
    if content.len() > MAX_EDITED {
        view.notice = Some(format!(
            "This file is {} kB; files up to {} kB are shown.",
            content.len() / 1024,
            MAX_EDITED / 1024
        ));
        return view;
    }
    match std::str::from_utf8(content) {
        Ok(text) if !text.contains('\0') => view.text = Some(text.to_owned()),
        _ => view.notice = Some("This is a binary file.".to_owned()),
    }
    view
}

/// The media type of an image that browsers can show, by file name.
pub fn image_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// The language's name, and one line of HTML per line of text.
fn highlighted(path: &str, text: &str) -> (String, Vec<String>) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit('.').next().unwrap_or(name);
    let syntax = SYNTAXES
        .find_syntax_by_extension(name)
        .or_else(|| SYNTAXES.find_syntax_by_extension(extension))
        .unwrap_or_else(|| SYNTAXES.find_syntax_plain_text());
    let lines = if text.len() > MAX_HIGHLIGHTED_BYTES {
        text.lines().map(code_text).collect()
    } else {
        let mut html = generator(syntax);
        // Without the last line break, which would add an empty line.
        for line in LinesWithEndings::from(text.strip_suffix('\n').unwrap_or(text)) {
            // If the syntax fails on a line, that line is left out; the rest of the file still
            // shows.
            let _ = html.parse_html_for_line_which_includes_newline(line);
        }
        split_lines(&html.finalize())
    };
    (syntax.name.clone(), lines)
}

/// Longer code in an answer, in bytes, is shown without colours: with them its HTML is a dozen times
/// as long, a browser lays it out in one go, and a page has many such blocks.
pub(super) const MAX_HIGHLIGHTED_CODE: usize = 16 * 1024;

/// Highlights code of a language that an answer names, such as `tsx`, as the content of an element.
pub(super) fn highlight_code(language: &str, code: &str) -> String {
    let syntax = SYNTAXES
        .find_syntax_by_token(language)
        .filter(|_| code.len() <= MAX_HIGHLIGHTED_CODE && !language.is_empty());
    let Some(syntax) = syntax else {
        return code_text(code);
    };
    let mut html = generator(syntax);
    for line in LinesWithEndings::from(code) {
        if html
            .parse_html_for_line_which_includes_newline(line)
            .is_err()
        {
            return code_text(code);
        }
    }
    html.finalize()
}

fn generator(syntax: &SyntaxReference) -> ClassedHTMLGenerator<'_> {
    ClassedHTMLGenerator::new_with_class_style(
        syntax,
        &SYNTAXES,
        ClassStyle::SpacedPrefixed { prefix: "hl-" },
    )
}

/// Splits the HTML at line ends; spans that cross an end are closed before it and reopened after
/// it.
fn split_lines(html: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in html.lines() {
        let mut out = open.concat();
        let mut rest = line;
        while let Some(start) = rest.find('<') {
            let end = rest[start..]
                .find('>')
                .map_or(rest.len(), |end| start + end + 1);
            let tag = &rest[start..end];
            if tag.starts_with("</") {
                open.pop();
            } else {
                open.push(tag);
            }
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        out.push_str(rest);
        out.push_str(&"</span>".repeat(open.len()));
        lines.push(out);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_tsx_file_is_balanced_html_and_keeps_its_text() {
        let source = "export default function Page() {\n  /* one\n     two */\n  return <a href=\"x\">a & b</a>\n}\n";
        let view = highlight("app/page.tsx", source.as_bytes());
        assert_eq!(view.text.as_deref(), Some(source));
        assert_eq!(view.language, "TypeScriptReact");
        assert_eq!(view.lines.len(), source.lines().count());
        for (line, html) in source.lines().zip(&view.lines) {
            assert_eq!(
                html.matches("<span").count(),
                html.matches("</span>").count(),
                "{html}"
            );
            let text: String = html
                .split('<')
                .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
                .collect();
            let text = text
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&amp;", "&");
            assert_eq!(text, line);
        }
        assert!(
            view.lines[0].contains("hl-keyword") || view.lines[0].contains("hl-storage"),
            "{}",
            view.lines[0]
        );
    }

    #[test]
    fn a_binary_file_has_a_notice_and_no_lines() {
        let view = highlight("logo.png", &[0x89, b'P', 0, 1]);
        assert!(view.image && view.text.is_none());
        assert_eq!(
            (view.lines.len(), view.notice.as_deref()),
            (0, Some("This is a binary file."))
        );
    }
}
