//! Removes the provider's key from its answers: some repeat it, and it must be neither shown nor
//! stored.

use std::borrow::Cow;

use secrecy::{ExposeSecret as _, SecretString};

use crate::llm::{ModelReply, Piece};

/// The replacement for the key.
const PLACEHOLDER: &str = "…";
/// A shorter key is a placeholder, which may be an ordinary word.
const MIN_KEY_BYTES: usize = 16;

/// The key to remove, if there is one.
pub fn to_hide(key: Option<&SecretString>) -> Option<&str> {
    let key = key.map(SecretString::expose_secret);
    key.filter(|key| key.len() >= MIN_KEY_BYTES)
}

/// The text without the key.
pub fn left_out(text: String, key: Option<&str>) -> String {
    match key {
        Some(key) if text.contains(key) => text.replace(key, PLACEHOLDER),
        _ => text,
    }
}

/// The answer without the key, in all of its parts.
pub fn left_out_of_reply(reply: ModelReply, key: Option<&str>) -> ModelReply {
    let (Some(key), Ok(text)) = (key, serde_json::to_string(&reply)) else {
        return reply;
    };
    let written = serde_json::Value::from(key).to_string();
    let written = written.trim_matches('"');
    if !text.contains(written) {
        return reply;
    }
    serde_json::from_str(&text.replace(written, PLACEHOLDER)).unwrap_or_default()
}

/// Removes the key from streamed bytes: a possible beginning of it is held back until the next
/// ones.
pub struct KeyFilter<'k> {
    key: Option<&'k str>,
    held: Vec<u8>,
}

impl<'k> KeyFilter<'k> {
    pub fn new(key: Option<&'k str>) -> Self {
        let held = Vec::new();
        Self { key, held }
    }

    /// The next bytes, as far as they can't be part of a key.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(key) = self.key.map(str::as_bytes) else {
            return Cow::Borrowed(bytes);
        };
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some(at) = rest.windows(key.len()).position(|part| part == key) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(PLACEHOLDER.as_bytes());
            rest = &rest[at + key.len()..];
        }
        let mut lengths = (1..key.len()).rev();
        let begun = lengths.find(|length| rest.ends_with(&key[..*length]));
        let (done, held) = rest.split_at(rest.len() - begun.unwrap_or(0));
        out.extend_from_slice(done);
        self.held = held.to_vec();
        Cow::Owned(out)
    }

    /// The bytes that were held back and were no key.
    pub fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// The part of an answer that a piece belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text,
    Thinking,
    Call { index: usize, name: String },
}

impl Part {
    fn piece<'a>(&'a self, text: &'a str) -> Piece<'a> {
        match self {
            Self::Text => Piece::Text(text),
            Self::Thinking => Piece::Thinking(text),
            Self::Call { index, name } => Piece::Call {
                index: *index,
                name,
                arguments: text,
            },
        }
    }
}

/// Removes the key from an answer's pieces, even if it is split over several of them.
pub struct PieceFilter<'k> {
    filter: KeyFilter<'k>,
    part: Part,
}

impl<'k> PieceFilter<'k> {
    pub fn new(key: Option<&'k str>) -> Self {
        Self {
            filter: KeyFilter::new(key),
            part: Part::Text,
        }
    }

    /// Passes the piece on.
    pub fn pass(&mut self, piece: Piece<'_>, next: &mut impl FnMut(Piece<'_>)) {
        if self.filter.key.is_none() {
            return next(piece);
        }
        let (part, text) = match piece {
            Piece::Text(text) => (Part::Text, text),
            Piece::Thinking(text) => (Part::Thinking, text),
            Piece::Call {
                index,
                name,
                arguments,
            } => {
                let name = name.to_owned();
                (Part::Call { index, name }, arguments)
            }
        };
        if part != self.part {
            self.end(next);
            self.part = part;
        }
        if text.is_empty() {
            return next(piece);
        }
        let shown = self.filter.take(text.as_bytes());
        if !shown.is_empty() {
            next(self.part.piece(&String::from_utf8_lossy(&shown)));
        }
    }

    /// Passes on what was held back.
    pub fn end(&mut self, next: &mut impl FnMut(Piece<'_>)) {
        let held = self.filter.end();
        if !held.is_empty() {
            next(self.part.piece(&String::from_utf8_lossy(&held)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-own-0123456789";

    fn shown(pieces: &[Piece<'_>]) -> Vec<String> {
        let mut filter = PieceFilter::new(Some(KEY));
        let mut shown = Vec::new();
        let mut next = |piece: Piece<'_>| shown.push(format!("{piece:?}"));
        for piece in pieces {
            filter.pass(*piece, &mut next);
        }
        filter.end(&mut next);
        shown
    }

    #[test]
    fn a_key_is_left_out_however_it_is_cut() {
        let text = format!("Köy {KEY}, {KEY}sk-own and sk-");
        let expected = "Köy …, …sk-own and sk-";
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for from in &ends {
            for to in ends.iter().filter(|to| *to >= from) {
                let mut filter = KeyFilter::new(Some(KEY));
                let cut = [&text[..*from], &text[*from..*to], &text[*to..]];
                let mut out: Vec<u8> = Vec::new();
                for part in cut {
                    out.extend_from_slice(&filter.take(part.as_bytes()));
                }
                out.extend(filter.end());
                assert_eq!(String::from_utf8_lossy(&out), expected, "{cut:?}");
            }
        }
        assert_eq!(left_out(text.clone(), Some(KEY)), expected);
        assert_eq!(left_out(text.clone(), None), text);
        let short = SecretString::from("test");
        assert_eq!(to_hide(Some(&short)), None);
    }

    #[test]
    fn what_only_looks_like_a_key_arrives_in_its_own_part() {
        let call = |arguments| Piece::Call {
            index: 0,
            name: "a",
            arguments,
        };
        let pieces = [
            Piece::Thinking("sk-own-"),
            Piece::Text("x sk-own-01234"),
            Piece::Text("56789 y"),
            call(""),
            call("sk-ow"),
        ];
        let expected = [
            Piece::Thinking("sk-own-"),
            Piece::Text("x "),
            Piece::Text("… y"),
            call(""),
            call("sk-ow"),
        ];
        assert_eq!(shown(&pieces), expected.map(|piece| format!("{piece:?}")));
    }

    #[test]
    fn a_reply_has_the_key_nowhere() {
        let reply = ModelReply {
            text: format!("It is {KEY}."),
            thinking: KEY.to_owned(),
            ..ModelReply::default()
        };
        let reply = left_out_of_reply(reply, Some(KEY));
        assert_eq!((&*reply.text, &*reply.thinking), ("It is ….", "…"));
    }
}
