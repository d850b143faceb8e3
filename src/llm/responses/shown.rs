//! The visible reasoning of a response: summaries, or the reasoning itself from models that hide
//! nothing. It arrives in pieces, or in the complete items if a server streams none.

use serde_json::Value;

use crate::llm::{Piece, json::Joiner, wire::fields::parts};

/// The reasoning shown so far.
#[derive(Default)]
pub struct ShownThoughts {
    source: Option<Source>,
    /// The part that the last piece belongs to.
    part: Vec<Value>,
    joiner: Joiner,
}

/// The source of the shown reasoning: the first of these that occurs, so that nothing is shown
/// twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Summaries,
    Texts,
    Items,
}

impl ShownThoughts {
    /// Shows a piece. `is_summary`: whether it belongs to a summary.
    pub fn take_piece(
        &mut self,
        event: &Value,
        is_summary: bool,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let source = match is_summary {
            true => Source::Summaries,
            false => Source::Texts,
        };
        let place = ["output_index", "summary_index", "content_index"];
        let part = place.map(|field| event[field].clone()).into();
        self.show(
            source,
            part,
            event["delta"].as_str().unwrap_or_default(),
            on_piece,
        );
    }

    /// Shows the reasoning of a complete item.
    pub fn take_item(&mut self, item: &Value, on_piece: &mut impl FnMut(Piece<'_>)) {
        let field = match item["summary"].get(0) {
            Some(_) => "summary",
            None => "content",
        };
        for (index, part) in parts(&item[field]).into_iter().enumerate() {
            let place = vec![item["id"].clone(), index.into()];
            let text = part["text"].as_str().unwrap_or_default();
            self.show(Source::Items, place, text, on_piece);
        }
    }

    /// Parts become paragraphs.
    fn show(
        &mut self,
        source: Source,
        part: Vec<Value>,
        text: &str,
        on_piece: &mut impl FnMut(Piece<'_>),
    ) {
        let text = self.joiner.take(text);
        if text.is_empty() || *self.source.get_or_insert(source) != source {
            return;
        }
        if !self.part.is_empty() && self.part != part {
            on_piece(Piece::Thinking("\n\n"));
        }
        self.part = part;
        on_piece(Piece::Thinking(&text));
    }
}
