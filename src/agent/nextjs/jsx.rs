//! One element in a source of the app, as far as its text and its classes are literal: read and
//! rewritten for people who change them in the preview. Computed values are left alone.

mod entities;
mod scan;

use std::ops::Range;

use entities::{decoded, encoded};
use scan::{Value, attributes, skip_braces};

/// An element's text or classes in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A literal; `range` is the part that a new value replaces.
    Written { range: Range<usize>, value: String },
    /// It is missing, and may be inserted at this position.
    Absent { at: usize },
    /// Computed by an expression. `forwards` says that it passes on what the component was given.
    Computed { forwards: bool },
}

/// The opening tag of an element, in bytes of the source.
#[derive(Debug)]
pub struct Element<'a> {
    source: &'a str,
    name: &'a str,
    attributes: Vec<scan::Attribute<'a>>,
    /// The offset after its last attribute or its name.
    inner_end: usize,
    /// The offset after its `>`; `None` if the tag closes itself.
    content: Option<usize>,
}

impl<'a> Element<'a> {
    /// The element `tag` that begins at this line and column, counted from 1. As source maps'
    /// columns are imprecise, it is the nearest one in the line. An HTML element may also come from
    /// a variable there, such as `<Comp …>`.
    pub fn find(source: &'a str, tag: &str, line: u32, column: u32) -> Option<Self> {
        if tag.is_empty() {
            return None;
        }
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = match index {
            0 => 0,
            _ => source.match_indices('\n').nth(index - 1)?.0 + 1,
        };
        let text = source[start..].split('\n').next().unwrap_or_default();
        let wanted = units(text, column.saturating_sub(1) as usize);
        let tags = text.match_indices('<').map(|(at, _)| at);
        let named = tags
            .clone()
            .filter(|at| name_at(&text[at + 1..]) == tag)
            .min_by_key(|at| at.abs_diff(wanted));
        let is_variable = |at: &usize| {
            let name = &text[at + 1..];
            *at == wanted && name.starts_with(|sign: char| sign.is_ascii_uppercase())
        };
        let start = start + named.or_else(|| tags.clone().find(is_variable))?;
        Self::read(source, start)
    }

    fn read(source: &'a str, start: usize) -> Option<Self> {
        let name = name_at(&source[start + 1..]);
        let (attributes, inner_end, end) = attributes(source, start + 1 + name.len())?;
        let content = match &source[end..] {
            rest if rest.starts_with("/>") => None,
            _ => Some(end + 1),
        };
        Some(Self {
            source,
            name,
            attributes,
            inner_end,
            content,
        })
    }

    /// The classes.
    pub fn classes(&self) -> Literal {
        let found = self
            .attributes
            .iter()
            .rfind(|attribute| attribute.name == "className");
        let is_spread = self
            .attributes
            .iter()
            .any(|attribute| attribute.name == "...");
        match found {
            Some(attribute) => match &attribute.value {
                Value::Text(text) => match decoded(text) {
                    Some(value) => Literal::Written {
                        range: attribute.range.clone(),
                        value,
                    },
                    None => Literal::Computed { forwards: false },
                },
                Value::Expression(code) => match simple_string(code) {
                    Some(value) => Literal::Written {
                        range: attribute.range.clone(),
                        value: value.to_owned(),
                    },
                    None => Literal::Computed {
                        forwards: has_word(code, "className"),
                    },
                },
                Value::None => Literal::Computed { forwards: false },
            },
            None if is_spread => Literal::Computed { forwards: true },
            None => Literal::Absent { at: self.inner_end },
        }
    }

    /// The text, if the element contains nothing else.
    pub fn text(&self) -> Literal {
        const COMPUTED: Literal = Literal::Computed { forwards: false };
        let Some(start) = self.content else {
            return COMPUTED;
        };
        let rest = &self.source[start..];
        let end = rest.find(['<', '{']).unwrap_or(rest.len());
        let ends_here = |rest: &str| {
            let close = rest.strip_prefix("</").map(str::trim_start);
            close.is_some_and(|close| name_at(close) == self.name)
        };
        if ends_here(&rest[end..]) {
            let text = &rest[..end];
            let (before, after) = margins(text);
            return match decoded(text) {
                Some(value) => Literal::Written {
                    range: start + before..start + end - after,
                    value: collapsed(&value),
                },
                None => COMPUTED,
            };
        }
        // A string in braces is accepted, too.
        if rest[end..].starts_with('{') && rest[..end].trim().is_empty() {
            let open = start + end;
            let Some(close) = skip_braces(self.source, open) else {
                return COMPUTED;
            };
            let code = &self.source[open + 1..close - 1];
            let after = self.source[close..].trim_start();
            if let (Some(value), true) = (simple_string(code), ends_here(after)) {
                return Literal::Written {
                    range: open..close,
                    value: collapsed(value),
                };
            }
        }
        COMPUTED
    }
}

/// The source with the literal's classes replaced; without any, the attribute is removed.
pub fn with_classes(source: &str, literal: &Literal, classes: &str) -> Option<String> {
    let classes = collapsed(classes);
    match literal {
        Literal::Computed { .. } => None,
        Literal::Absent { .. } if classes.is_empty() => Some(source.to_owned()),
        Literal::Absent { at } => {
            let attribute = format!(" className=\"{}\"", encoded(&classes, &['"']));
            Some(replaced(source, *at..*at, &attribute))
        }
        Literal::Written { range, .. } if classes.is_empty() => {
            let blank = source[..range.start].len() - source[..range.start].trim_end().len();
            Some(replaced(source, range.start - blank..range.end, ""))
        }
        Literal::Written { range, .. } => {
            let attribute = format!("className=\"{}\"", encoded(&classes, &['"']));
            Some(replaced(source, range.clone(), &attribute))
        }
    }
}

/// The source with another text in place of a literal.
pub fn with_text(source: &str, literal: &Literal, text: &str) -> Option<String> {
    match literal {
        Literal::Written { range, .. } => {
            let text = encoded(&collapsed(text), &['<', '>', '{', '}']);
            Some(replaced(source, range.clone(), &text))
        }
        Literal::Absent { .. } | Literal::Computed { .. } => None,
    }
}

/// Collapses blanks and line breaks, as a page does.
pub fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn replaced(source: &str, range: Range<usize>, text: &str) -> String {
    format!("{}{text}{}", &source[..range.start], &source[range.end..])
}

/// The name that a tag begins with.
fn name_at(text: &str) -> &str {
    let is_of_name = |sign: char| sign.is_alphanumeric() || "_$.-:".contains(sign);
    let end = text.find(|sign| !is_of_name(sign)).unwrap_or(text.len());
    &text[..end]
}

/// How many bytes of blanks a text has at its beginning and end.
fn margins(text: &str) -> (usize, usize) {
    let words = text.trim();
    match words.is_empty() {
        true => (0, 0),
        false => (
            text.len() - text.trim_start().len(),
            text.len() - text.trim_end().len(),
        ),
    }
}

/// The byte offset of a number of UTF-16 units.
fn units(text: &str, count: usize) -> usize {
    let mut left = count;
    for (at, sign) in text.char_indices() {
        if left == 0 {
            return at;
        }
        left = left.saturating_sub(sign.len_utf16());
    }
    text.len()
}

/// The string in an expression, if there is nothing to compute or unescape in it.
fn simple_string(code: &str) -> Option<&str> {
    let code = code.trim();
    let quote = code
        .chars()
        .next()
        .filter(|quote| "\"'`".contains(*quote))?;
    let inner = code.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_simple = !inner.contains([quote, '\\']) && !(quote == '`' && inner.contains("${"));
    is_simple.then_some(inner)
}

fn has_word(code: &str, word: &str) -> bool {
    let is_of_word = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '$';
    code.split(|sign| !is_of_word(sign))
        .any(|found| found == word)
}

#[cfg(test)]
mod tests;
