//! Parses the attributes of an opening tag: just enough JSX and TypeScript to find where each
//! begins and ends.

use std::ops::Range;

/// One attribute; a spread is called `...`.
#[derive(Debug)]
pub struct Attribute<'a> {
    pub name: &'a str,
    pub value: Value<'a>,
    /// From its name to the end of its value.
    pub range: Range<usize>,
}

#[derive(Debug)]
pub enum Value<'a> {
    None,
    /// Between quotes.
    Text(&'a str),
    /// Between braces.
    Expression(&'a str),
}

/// The attributes of a tag whose name ends at `at`, the end of the last attribute, and the offset
/// of its `>` or `/>`. `None` if it is not a tag.
pub fn attributes(source: &str, at: usize) -> Option<(Vec<Attribute<'_>>, usize, usize)> {
    let mut at = skip_type_arguments(source, at)?;
    let mut attributes = Vec::new();
    let mut last_end = at;
    loop {
        at = skip_blanks(source, at)?;
        let rest = &source[at..];
        if rest.starts_with('>') || rest.starts_with("/>") {
            return Some((attributes, last_end, at));
        }
        let attribute = attribute(source, at)?;
        at = attribute.range.end;
        last_end = at;
        attributes.push(attribute);
    }
}

fn attribute(source: &str, start: usize) -> Option<Attribute<'_>> {
    let rest = &source[start..];
    if rest.starts_with('{') {
        let end = skip_braces(source, start)?;
        let code = &source[start + 1..end - 1];
        return code.trim_start().starts_with("...").then_some(Attribute {
            name: "...",
            value: Value::Expression(code),
            range: start..end,
        });
    }
    let is_of_name = |sign: char| sign.is_alphanumeric() || "_$-:".contains(sign);
    let length = rest.find(|sign| !is_of_name(sign))?;
    let name = &rest[..length];
    let after = start + length;
    if name.is_empty() {
        return None;
    }
    let equals = skip_blanks(source, after)?;
    if !source[equals..].starts_with('=') {
        return Some(Attribute {
            name,
            value: Value::None,
            range: start..after,
        });
    }
    let begin = skip_blanks(source, equals + 1)?;
    let (value, end) = match source[begin..].chars().next()? {
        quote @ ('"' | '\'') => {
            let text = source[begin + 1..].split(quote).next()?;
            let end = begin + 1 + text.len() + 1;
            (Value::Text(text), end)
        }
        '{' => {
            let end = skip_braces(source, begin)?;
            (Value::Expression(&source[begin + 1..end - 1]), end)
        }
        _ => return None,
    };
    (end <= source.len()).then_some(Attribute {
        name,
        value,
        range: start..end,
    })
}

/// The offset after blanks and comments; `None` at the end of the source.
fn skip_blanks(source: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = &source[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &source[at..];
        if let Some(comment) = rest.strip_prefix("/*") {
            at += comment.find("*/")? + 4;
        } else if rest.starts_with("//") {
            at += rest.find('\n')?;
        } else {
            return (!rest.is_empty()).then_some(at);
        }
    }
}

/// The offset after `<string>`, as in `<Select<string> …>`.
fn skip_type_arguments(source: &str, at: usize) -> Option<usize> {
    if !source[at..].starts_with('<') {
        return Some(at);
    }
    let mut depth = 0;
    for (offset, sign) in source[at..].char_indices() {
        match sign {
            '<' => depth += 1,
            '>' => depth -= 1,
            '\n' | ';' => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(at + offset + 1);
        }
    }
    None
}

/// The offset after the brace that closes the one at `start`, skipping strings, templates and
/// comments.
pub fn skip_braces(source: &str, start: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            // An apostrophe in an element's text is not a string: its line contains no other.
            quote @ (b'"' | b'\'') => {
                if let Some(end) = string_end(bytes, at, quote) {
                    at = end;
                }
            }
            b'`' => at = template_end(source, at)?,
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at += 2 + source[at + 2..].find("*/")? + 1;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/')
                && bytes.get(at.wrapping_sub(1)) != Some(&b':') =>
            {
                at += source[at..].find('\n')?;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last quote of the string that begins at `start`; `None` if the line ends before.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\n' => return None,
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The last backtick of the template that begins at `start`.
fn template_end(source: &str, start: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 1,
            b'`' => return Some(at),
            b'$' if bytes.get(at + 1) == Some(&b'{') => at = skip_braces(source, at + 1)? - 1,
            _ => {}
        }
        at += 1;
    }
}
