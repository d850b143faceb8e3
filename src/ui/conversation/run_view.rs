//! A run as the conversation shows it: a fold of its events.

use std::sync::Arc;

use super::draft::{Draft, Drafts};
use crate::protocol::{HtmlPiece, Run, RunId, RunState, Status, ToolUse};

/// A value and the event that set it last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Latest<T> {
    pub seq: i64,
    pub value: T,
}

impl<T> Latest<T> {
    pub fn offer(&mut self, seq: i64, value: T) {
        if seq >= self.seq {
            *self = Self { seq, value };
        }
    }
}

/// Identifies one turn's text or one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlockKey {
    Turn(u32),
    Step(String),
}

/// One thing that a run said or did.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// HTML, rendered on the server, in blocks that follow each other.
    Text(Vec<Arc<str>>),
    Tool(ToolUse),
}

#[derive(Debug, Clone, PartialEq)]
struct PlacedBlock {
    key: BlockKey,
    /// The event that spoke of it first: its place among the others.
    first: i64,
    latest: Latest<Arc<Block>>,
}

/// A run as the conversation shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    pub id: RunId,
    pub(super) run: Option<Latest<Run>>,
    pub(super) status: Option<Latest<Status>>,
    blocks: Vec<PlacedBlock>,
    pub(super) drafts: Drafts,
}

impl RunView {
    pub(super) fn new(id: RunId) -> Self {
        Self {
            id,
            run: None,
            status: None,
            blocks: Vec::new(),
            drafts: Drafts::default(),
        }
    }

    /// The run itself, unless only later events are known.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref().map(|latest| &latest.value)
    }

    /// `Running` when the run itself is not known yet: its events show that it is at work.
    pub fn state(&self) -> RunState {
        self.run().map_or(RunState::Running, |run| run.state)
    }

    /// What the run said and did, in the order of its first mention, without texts that are blank:
    /// each text, and the model's calls between two texts as one part, named by its first.
    pub fn parts(&self) -> Vec<BlockKey> {
        let mut parts = Vec::new();
        let mut within_calls = false;
        for placed in &self.blocks {
            match &*placed.latest.value {
                Block::Text(text) if is_blank(text) => continue,
                Block::Text(_) => within_calls = false,
                Block::Tool(tool) if !is_of_turn(tool) => within_calls = false,
                Block::Tool(_) if within_calls => continue,
                Block::Tool(_) => within_calls = true,
            }
            parts.push(placed.key.clone());
        }
        parts
    }

    /// The blocks of the part that this key names.
    pub fn part(&self, key: &BlockKey) -> Vec<Arc<Block>> {
        let mut part = Vec::new();
        let from = self.blocks.iter().skip_while(|placed| placed.key != *key);
        for placed in from {
            match &*placed.latest.value {
                Block::Text(_) if part.is_empty() => return vec![placed.latest.value.clone()],
                Block::Text(text) if is_blank(text) => {}
                Block::Text(_) => break,
                Block::Tool(tool) if !is_of_turn(tool) => {
                    if part.is_empty() {
                        part.push(placed.latest.value.clone());
                    }
                    break;
                }
                Block::Tool(_) => part.push(placed.latest.value.clone()),
            }
        }
        part
    }

    /// The files that the model is writing at the moment.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        let at_work = !self.state().is_final();
        self.drafts.files().filter(move |_| at_work)
    }

    pub fn has_blocks(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Takes in a turn's whole text. Without HTML, what its pieces made of it stays.
    pub(super) fn put_text(&mut self, turn: u32, seq: i64, text: &str, html: &str) {
        let key = BlockKey::Turn(turn);
        let known = self.blocks.iter().find(|placed| placed.key == key);
        let block = match known.map(|known| known.latest.value.clone()) {
            Some(grown) if html.is_empty() && !text.is_empty() => Arc::unwrap_or_clone(grown),
            // The same elements stay in the page.
            Some(grown) if matches!(&*grown, Block::Text(blocks) if is_made_of(html, blocks)) => {
                Arc::unwrap_or_clone(grown)
            }
            _ if html.is_empty() => Block::Text(Vec::new()),
            _ => Block::Text(vec![html.into()]),
        };
        self.place(key, seq, block);
    }

    /// Extends a turn's text; pieces come in order, and perhaps twice.
    pub(super) fn grow(&mut self, turn: u32, seq: i64, pieces: &[HtmlPiece]) {
        let key = BlockKey::Turn(turn);
        let known = self.blocks.iter().find(|placed| placed.key == key);
        if known.is_some_and(|known| known.latest.seq >= seq) {
            return;
        }
        let mut text = match known.map(|known| &*known.latest.value) {
            Some(Block::Text(text)) => text.clone(),
            Some(Block::Tool(_)) | None => Vec::new(),
        };
        for piece in pieces {
            piece.apply(&mut text);
        }
        self.place(key, seq, Block::Text(text));
    }

    pub(super) fn place(&mut self, key: BlockKey, seq: i64, block: Block) {
        let at = match self.blocks.iter().position(|placed| placed.key == key) {
            Some(at) => at,
            None => {
                self.blocks.push(PlacedBlock {
                    key,
                    first: seq,
                    latest: Latest {
                        seq: i64::MIN,
                        value: Arc::new(block.clone()),
                    },
                });
                self.blocks.len() - 1
            }
        };
        let placed = &mut self.blocks[at];
        placed.first = placed.first.min(seq);
        placed.latest.offer(seq, Arc::new(block));
        self.blocks.sort_by_key(|placed| placed.first);
    }
}

/// Whether it is a call of the model's; what is done before the first turn stands alone.
fn is_of_turn(tool: &ToolUse) -> bool {
    tool.step.starts_with("turn-")
}

fn is_blank(text: &[Arc<str>]) -> bool {
    text.iter().all(|block| block.trim().is_empty())
}

/// Whether the HTML is these blocks, one after the other.
fn is_made_of(html: &str, blocks: &[Arc<str>]) -> bool {
    let mut rest = Some(html);
    for block in blocks {
        rest = rest.and_then(|rest| rest.strip_prefix(&**block));
    }
    !blocks.is_empty() && rest == Some("")
}
