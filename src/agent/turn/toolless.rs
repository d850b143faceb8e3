//! Models without tool calls: the files in an answer's code blocks are written by the same tool
//! call that another model would make.

use std::collections::BTreeMap;

use super::{
    budget::Budget,
    calls::{State, call_tools},
    guards::Guards,
    job::Job,
};
use crate::agent::{
    Journal, RunError, Step,
    tools::{
        self,
        code_blocks::{self, FileBlock},
    },
};

/// A block that its fence doesn't name is a quotation if the existing file has more than this many
/// times its lines.
const QUOTED: usize = 2;
/// Existing files with fewer lines than this may be replaced by anything.
const SHORT: usize = 12;

/// The outcome for the files in an answer's code blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFiles {
    /// There were none.
    Absent,
    /// All were written.
    Written,
    /// At least one was not.
    Refused,
}

/// Writes the files of an answer, by a tool call of the turn. The model gets the results, one line
/// each.
///
/// An answer that quotes a file looks like one that writes it: a block that only a heading or a
/// comment names, and that is much shorter than the existing file, is refused.
pub async fn write_files<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    answer: &str,
    guards: &mut Guards,
) -> Result<(BlockFiles, Vec<String>), RunError> {
    let files = code_blocks::files(answer);
    if files.is_empty() {
        return Ok((BlockFiles::Absent, Vec::new()));
    }
    let mut refusals: Vec<String> = files
        .refused
        .into_iter()
        .map(|refused| refused.why)
        .collect();
    let lengths = existing_lengths(job, turn, &files.whole).await?;
    let (quotes, whole): (Vec<FileBlock>, Vec<FileBlock>) = files
        .whole
        .into_iter()
        .partition(|file| is_quotation(file, &lengths));
    refusals.extend(quotes.iter().map(|file| {
        format!(
            "{} was not written: the block is less than half as long as the file is. If it is the \
             whole file, write it again with its path on the fence.",
            file.path
        )
    }));
    let mut results: Vec<String> = Vec::new();
    let mut failed = !refusals.is_empty();
    if !whole.is_empty() {
        let call = tools::writing_call(format!("words_{turn}"), &whole);
        let state = State {
            no_consent: None,
            no_questions: None,
            budget: &Budget::default(),
        };
        for output in call_tools(job, turn, std::slice::from_ref(&call), state).await? {
            guards.record(&call, &output)?;
            failed |= output.failed;
            results.push(output.content);
        }
    }
    results.extend(refusals.iter().map(|why| format!("Error: {why}")));
    let files = if failed {
        BlockFiles::Refused
    } else {
        BlockFiles::Written
    };
    Ok((files, results))
}

/// The number of lines of existing files that may only be quoted; a step, because files change.
async fn existing_lengths<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    files: &[FileBlock],
) -> Result<BTreeMap<String, usize>, RunError> {
    let unsure = files.iter().filter(|file| !file.named_on_fence);
    let paths: Vec<String> = unsure.map(|file| file.path.clone()).collect();
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let name = format!("turn-{turn}-lengths");
    let (step, paths) = (Step::new(&name, &paths), &paths);
    job.journal
        .step(step, |_| {
            job.sandbox.with_app(|app| async move {
                let existing = app.read_files(paths.clone()).await?.into_iter();
                Ok(existing
                    .map(|(path, content)| (path, content.split(|byte| *byte == b'\n').count()))
                    .collect())
            })
        })
        .await
}

fn is_quotation(file: &FileBlock, lengths: &BTreeMap<String, usize>) -> bool {
    let lines = file.content.lines().count();
    let is_longer = |existing: &usize| *existing >= SHORT && *existing > lines * QUOTED;
    !file.named_on_fence && lengths.get(&file.path).is_some_and(is_longer)
}
