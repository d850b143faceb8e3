//! A run as the conversation shows it: a fold of its events.

use std::sync::Arc;

use super::draft::{Draft, Drafts};
use crate::protocol::{
    BLOCK_BOUNDARY, GrowingText, HtmlPiece, Run, RunId, RunState, Status, ToolUse,
};

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

/// Identifies one text of a turn or one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlockKey {
    Text(GrowingText),
    Step(String),
}

/// A text or a tool call of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Text(Text),
    Tool(ToolUse),
}

/// What the model said or thought in a turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text {
    /// HTML, rendered on the server, in blocks that follow each other.
    pub html: Vec<Arc<str>>,
    /// How long it took, in milliseconds, where that was measured.
    pub took: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
struct PlacedBlock {
    key: BlockKey,
    /// The `seq` of the first event about it, which gives its position.
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

    /// The run itself, if it is known.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref().map(|latest| &latest.value)
    }

    /// `Running` if the run itself is unknown: its events show that it is working.
    pub fn state(&self) -> RunState {
        self.run().map_or(RunState::Running, |run| run.state)
    }

    /// The run's parts, in the order of their first events, without blank texts: each text, and the
    /// calls between two texts as one part, named by the first call.
    pub fn parts(&self) -> Vec<BlockKey> {
        let mut parts = Vec::new();
        let mut within_calls = false;
        for placed in &self.blocks {
            match &*placed.latest.value {
                Block::Text(text) if is_blank(&text.html) => continue,
                Block::Text(_) => within_calls = false,
                Block::Tool(tool) if !is_of_turn(tool) => within_calls = false,
                Block::Tool(_) if within_calls => continue,
                Block::Tool(_) => within_calls = true,
            }
            parts.push(placed.key.clone());
        }
        parts
    }

    /// The blocks of the part with this key.
    pub fn part(&self, key: &BlockKey) -> Vec<Arc<Block>> {
        let mut part = Vec::new();
        let from = self.blocks.iter().skip_while(|placed| placed.key != *key);
        for placed in from {
            match &*placed.latest.value {
                Block::Text(_) if part.is_empty() => return vec![placed.latest.value.clone()],
                Block::Text(text) if is_blank(&text.html) => {}
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

    /// The files that the model is currently writing.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        let at_work = !self.state().is_final();
        self.drafts.files().filter(move |_| at_work)
    }

    /// Whether there is anything to show.
    pub fn has_parts(&self) -> bool {
        self.shown().next().is_some()
    }

    fn shown(&self) -> impl DoubleEndedIterator<Item = &PlacedBlock> {
        self.blocks
            .iter()
            .filter(|placed| match &*placed.latest.value {
                Block::Text(text) => !is_blank(&text.html),
                Block::Tool(_) => true,
            })
    }

    /// Whether it is known that there is nothing to show, because its text was retracted in favour
    /// of the run's reply.
    pub fn is_bare(&self) -> bool {
        !self.blocks.is_empty() && !self.has_parts()
    }

    /// Whether the thinking with this key is still what the run is about: nothing has followed it,
    /// and its turn's answer has not begun, which some models interrupt to think.
    pub fn is_thinking(&self, key: &BlockKey) -> bool {
        let is_last = self
            .shown()
            .next_back()
            .is_some_and(|last| last.key == *key);
        let answers = |placed: &PlacedBlock| match (&placed.key, key) {
            (BlockKey::Text(GrowingText::Answer(turn)), BlockKey::Text(thinking)) => {
                *turn == thinking.turn()
            }
            _ => false,
        };
        let is_answered = self.shown().any(answers);
        is_last && !is_answered && !self.state().is_final() && self.drafts().next().is_none()
    }

    /// Sets the complete text of a turn. Without HTML, that of its pieces stays.
    pub(super) fn put_text(
        &mut self,
        of: GrowingText,
        seq: i64,
        (text, html): (&str, &str),
        took: Option<u64>,
    ) {
        let key = BlockKey::Text(of);
        let known = self.blocks.iter().find(|placed| placed.key == key);
        let grown = match known.map(|known| &*known.latest.value) {
            Some(Block::Text(grown)) => grown.html.as_slice(),
            Some(Block::Tool(_)) | None => &[],
        };
        let html = match (html.is_empty(), text.is_empty()) {
            (true, false) => grown.to_vec(),
            (true, true) => Vec::new(),
            (false, _) => blocks_after(grown, html),
        };
        self.place(key, seq, Block::Text(Text { html, took }));
    }

    /// Extends a text of a turn; pieces arrive in order, but possibly twice.
    pub(super) fn grow(&mut self, of: GrowingText, seq: i64, pieces: &[HtmlPiece]) {
        let key = BlockKey::Text(of);
        let known = self.blocks.iter().find(|placed| placed.key == key);
        if let Some(known) = known.filter(|known| known.latest.seq >= seq) {
            // A late piece only says where the text began.
            let block = Block::clone(&known.latest.value);
            return self.place(key, seq, block);
        }
        let mut html = match known.map(|known| &*known.latest.value) {
            Some(Block::Text(text)) => text.html.clone(),
            Some(Block::Tool(_)) | None => Vec::new(),
        };
        for piece in pieces {
            piece.apply(&mut html);
        }
        self.place(key, seq, Block::Text(Text { html, took: None }));
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

/// Whether the model made this call; steps before the first turn stand alone.
fn is_of_turn(tool: &ToolUse) -> bool {
    tool.step.starts_with("turn-")
}

fn is_blank(text: &[Arc<str>]) -> bool {
    text.iter().all(|block| block.trim().is_empty())
}

/// The blocks of a complete text.
pub(super) fn html_blocks(html: &str) -> Vec<Arc<str>> {
    html.split(BLOCK_BOUNDARY).map(Arc::from).collect()
}

/// The blocks of a whole text that has grown in the page. Those that are its beginning stay, so that
/// their elements do; how it is cut into blocks may differ.
pub(super) fn blocks_after(grown: &[Arc<str>], html: &str) -> Vec<Arc<str>> {
    let (mut same, mut rest, mut end) = (0, html, Some(html));
    for (index, block) in grown.iter().enumerate() {
        end = end.and_then(|end| after(end, block));
        match end {
            Some("") => return grown[..=index].to_vec(),
            Some(end) if end.starts_with(BLOCK_BOUNDARY) => {
                (same, rest) = (index + 1, &end[BLOCK_BOUNDARY.len()..]);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut blocks = grown[..same].to_vec();
    blocks.extend(html_blocks(rest));
    blocks
}

/// What follows the block in the HTML, if that begins with it.
fn after<'a>(mut html: &'a str, mut block: &str) -> Option<&'a str> {
    while !block.is_empty() {
        html = html.strip_prefix(BLOCK_BOUNDARY).unwrap_or(html);
        let end = html.find(BLOCK_BOUNDARY).unwrap_or(html.len());
        let length = end.min(block.len());
        block = block.strip_prefix(html.get(..length).filter(|own| !own.is_empty())?)?;
        html = &html[length..];
    }
    Some(html)
}
