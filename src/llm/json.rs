//! JSON as providers write it: half characters (`"\ud83d"` in one chunk, `"\ude00"` in the next),
//! zeros and raw control characters cost no answer.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Stands for half a character in text that was read: behind it come the half's four digits. The
/// character itself is written twice.
const HALF: char = '\u{10fffd}';
const REPLACEMENT: char = '\u{fffd}';

/// What is to become of half characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halves {
    /// They are kept, for [`Joiner`].
    Keep,
    Replace,
}

/// The value in the text; `None` where it is no JSON. Text in it is to be read by a [`Joiner`] or
/// by [`settled`].
pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(&readable(text, Halves::Keep)).ok()
}

/// The values in a text that holds one after the other, as far as they can be read.
pub fn parse_all(text: &str) -> Vec<Value> {
    let text = readable(text, Halves::Keep);
    serde_json::Deserializer::from_str(&text)
        .into_iter()
        .map_while(Result::ok)
        .collect()
}

/// The same JSON as every parser reads it: half characters and zeros replaced, raw control
/// characters escaped.
pub fn mended(text: &str) -> Cow<'_, str> {
    readable(text, Halves::Replace)
}

/// How a text that should be one JSON object ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Whole,
    /// Nothing in it is wrong, and it ends too early.
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

/// The objects that a text consists of, one after the other, each as it stands there; `None` where
/// anything else is in it.
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

fn readable(text: &str, halves: Halves) -> Cow<'_, str> {
    let is_plain = |text: &str| {
        let mut bytes = text.bytes();
        !bytes.any(|byte| byte < b' ')
            && !text.contains(HALF)
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
            '\\' if in_string => rest = escape(rest, halves, &mut out),
            '\0' if in_string => out.push(REPLACEMENT),
            control if in_string && control < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            HALF if in_string && halves == Halves::Keep => out.extend([HALF, HALF]),
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Writes the escape that begins behind the backslash; returns what stands behind it.
fn escape<'a>(rest: &'a str, halves: Halves, out: &mut String) -> &'a str {
    let Some((unit, after)) = unit(rest) else {
        out.push('\\');
        let length = rest.chars().next().map_or(0, char::len_utf8);
        out.push_str(&rest[..length]);
        return &rest[length..];
    };
    if let Some(letter) = char::from_u32(u32::from(unit)) {
        match (letter, halves) {
            ('\0', _) => out.push(REPLACEMENT),
            _ => out.push_str(&rest_as_escape(rest)),
        }
        return after;
    }
    let second = after.strip_prefix('\\').and_then(self::unit);
    if let Some((second, behind)) = second
        && let Some(letter) = joined(unit, second)
    {
        if letter == HALF && halves == Halves::Keep {
            out.push(HALF);
        }
        out.push(letter);
        return behind;
    }
    match halves {
        Halves::Keep => out.push_str(&format!("{HALF}{unit:04x}")),
        Halves::Replace => out.push(REPLACEMENT),
    }
    after
}

/// `\u` and its four digits.
fn rest_as_escape(rest: &str) -> String {
    format!("\\{}", &rest[..5])
}

/// The UTF-16 unit of an escape such as `ud83d`, and what stands behind it.
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

/// Puts the pieces of a text together, whose characters may be cut in two between them.
#[derive(Debug, Default)]
pub struct Joiner {
    /// The first half of a character, whose other one may come.
    waiting: Option<u16>,
}

impl Joiner {
    /// The piece's text, as far as it is known; zeros in it are replaced.
    pub fn take(&mut self, piece: &str) -> String {
        if self.waiting.is_none() && !piece.contains([HALF, '\0']) {
            return piece.to_owned();
        }
        let mut out = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let half = rest
                .get(..4)
                .filter(|_| letter == HALF)
                .and_then(|digits| u16::from_str_radix(digits, 16).ok());
            let Some(half) = half else {
                out.extend(self.waiting.take().map(|_| REPLACEMENT));
                out.push(if letter == '\0' { REPLACEMENT } else { letter });
                if letter == HALF {
                    rest = rest.strip_prefix(HALF).unwrap_or(rest);
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

    /// What is left when the text is at its end.
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
        Value::String(text) if text.contains([HALF, '\0']) => *text = settled(text),
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
    fn a_character_that_is_cut_in_two_is_one_again_and_half_a_one_is_one_mark() {
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
            // What stands for halves is a character too.
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
    fn json_with_halves_zeros_and_raw_line_breaks_is_mended_and_all_other_is_left_as_it_is() {
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
                serde_json::from_str::<Value>(&mended(written)).unwrap(),
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
            assert_eq!(mended(written), written);
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
