//! Files that the model is currently writing: they grow in the conversation until the tool call
//! that writes them begins.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    protocol::DraftPiece,
    ui::components::{Icon, IconName, Spinner},
};

/// How many of a growing file's last lines are shown.
const SHOWN_LINES: usize = 12;

/// A partially written file.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub turn: u32,
    pub path: String,
    pub text: Arc<String>,
}

/// The files that a run's model is currently writing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drafts {
    files: Vec<Draft>,
    /// The last event about them: pieces arrive in order, but possibly twice.
    seq: i64,
}

impl Drafts {
    /// Applies a piece; without one, the turn's drafts are void.
    pub fn take(&mut self, seq: i64, turn: u32, piece: Option<DraftPiece>) {
        if seq <= self.seq {
            return;
        }
        self.seq = seq;
        let Some(piece) = piece else {
            self.files.retain(|file| file.turn != turn);
            return;
        };
        let file = match self
            .files
            .iter_mut()
            .find(|file| file.turn == turn && file.path == piece.path)
        {
            Some(file) => file,
            None => {
                self.files.push(Draft {
                    turn,
                    path: piece.path,
                    text: Arc::default(),
                });
                let last = self.files.len() - 1;
                &mut self.files[last]
            }
        };
        if file.text.is_char_boundary(piece.offset) {
            let text = Arc::make_mut(&mut file.text);
            text.truncate(piece.offset);
            text.push_str(&piece.text);
        }
    }

    /// The calls of the turns up to this one are being executed, so their drafts are removed.
    pub fn executed(&mut self, turn: u32) {
        self.files.retain(|file| file.turn > turn);
    }

    pub fn files(&self) -> impl Iterator<Item = &Draft> {
        self.files.iter()
    }
}

/// The turn of a tool call's step, `turn-<n>-<tool>-<k>`.
pub fn turn_of(step: &str) -> Option<u32> {
    step.strip_prefix("turn-")?.split('-').next()?.parse().ok()
}

/// A file while it grows: its last lines, which follow the model.
#[component]
pub fn DraftView(draft: Memo<Option<Draft>>) -> impl IntoView {
    let path = move || draft.with(|draft| draft.as_ref().map(|draft| draft.path.clone()));
    let tail = move || {
        draft.with(|draft| {
            let text = draft.as_ref().map_or("", |draft| draft.text.as_str());
            let text = text.trim_end_matches('\n');
            let ends = text
                .bytes()
                .enumerate()
                .rev()
                .filter(|(_, byte)| *byte == b'\n');
            let from = ends.map(|(at, _)| at + 1).nth(SHOWN_LINES - 1);
            text[from.unwrap_or_default()..].to_owned()
        })
    };
    view! {
        <div class="timeline">
            <div class="timeline-line">
                <Icon name=IconName::File class="size-3.5"/>
                <span class="shrink-0">"Writing"</span>
                <code dir="auto" class="min-w-0 flex-1 truncate text-start font-mono text-foreground/80">{path}</code>
                <Spinner/>
            </div>
            <pre aria-hidden="true" class="max-h-52 overflow-hidden border-t border-border px-3 py-2 font-mono leading-4 whitespace-pre">{tail}</pre>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(offset: usize, text: &str) -> Option<DraftPiece> {
        Some(DraftPiece {
            path: "a".to_owned(),
            offset,
            text: text.to_owned(),
        })
    }

    #[test]
    fn pieces_make_a_file_once_each_and_a_new_beginning_replaces_the_old_one() {
        let mut drafts = Drafts::default();
        drafts.take(1, 1, piece(0, "Kä"));
        drafts.take(2, 1, piece(3, "se"));
        drafts.take(2, 1, piece(3, "se"));
        drafts.take(3, 1, piece(2, "never within a character"));
        let text = |drafts: &Drafts| {
            drafts
                .files()
                .map(|file| file.text.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(text(&drafts), ["Käse"]);
        drafts.take(4, 1, None);
        assert_eq!(text(&drafts), [""; 0]);
        drafts.take(5, 1, piece(0, "Brot"));
        assert_eq!(text(&drafts), ["Brot"]);
        drafts.executed(1);
        assert_eq!(text(&drafts), [""; 0]);
        assert_eq!(
            (turn_of("turn-12-terminal-1"), turn_of("verify-1")),
            (Some(12), None)
        );
    }
}
