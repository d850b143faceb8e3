//! A growing answer: its thinking, its text and the files that its tool calls write are published
//! piece by piece, as the model produces them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::summary;
use crate::{
    agent::{Journal, RunError, tools},
    llm::Piece,
    protocol::{DraftPiece, EventKind, Spent, TextPiece},
};

/// The minimum interval between two pieces of a growing answer. If publishing one takes longer, the
/// next interval is as long.
const INTERVAL: Duration = Duration::from_millis(50);

/// The interval at which the cost of a growing answer is updated.
const USAGE_INTERVAL: Duration = Duration::from_secs(1);

/// How much of a turn's thinking is shown and kept, in bytes.
const MAX_THINKING: usize = 20 << 10;
/// The note in place of the thinking that is left out.
const LEFT_OUT: &str = "\n\n*(The rest of the thinking is left out: it is too long.)*";

/// A partial answer.
#[derive(Debug, Default)]
pub struct AnswerStream {
    text: String,
    thinking: Thinking,
    /// Tool calls by index: names, and the arguments so far.
    calls: HashMap<usize, (String, String)>,
}

/// The reasoning that the model shows, so far.
#[derive(Debug, Default)]
struct Thinking {
    /// At most [`MAX_THINKING`] of it.
    text: String,
    /// The number of bytes received.
    size: usize,
    /// When the first and the last piece arrived.
    time: Option<(Instant, Instant)>,
}

impl Thinking {
    fn take(&mut self, piece: &str) {
        let now = Instant::now();
        self.time = Some((self.time.map_or(now, |(first, _)| first), now));
        if let Some(room) = MAX_THINKING.checked_sub(self.size) {
            let kept = piece.floor_char_boundary(room);
            self.text.push_str(&piece[..kept]);
            if kept < piece.len() {
                self.text.push_str(LEFT_OUT);
            }
        }
        self.size += piece.len();
    }
}

impl AnswerStream {
    pub fn channel() -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self::default())
    }

    pub fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.text.push_str(text),
            Piece::Thinking(piece) => self.thinking.take(piece),
            Piece::Call {
                index,
                name,
                arguments,
            } => {
                let call = self.calls.entry(index).or_default();
                name.clone_into(&mut call.0);
                call.1.push_str(arguments);
            }
        }
    }

    /// The thinking, and its duration in milliseconds.
    pub fn thought(&self) -> (String, Option<u64>) {
        let text = self.thinking.text.trim().to_owned();
        let time = self.thinking.time.filter(|_| !text.is_empty());
        let took = time.map(|(first, last)| last.duration_since(first).as_millis() as u64);
        (text, took)
    }

    /// How much has come, in bytes.
    pub fn size(&self) -> usize {
        self.text.len()
            + self.thinking.size
            + self
                .calls
                .values()
                .map(|(_, arguments)| arguments.len())
                .sum::<usize>()
    }
}

/// The published part of a growing answer. Its pieces are read once each.
#[derive(Default)]
struct Published {
    visible: summary::Visible,
    /// The length of the published text and thinking, in bytes.
    text: usize,
    thinking: usize,
    /// The tool calls by index: the parser of their files, and how much it has read.
    calls: HashMap<usize, (tools::Drafts, usize)>,
}

impl Published {
    /// The new part of the text for people.
    fn text_piece(&mut self, answer: &AnswerStream) -> Option<TextPiece> {
        piece_of(self.visible.of(&answer.text), &mut self.text)
    }

    /// The new part of the thinking.
    fn thinking_piece(&mut self, answer: &AnswerStream) -> Option<TextPiece> {
        piece_of(&answer.thinking.text, &mut self.thinking)
    }

    /// The new parts of the files.
    fn draft_pieces(&mut self, answer: &AnswerStream) -> Vec<DraftPiece> {
        let mut pieces = Vec::new();
        for (index, (name, arguments)) in &answer.calls {
            let (drafts, read) = self
                .calls
                .entry(*index)
                .or_insert_with(|| (tools::Drafts::of(name), 0));
            pieces.extend(drafts.read(&arguments[*read..]));
            *read = arguments.len();
        }
        pieces
    }
}

/// The part of a growing text after `published` bytes, trimmed.
fn piece_of(text: &str, published: &mut usize) -> Option<TextPiece> {
    let shown = text.trim();
    let offset = (*published).min(shown.len());
    let text = shown.get(offset..)?;
    if shown.len() == *published {
        return None;
    }
    *published = shown.len();
    Some(TextPiece {
        offset,
        text: text.to_owned(),
        html: Vec::new(),
    })
}

/// Publishes the answer while it grows, until its sender is dropped, and records the cost of the
/// bytes so far. `writes`: whether the files in its calls will be written.
pub async fn publish<J: Journal>(
    journal: &J,
    step: &str,
    turn: u32,
    writes: bool,
    mut answer: watch::Receiver<AnswerStream>,
    price: impl Fn(usize) -> Spent,
) -> Result<(), RunError> {
    let (mut published, mut noted) = (Published::default(), None::<Instant>);
    while answer.changed().await.is_ok() {
        if noted.is_none_or(|noted| noted.elapsed() >= USAGE_INTERVAL) {
            noted = Some(Instant::now());
            let size = answer.borrow().size();
            journal.spend(step, price(size)).await?;
        }
        let begun = Instant::now();
        let (thinking, text, drafts) = {
            let answer = answer.borrow_and_update();
            let drafts = match writes {
                true => published.draft_pieces(&answer),
                false => Vec::new(),
            };
            let thinking = published.thinking_piece(&answer);
            (thinking, published.text_piece(&answer), drafts)
        };
        let thinking = thinking.map(|piece| EventKind::ThinkingPiece { turn, piece });
        let text = text.map(|piece| EventKind::TextPiece { turn, piece });
        let drafts = drafts.into_iter().map(|piece| EventKind::Draft {
            turn,
            piece: Some(piece),
        });
        for kind in thinking.into_iter().chain(text).chain(drafts) {
            journal.publish(kind).await?;
        }
        tokio::time::sleep(INTERVAL.max(begun.elapsed())).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_pieces_that_follow_each_other_and_a_half_written_name_is_none() {
        let whole = r#"{ "files": [{ "path": "app/page.tsx", "content": "<h1>\n\"K\u00e4se\" & Brot 🧀</h1>" }, { "path": "b.txt", "content": "b" }] }"#;
        let (mut answer, mut published) = (AnswerStream::default(), Published::default());
        let mut drafts: HashMap<String, String> = HashMap::new();
        for letter in whole.chars() {
            answer.take(Piece::Call {
                index: 0,
                name: "createOrUpdateFiles",
                arguments: letter.encode_utf8(&mut [0; 4]),
            });
            for piece in published.draft_pieces(&answer) {
                let draft = drafts.entry(piece.path).or_default();
                assert_eq!(draft.len(), piece.offset);
                draft.push_str(&piece.text);
            }
        }
        let expected = [
            ("app/page.tsx", "<h1>\n\"Käse\" & Brot 🧀</h1>"),
            ("b.txt", "b"),
        ];
        assert_eq!(
            drafts,
            expected
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into()
        );
    }

    #[test]
    fn the_text_comes_in_pieces_without_its_summary_and_without_the_space_around_it() {
        let whole = "\n\nSome words, \n and a < b.\n\n<task_summary>Käse</task_summary>";
        let (mut answer, mut published) = (AnswerStream::default(), Published::default());
        let mut text = String::new();
        for letter in whole.chars() {
            answer.take(Piece::Text(letter.encode_utf8(&mut [0; 4])));
            if let Some(piece) = published.text_piece(&answer) {
                assert_eq!(piece.offset, text.len());
                assert!(piece.apply(&mut text));
            }
        }
        assert_eq!(text, "Some words, \n and a < b.");
    }

    #[test]
    fn thinking_comes_in_pieces_and_a_long_one_is_cut_with_a_note_between_two_letters() {
        let (mut answer, mut published) = (AnswerStream::default(), Published::default());
        let mut shown = String::new();
        let mut think = |words: &str| {
            answer.take(Piece::Thinking(words));
            if let Some(piece) = published.thinking_piece(&answer) {
                assert_eq!(piece.offset, shown.len());
                assert!(piece.apply(&mut shown));
            }
            (shown.clone(), answer.thought().0, answer.size())
        };
        assert_eq!(think("\n\n"), (String::new(), String::new(), 2));
        assert_eq!(think("Käse first.").0, "Käse first.");
        let mut last = think(" ");
        for _ in 0..MAX_THINKING / 10 {
            last = think("ä list, ä list, ");
        }
        let (shown, kept, size) = last;
        assert_eq!(shown, kept);
        assert!(shown.ends_with(LEFT_OUT) && shown.matches("left out").count() == 1);
        assert!((MAX_THINKING - 8..MAX_THINKING + LEFT_OUT.len()).contains(&shown.len()));
        assert!(size > MAX_THINKING + 10_000, "{size}");
    }
}
