//! An answer while it grows: its text and the files that its tool calls write are published as the
//! model produces them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::job::publish_text;
use crate::{
    agent::{Journal, RunError, tools},
    llm::Piece,
    protocol::{DraftPiece, EventKind, Spent},
};

/// The least time between two times that a growing answer is published. A long one takes longer to
/// save, and then leaves the database to other writers for as long.
const INTERVAL: Duration = Duration::from_millis(50);

/// Between two notes of what a growing answer has cost.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// An answer as far as it has come.
#[derive(Debug, Default)]
pub struct Growth {
    text: String,
    /// Tool calls by their index: names, and arguments as far as they have come.
    calls: HashMap<usize, (String, String)>,
}

impl Growth {
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

    /// What has grown since it was published last: pieces of files, whose published lengths in
    /// bytes are kept.
    fn pieces(&self, published: &mut HashMap<String, usize>) -> Vec<DraftPiece> {
        let mut pieces = Vec::new();
        for (name, arguments) in self.calls.values() {
            for (path, content) in tools::drafts(name, arguments) {
                let offset = published.entry(path.clone()).or_default();
                if let Some(text) = content.get(*offset..).filter(|text| !text.is_empty()) {
                    pieces.push(DraftPiece {
                        path,
                        offset: *offset,
                        text: text.to_owned(),
                    });
                    *offset = content.len();
                }
            }
        }
        pieces
    }
}

/// Publishes the answer while it grows, until its sender is dropped, and notes what so many bytes
/// of it cost.
pub async fn publish_growth<J: Journal>(
    journal: &J,
    step: &str,
    turn: u32,
    mut grown: watch::Receiver<Growth>,
    price: impl Fn(usize) -> Spent,
) -> Result<(), RunError> {
    let (mut said, mut published, mut noted) = (0, HashMap::new(), None::<Instant>);
    while grown.changed().await.is_ok() {
        if noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY) {
            noted = Some(Instant::now());
            let size = grown.borrow().size();
            journal.spend(step, price(size)).await?;
        }
        let begun = Instant::now();
        let (text, pieces) = {
            let growth = grown.borrow_and_update();
            let text = (growth.text.len() > said).then(|| growth.text.clone());
            (text, growth.pieces(&mut published))
        };
        if let Some(text) = text {
            said = text.len();
            publish_text(journal, turn, &text).await?;
        }
        for piece in pieces {
            journal
                .publish(EventKind::Draft {
                    turn,
                    piece: Some(piece),
                })
                .await?;
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
        let (mut growth, mut published) = (Growth::default(), HashMap::new());
        let mut drafts: HashMap<String, String> = HashMap::new();
        for letter in whole.chars() {
            growth.take(Piece::Call {
                index: 0,
                name: "createOrUpdateFiles",
                arguments: letter.encode_utf8(&mut [0; 4]),
            });
            for piece in growth.pieces(&mut published) {
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
}
