//! Decides what the pieces of a call's arguments mean together, once all have arrived.

use serde_json::Value;

use crate::llm::json::{self, Shape};

/// How many of the last pieces are tried as the beginning of the complete arguments.
const MAX_TRIED: usize = 64;

/// Spellings of "no arguments" by some models.
const NO_ARGUMENTS: [&str; 4] = ["null", "None", "[]", "\"\""];

/// The offset of a piece, and how it came.
#[derive(Debug, Clone, Copy)]
pub struct PieceStart {
    pub at: usize,
    /// It came with the call's name.
    pub named: bool,
    /// It came as an object, so it is complete.
    pub at_once: bool,
}

/// The meaning of the pieces.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Arguments of calls, complete as far as can be known.
    pub whole: Vec<String>,
    /// The number of further calls that were cut off.
    pub cut_off: usize,
}

impl Resolved {
    fn one(arguments: impl Into<String>) -> Self {
        Self {
            whole: vec![arguments.into()],
            cut_off: 0,
        }
    }
}

/// Interprets the pieces of a text: one object in consecutive pieces; an object that was sent
/// completely, or up to some point, more than once; several objects; or one with something around
/// it. They are tried in this order, so that a correct stream is never misread.
pub fn resolve(text: &str, pieces: &[PieceStart]) -> Resolved {
    let repaired = json::repaired(text);
    if json::shape(&repaired) == Shape::Whole || text.trim().is_empty() {
        return Resolved::one(repaired.trim());
    }
    if NO_ARGUMENTS.contains(&text.trim()) {
        return Resolved::one("{}");
    }
    // Some begin with empty arguments, and then send the real ones.
    if let [_, second, rest @ ..] = pieces
        && is_empty_object(&text[..second.at])
        && (!second.named
            || json::shape(&json::repaired(
                &text[second.at..rest.first().map_or(text.len(), |third| third.at)],
            )) != Shape::Whole)
    {
        let rest: Vec<PieceStart> = pieces[1..]
            .iter()
            .map(|piece| PieceStart {
                at: piece.at - second.at,
                ..*piece
            })
            .collect();
        return resolve(&text[second.at..], &rest);
    }
    if let Some(mut objects) = json::objects(&repaired) {
        objects.dedup_by(|later, earlier| is_same(earlier, later));
        return Resolved {
            whole: objects.into_iter().map(str::to_owned).collect(),
            cut_off: 0,
        };
    }
    if let Some(whole) = repeated(text, pieces) {
        return Resolved::one(json::repaired(whole).trim());
    }
    if json::shape(&repaired) == Shape::CutOff {
        return Resolved::one(repaired);
    }
    around(&repaired)
}

/// The arguments at the end of the text, if all earlier pieces are parts of them, from their
/// beginning or from the end of the piece before.
fn repeated<'a>(text: &'a str, pieces: &[PieceStart]) -> Option<&'a str> {
    let end = |piece: usize| pieces.get(piece + 1).map_or(text.len(), |next| next.at);
    let begins = |piece: &usize| is_beginning(&text[pieces[*piece].at..end(*piece)]);
    for first in (0..pieces.len()).rev().filter(begins).take(MAX_TRIED) {
        let whole = &text[pieces[first].at..];
        let is_last = first + 1 == pieces.len();
        if is_last && pieces[first].at_once {
            return Some(whole);
        }
        let shape = json::shape(&json::repaired(whole));
        // As far as it has come, never complete.
        let may_be = shape == Shape::Whole || (shape == Shape::CutOff && is_last && first > 0);
        if may_be
            && is_walk(
                whole,
                (0..pieces.len()).map(|piece| &text[pieces[piece].at..end(piece)]),
            )
        {
            return Some(whole);
        }
    }
    None
}

/// Whether the pieces cover the whole text, each continuing from the end of the one before or
/// starting over.
fn is_walk<'a>(whole: &str, pieces: impl Iterator<Item = &'a str>) -> bool {
    let mut reached = vec![0];
    for piece in pieces {
        let mut next: Vec<usize> = Vec::with_capacity(2);
        for from in reached.into_iter().chain([0]) {
            let leads = whole.as_bytes()[from..].starts_with(piece.as_bytes());
            if leads && !next.contains(&(from + piece.len())) {
                next.push(from + piece.len());
            }
        }
        reached = next;
        if reached.is_empty() {
            return false;
        }
    }
    reached.contains(&whole.len())
}

/// The arguments in a text with something around them: a string, a fence, or trailing text.
fn around(text: &str) -> Resolved {
    let trimmed = text.trim();
    if let Ok(inner) = serde_json::from_str::<String>(trimmed)
        && json::shape(&json::repaired(&inner)) == Shape::Whole
    {
        return Resolved::one(json::repaired(&inner).trim());
    }
    let from = trimmed
        .find('{')
        .filter(|at| !trimmed[..*at].contains(['"', '[']));
    let Some(rest) = from.map(|from| &trimmed[from..]) else {
        return Resolved::one(text);
    };
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let mut whole: Vec<String> = Vec::new();
    let mut behind = 0;
    while let Some(Ok(Value::Object(_))) = values.next() {
        let object = rest[behind..values.byte_offset()].trim();
        behind = values.byte_offset();
        if whole.last().is_none_or(|last| !is_same(last, object)) {
            whole.push(object.to_owned());
        }
    }
    let Some(last) = whole.last() else {
        return Resolved::one(text);
    };
    let left = rest[behind..].trim();
    let cut_off = usize::from(json::shape(left) == Shape::CutOff && !last.starts_with(left));
    Resolved { whole, cut_off }
}

/// Whether these are empty arguments.
pub fn is_empty_object(arguments: &str) -> bool {
    arguments.trim() == "{}"
}

/// Whether arguments may begin with this.
pub fn is_beginning(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{')
}

/// Whether both are equal JSON.
pub fn is_same(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(&json::repaired(text)).ok();
    one == other || value(one).is_some_and(|one| Some(one) == value(other))
}
