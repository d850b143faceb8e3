//! Lenient JSON: lone surrogates (`"\ud83d"` in one chunk, `"\ude00"` in the next), zero bytes and
//! raw control characters must not cost an answer.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Represents a lone surrogate in parsed text; its four hexadecimal digits follow. The character
/// itself is doubled.
const SURROGATE: char = '\u{10fffd}';
const REPLACEMENT: char = '\u{fffd}';

/// The treatment of lone surrogates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surrogates {
    /// Kept for a [`Joiner`].
    Keep,
    Replace,
}

/// Parses the text; `None` if it is not JSON. Strings in the value must pass through a [`Joiner`]
/// or [`settled`].
pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(&readable(text, Surrogates::Keep)).ok()
}

/// Parses consecutive values, as far as they are readable.
pub fn parse_all(text: &str) -> Vec<Value> {
    let text = readable(text, Surrogates::Keep);
    serde_json::Deserializer::from_str(&text)
        .into_iter()
        .map_while(Result::ok)
        .collect()
}

/// The same JSON in a form that every parser reads: lone surrogates and zero bytes are replaced,
/// raw control characters escaped.
pub fn repaired(text: &str) -> Cow<'_, str> {
    readable(text, Surrogates::Replace)
}

/// The values at the beginning of a text, with or without the mark between them, and the rest of
/// the text.
pub fn parse_concatenated(text: &str, mark: &str) -> (Vec<Value>, String) {
    let text = readable(text, Surrogates::Keep);
    let (mut values, mut rest) = (Vec::new(), text.trim());
    loop {
        let mut parsed = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(value)) = parsed.next() else {
            return (values, rest.to_owned());
        };
        values.push(value);
        rest = rest[parsed.byte_offset()..].trim_start();
        rest = rest.strip_prefix(mark).unwrap_or(rest).trim_start();
    }
}

/// Whether a text that should be one JSON object is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Whole,
    /// Valid so far, but ends too early.
    CutOff,
    Other,
}

/// Whether the text is one JSON object, or the beginning of one.
pub fn shape(text: &str) -> Shape {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match Object::deserialize(&mut deserializer).and_then(|_| deserializer.end()) {
        Ok(()) => Shape::Whole,
        Err(error) if error.is_eof() && text.trim_start().starts_with('{') => Shape::CutOff,
        Err(_) => Shape::Other,
    }
}

/// Any object, without its content.
type Object = std::collections::BTreeMap<String, serde::de::IgnoredAny>;

/// The consecutive objects of a text, each as written; `None` if it contains anything else.
pub fn objects(text: &str) -> Option<Vec<&str>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Object>();
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        value.ok()?;
        found.push(text[from..values.byte_offset()].trim());
        from = values.byte_offset();
    }
    Some(found).filter(|found| !found.is_empty())
}

fn readable(text: &str, surrogates: Surrogates) -> Cow<'_, str> {
    let is_plain = |text: &str| {
        let mut bytes = text.bytes();
        !bytes.any(|byte| byte < b' ')
            && !text.contains(SURROGATE)
            && !["\\ud", "\\uD", "\\u0000"]
                .iter()
                .any(|sign| text.contains(sign))
    };
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '"' => {
                in_string = !in_string;
                out.push(letter);
            }
            '\\' if in_string => rest = escape(rest, surrogates, &mut out),
            '\0' if in_string => out.push(REPLACEMENT),
            control if in_string && control < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            SURROGATE if in_string && surrogates == Surrogates::Keep => {
                out.extend([SURROGATE, SURROGATE])
            }
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Writes the escape sequence after a backslash; returns the rest.
fn escape<'a>(rest: &'a str, surrogates: Surrogates, out: &mut String) -> &'a str {
    let Some((unit, after)) = unit(rest) else {
        out.push('\\');
        let length = rest.chars().next().map_or(0, char::len_utf8);
        out.push_str(&rest[..length]);
        return &rest[length..];
    };
    if let Some(letter) = char::from_u32(u32::from(unit)) {
        match (letter, surrogates) {
            ('\0', _) => out.push(REPLACEMENT),
            _ => out.push_str(&rest_as_escape(rest)),
        }
        return after;
    }
    let second = after.strip_prefix('\\').and_then(self::unit);
    if let Some((second, behind)) = second
        && let Some(letter) = joined(unit, second)
    {
        if letter == SURROGATE && surrogates == Surrogates::Keep {
            out.push(SURROGATE);
        }
        out.push(letter);
        return behind;
    }
    match surrogates {
        Surrogates::Keep => out.push_str(&format!("{SURROGATE}{unit:04x}")),
        Surrogates::Replace => out.push(REPLACEMENT),
    }
    after
}

/// `\u` and its four digits.
fn rest_as_escape(rest: &str) -> String {
    format!("\\{}", &rest[..5])
}

/// The UTF-16 unit of an escape such as `ud83d`, and the rest.
fn unit(rest: &str) -> Option<(u16, &str)> {
    let digits = rest.strip_prefix('u')?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some((
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)?,
        &rest[5..],
    ))
}

fn joined(first: u16, second: u16) -> Option<char> {
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::decode_utf16([first, second]).next()?.ok()
}

/// Joins pieces of a text that may split characters.
#[derive(Debug, Default)]
pub struct Joiner {
    /// A high surrogate whose low one may follow.
    waiting: Option<u16>,
}

impl Joiner {
    /// The known part of the piece's text, with zero bytes replaced.
    pub fn take(&mut self, piece: &str) -> String {
        if self.waiting.is_none() && !piece.contains([SURROGATE, '\0']) {
            return piece.to_owned();
        }
        let mut out = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let half = rest
                .get(..4)
                .filter(|_| letter == SURROGATE)
                .and_then(|digits| u16::from_str_radix(digits, 16).ok());
            let Some(half) = half else {
                out.extend(self.waiting.take().map(|_| REPLACEMENT));
                out.push(if letter == '\0' { REPLACEMENT } else { letter });
                if letter == SURROGATE {
                    rest = rest.strip_prefix(SURROGATE).unwrap_or(rest);
                }
                continue;
            };
            rest = &rest[4..];
            match self.waiting.take() {
                Some(first) if joined(first, half).is_some() => out.extend(joined(first, half)),
                waiting => {
                    out.extend(waiting.map(|_| REPLACEMENT));
                    if half < 0xdc00 {
                        self.waiting = Some(half);
                    } else {
                        out.push(REPLACEMENT);
                    }
                }
            }
        }
        out
    }

    /// The remainder at the end of the text.
    pub fn end(&mut self) -> Option<char> {
        self.waiting.take().map(|_| REPLACEMENT)
    }
}

/// A text that came in one piece.
pub fn settled(text: &str) -> String {
    let mut joiner = Joiner::default();
    let mut settled = joiner.take(text);
    settled.extend(joiner.end());
    settled
}

/// The value with all texts in it settled.
pub fn settle(value: &mut Value) {
    match value {
        Value::String(text) if text.contains([SURROGATE, '\0']) => *text = settled(text),
        Value::Array(values) => values.iter_mut().for_each(settle),
        Value::Object(fields) => fields.values_mut().for_each(settle),
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_character_cut_in_two_is_joined_and_a_lone_half_becomes_a_replacement_mark() {
        for (pieces, text) in [
            (&[r"\ud83d", r"\ude00!"][..], "😀!"),
            (&[r"a\ud83d", "", r"\ude00"], "a😀"),
            (&[r"\ud83d\ude00"], "😀"),
            (&[r"\uD83D\uDE00"], "😀"),
            (&[r"a\ud83d", "b"], "a\u{fffd}b"),
            (&[r"a\ud83db"], "a\u{fffd}b"),
            (&[r"\ude00a"], "\u{fffd}a"),
            (&[r"\ud83d"], "\u{fffd}"),
            (&[r"\ud83d", r"\ud83d\ude00"], "\u{fffd}😀"),
            (&[r"a\u0000b", "\0"], "a\u{fffd}b\u{fffd}"),
            (&["a\tb\n"], "a\tb\n"),
            (&[r"\\ud83d \u00e4 \n"], "\\ud83d ä \n"),
            // The placeholder for surrogates is a valid character too.
            (
                &["\u{10fffd}d83d", r"\udbff\udffd"],
                "\u{10fffd}d83d\u{10fffd}",
            ),
            (
                &["\u{10fffd}\u{10fffd}", r"\ud83d"],
                "\u{10fffd}\u{10fffd}\u{fffd}",
            ),
        ] {
            let mut joiner = Joiner::default();
            let read = |piece: &&str| {
                parse(&format!("\"{piece}\""))
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            let mut joined: String = pieces
                .iter()
                .map(|piece| joiner.take(&read(piece)))
                .collect();
            joined.extend(joiner.end());
            assert_eq!(joined, text, "{pieces:?}");
        }
    }

    #[test]
    fn json_with_lone_surrogates_zeros_and_raw_line_breaks_is_mended_and_other_json_stays() {
        for (written, value) in [
            (r#"{"a":"\ud83d"}"#, json!({ "a": "\u{fffd}" })),
            (
                "{\"a\":\"1\n2\0\\u0000\"}\n",
                json!({ "a": "1\n2\u{fffd}\u{fffd}" }),
            ),
            (
                r#"{"a":"\ud83d\ude00\\ud83d"}"#,
                json!({ "a": "😀\\ud83d" }),
            ),
            (
                "{\"a\":\"\u{10fffd}\\u00e4\\n\"}",
                json!({ "a": "\u{10fffd}ä\n" }),
            ),
        ] {
            assert_eq!(
                serde_json::from_str::<Value>(&repaired(written)).unwrap(),
                value,
                "{written}"
            );
        }
        for written in [
            "",
            "{",
            r#"{"a":"\"#,
            r#"{"a":"\u"#,
            r#"{"a":"\ud8"#,
            r#""\x""#,
            "\u{10fffd}",
        ] {
            assert_eq!(repaired(written), written);
        }
    }

    #[test]
    fn an_object_is_whole_cut_off_or_something_else() {
        for (text, expected) in [
            (" {\"a\":{}} \n", Shape::Whole),
            ("{\"a\":\"b", Shape::CutOff),
            ("{\"a\":\"b\\", Shape::CutOff),
            ("{", Shape::CutOff),
            ("", Shape::Other),
            ("{}}", Shape::Other),
            ("{\"a\" b", Shape::Other),
            ("[1", Shape::Other),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
        assert_eq!(objects("{\"a\":1} {}"), Some(vec!["{\"a\":1}", "{}"]));
        for text in ["", "{} 1", "{}{", "[]"] {
            assert_eq!(objects(text), None, "{text}");
        }
    }
}
