//! Any good answer, on every wire: it is the same however its bytes are cut, and whatever oddities
//! of gateways and models are mixed in.

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};
use serde_json::{Value, json};

use super::AnswerReader;
use crate::llm::{
    anthropic::blocks::Blocks,
    openai::answer::Answer,
    responses::output::Output,
    wire::{
        assembly::Assembly,
        thinking::{self, ThinkingSplitter},
    },
};

mod wires;

/// Names as models write them; the reader hands them on as they are.
const NAMES: [&str; 5] = [
    "terminal",
    "readFiles",
    "terminal<|channel|>commentary",
    "functions.readFiles<|constrain|>json",
    "listFiles}",
];

/// What a model says, and the calls that it makes.
#[derive(Debug, Clone)]
struct Good {
    said: String,
    calls: Vec<(String, Value)>,
}

impl Good {
    /// The identifier of a call, its name and its arguments as JSON text.
    fn calls(&self, alike: bool) -> impl Iterator<Item = (usize, String, &str, String)> {
        self.calls
            .iter()
            .enumerate()
            .map(move |(at, (name, arguments))| {
                let id = format!("id_{}", if alike { 0 } else { at });
                (at, id, name.as_str(), arguments.to_string())
            })
    }
}

/// Which of a wire's ways to send an answer is taken.
#[derive(Debug, Clone, Copy)]
struct Ways {
    /// How the arguments are cut, and what of them is sent again.
    pieces: usize,
    /// How calls, blocks or items are numbered.
    numbers: usize,
    /// In which order things come, and in which parts of a chunk.
    order: usize,
}

impl Ways {
    /// The arguments as they are sent: in pieces, so far, in pieces and then whole, at once.
    fn cut(self, whole: &str) -> Vec<&str> {
        let half = (0..=whole.len() / 2)
            .rev()
            .find(|at| whole.is_char_boundary(*at))
            .unwrap_or_default();
        let (head, tail) = whole.split_at(half);
        match self.pieces % 4 {
            0 => vec![head, tail],
            1 => vec![head, whole],
            2 => vec![head, tail, whole],
            _ => vec![whole],
        }
    }

    /// A position as servers write it. The last two say nothing.
    fn number(self, position: usize) -> Value {
        match self.numbers % 5 {
            0 => json!(position),
            1 => json!(position.to_string()),
            2 => json!(position as f64),
            3 => json!(-1),
            _ => Value::Null,
        }
    }

    fn are_numbered(self) -> bool {
        self.numbers % 5 < 3
    }
}

/// A chunk of an answer: its kind, where the wire has those, and its other fields as JSON.
struct Chunk {
    kind: &'static str,
    fields: String,
}

impl Chunk {
    fn new(kind: &'static str, fields: Value) -> Self {
        let fields = fields.to_string();
        Self { kind, fields }
    }

    /// With `@` among its fields standing for the piece of a text, which may be half a character.
    fn of_text(kind: &'static str, fields: Value, piece: &str) -> Self {
        let fields = fields.to_string().replace("\"@\"", &format!("\"{piece}\""));
        Self { kind, fields }
    }

    fn json(&self) -> String {
        match self.kind {
            "" => self.fields.clone(),
            kind => format!("{{\"type\":\"{kind}\",{}", &self.fields[1..]),
        }
    }

    /// As an event; `named`: by the event's name.
    fn event(&self, named: bool) -> String {
        match self.kind {
            kind if named && !kind.is_empty() => {
                format!("event: {kind}\ndata: {}\n\n", self.fields)
            }
            _ => format!("data: {}\n\n", self.json()),
        }
    }
}

/// JSON text whose letters are escapes, so that each of them can be cut in two.
fn units(text: &str) -> Vec<String> {
    let units = text.encode_utf16();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}

/// The lists one after the other, or one of each in turn.
fn in_order<T>(lists: Vec<Vec<T>>, in_turn: bool) -> Vec<T> {
    if !in_turn {
        return lists.into_iter().flatten().collect();
    }
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let longest = lists.iter().map(ExactSizeIterator::len).max();
    (0..longest.unwrap_or_default())
        .flat_map(|_| {
            lists
                .iter_mut()
                .filter_map(Iterator::next)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A protocol in the ways in which it is really spoken.
trait Wire: Assembly {
    /// What comes between events and changes nothing.
    const BETWEEN: &'static [&'static str];

    fn chunks(good: &Good, ways: Ways) -> Vec<Chunk>;

    /// The answer as one JSON object.
    fn whole(good: &Good) -> Value;

    /// Whether two equal calls in a row look the same on this wire as one call sent twice.
    fn merges_equal_calls(_ways: Ways) -> bool {
        false
    }

    /// What is left of a text in which the model may think aloud.
    fn said(text: &str) -> String {
        let mut plain = ThinkingSplitter::default();
        let said = plain.take(text).said + &plain.end();
        thinking::without_begun(&said).to_owned()
    }
}

/// How the chunks stand in the body of the response.
#[derive(Debug, Clone)]
enum Layout {
    /// As events, with other things between them.
    Events {
        named: bool,
        between: Vec<(Index, Index)>,
    },
    /// With these between them: an empty line, a line's end, nothing.
    Glued(Vec<&'static str>),
    /// Newline-delimited JSON.
    Lines,
    /// The whole answer as JSON: in one line, indented, in a list, or as an event.
    Whole(usize),
}

fn layouts() -> impl Strategy<Value = Layout> {
    let between = vec((any::<Index>(), any::<Index>()), 0..6);
    let glue = prop_oneof![Just("\n\n"), Just("\n"), Just(""), Just(" ")];
    prop_oneof![
        4 => (any::<bool>(), between).prop_map(|(named, between)| Layout::Events { named, between }),
        1 => vec(glue, 1..5).prop_map(Layout::Glued),
        1 => Just(Layout::Lines),
        1 => (0..4_usize).prop_map(Layout::Whole),
    ]
}

fn body<W: Wire>(good: &Good, ways: Ways, layout: &Layout) -> String {
    let chunks = || W::chunks(good, ways);
    let done = ["data: [DONE]\n\n", "data: done\n\n", ""][ways.pieces % 3];
    match layout {
        Layout::Events { named, between } => {
            let mut events: Vec<String> =
                chunks().iter().map(|chunk| chunk.event(*named)).collect();
            for (at, kind) in between {
                let at = at.index(events.len());
                events.insert(at, (*kind.get(W::BETWEEN)).to_owned());
            }
            events.concat() + done
        }
        Layout::Glued(glue) => {
            let events = chunks();
            let events = events.iter().zip(glue.iter().cycle());
            let events = events.map(|(chunk, glue)| format!("data: {}{glue}", chunk.json()));
            events.collect::<String>() + done
        }
        Layout::Lines => chunks().iter().map(|chunk| chunk.json() + "\n").collect(),
        Layout::Whole(way) => {
            let whole = W::whole(good);
            match way {
                0 => whole.to_string(),
                1 => format!("\n{whole:#}\n"),
                2 => format!("[{whole:#}]"),
                _ => format!("data: {whole}\n\n"),
            }
        }
    }
}

/// Any answer is read from this wire as it is meant.
fn any_answer_is_read<W: Wire>() {
    let words = || prop_oneof![any::<String>(), "[{}\"\\\\ a]{0,20}"];
    let call = (proptest::sample::select(NAMES.to_vec()), words()).prop_map(|(name, words)| {
        (
            name.to_owned(),
            json!({ "a": words.replace('\0', ""), "b": [{}] }),
        )
    });
    let good = (words(), vec(call, 0..4)).prop_map(|(said, calls)| Good { said, calls });
    let ways = [0..60_usize, 0..60, 0..60].prop_map(|[pieces, numbers, order]| Ways {
        pieces,
        numbers,
        order,
    });
    let bytes = (0..6_usize, vec(any::<Index>(), 0..12));
    let read = |(good, ways, layout, (looks, cuts)): (Good, Ways, Layout, (usize, Vec<Index>))| {
        let mark = if looks % 2 == 0 { "\u{feff}" } else { "" };
        let body = format!("{mark}{}", body::<W>(&good, ways, &layout))
            .replace('\n', ["\n", "\r\n", "\r"][looks % 3])
            .into_bytes();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        ends.push(body.len());
        ends.sort_unstable();
        let (mut reader, mut from) = (AnswerReader::<W>::new(None), 0);
        for end in ends {
            if reader.take(&body[from..end], &mut |_| {}).unwrap() {
                break;
            }
            from = end;
        }
        let whole = reader.end(false, &mut |_| {});
        prop_assert!(whole.is_ok(), "{:?}", whole.err());
        let whole = whole.unwrap();
        let usage = whole
            .usage
            .map(|usage| [usage.input_tokens, usage.output_tokens]);
        prop_assert_eq!(usage, Some([9, 4]));
        prop_assert_eq!(
            whole.reply.text,
            W::said(&good.said.replace('\0', "\u{fffd}"))
        );
        let mut ids: Vec<&str> = whole
            .reply
            .tool_calls
            .iter()
            .map(|call| call.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(
            ids.len(),
            whole.reply.tool_calls.len(),
            "each has an id of its own"
        );
        let calls: Vec<(String, Value)> = whole
            .reply
            .tool_calls
            .into_iter()
            .map(|call| (call.name, serde_json::from_str(&call.arguments).unwrap()))
            .collect();
        let mut expected = good.calls;
        if W::merges_equal_calls(ways) && !matches!(layout, Layout::Whole(_)) {
            expected.dedup();
        }
        prop_assert_eq!(calls, expected);
        Ok(())
    };
    let mut runner = TestRunner::default();
    runner.run(&(good, ways, layouts(), bytes), read).unwrap();
}

#[test]
fn any_good_chat_completion_is_read_however_it_is_cut_and_whatever_is_mixed_in() {
    any_answer_is_read::<Answer>();
}

#[test]
fn any_good_answer_of_anthropic_s_is_read_however_it_is_cut_and_whatever_is_mixed_in() {
    any_answer_is_read::<Blocks>();
}

#[test]
fn any_good_response_is_read_however_it_is_cut_and_whatever_is_mixed_in() {
    any_answer_is_read::<Output>();
}
