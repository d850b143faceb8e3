//! An answer while it grows: its text and the files that its tool calls write are published piece
//! by piece, as the model produces them.

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

/// The least time between two pieces of a growing answer. Where publishing one takes longer, as
/// much time passes before the next.
const INTERVAL: Duration = Duration::from_millis(50);

/// How much time passes between two updates of what a growing answer has cost.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub struct AnswerStream {
    text: String,
    /// Tool calls by their index: names, and arguments as far as they have come.
    calls: HashMap<usize, (String, String)>,
}

impl AnswerStream {
    pub fn channel() -> (watch::Sender<Self>, watch::Receiver<Self>) {
        watch::channel(Self::default())
    }

    pub fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.text.push_str(text),
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

    /// How much has come, in bytes.
    pub fn size(&self) -> usize {
        self.text.len()
            + self
                .calls
                .values()
                .map(|(_, arguments)| arguments.len())
                .sum::<usize>()
    }
}

/// What of an answer was published. The pieces of an answer that grows are read once each.
#[derive(Default)]
struct Published {
    visible: summary::Visible,
    /// How much of the text, in bytes.
    text: usize,
    /// The tool calls by their index: what reads their files, and how much it has read.
    calls: HashMap<usize, (tools::Drafts, usize)>,
}

impl Published {
    /// What of the text for people has come since the last time.
    fn text_piece(&mut self, answer: &AnswerStream) -> Option<TextPiece> {
        let shown = self.visible.of(&answer.text).trim();
        let offset = self.text.min(shown.len());
        let text = shown.get(offset..)?;
        if shown.len() == self.text {
            return None;
        }
        self.text = shown.len();
        Some(TextPiece {
            offset,
            text: text.to_owned(),
            html: Vec::new(),
        })
    }

    /// What of the files has come since the last time.
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

/// Publishes the answer while it grows, until its sender is dropped, and notes what so many bytes
/// of it cost. `writes`: the files in its calls will be written.
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
        if noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY) {
            noted = Some(Instant::now());
            let size = answer.borrow().size();
            journal.spend(step, price(size)).await?;
        }
        let begun = Instant::now();
        let (text, drafts) = {
            let answer = answer.borrow_and_update();
            let drafts = match writes {
                true => published.draft_pieces(&answer),
                false => Vec::new(),
            };
            (published.text_piece(&answer), drafts)
        };
        let text = text.map(|piece| EventKind::TextPiece { turn, piece });
        let drafts = drafts.into_iter().map(|piece| EventKind::Draft {
            turn,
            piece: Some(piece),
        });
        for kind in text.into_iter().chain(drafts) {
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
}
