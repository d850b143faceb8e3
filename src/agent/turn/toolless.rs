//! Files that a model writes in words become the same tool calls as if it had called the tool.

use std::collections::BTreeMap;

use super::{Job, calls::call_tools, guards::Guards};
use crate::agent::{
    Journal, RunError, Step,
    tools::{
        self,
        code_blocks::{self, File},
    },
};

/// A block that is named beside its fence and has fewer than one of so many lines of the file that
/// is there is taken for a piece of it.
const PIECE: usize = 2;
/// Shorter files, in lines, may become anything.
const SHORT: usize = 12;

/// What became of the files.
pub struct Outcome {
    /// For the model.
    pub told: String,
    /// Whether all were written.
    pub well: bool,
}

/// Writes the files of an answer, by a tool call of the turn; `None` when there are none.
///
/// What an answer quotes of a file looks like a file: a block that only a heading names, or a
/// comment, and that is much shorter than what is there, is told back instead.
pub async fn write_files<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    answer: &str,
    guards: &mut Guards,
) -> Result<Option<Outcome>, RunError> {
    let files = code_blocks::files(answer);
    if files.is_empty() {
        return Ok(None);
    }
    let mut refused: Vec<String> = files
        .refused
        .into_iter()
        .map(|refused| refused.why)
        .collect();
    let lengths = lengths(job, turn, &files.whole).await?;
    let (pieces, whole): (Vec<File>, Vec<File>) = files
        .whole
        .into_iter()
        .partition(|file| is_piece(file, &lengths));
    refused.extend(pieces.iter().map(|file| {
        format!(
            "{} was not written: the block is less than half as long as the file is. If it is the whole file, write it again with its path on \
             the fence.",
            file.path
        )
    }));
    let mut told: Vec<String> = Vec::new();
    let mut well = refused.is_empty();
    if !whole.is_empty() {
        let call = tools::writing_call(format!("words_{turn}"), &whole);
        for output in call_tools(job, turn, std::slice::from_ref(&call)).await? {
            guards.take(&call, &output)?;
            well &= !output.failed;
            told.push(output.content);
        }
    }
    told.extend(refused.iter().map(|why| format!("Error: {why}")));
    Ok(Some(Outcome {
        told: told.join("\n"),
        well,
    }))
}

/// How many lines the files have that may be quoted; a step, because they change.
async fn lengths<J: Journal>(
    job: &Job<'_, '_, J>,
    turn: u32,
    files: &[File],
) -> Result<BTreeMap<String, usize>, RunError> {
    let quoted = files.iter().filter(|file| !file.named_on_fence);
    let paths: Vec<String> = quoted.map(|file| file.path.clone()).collect();
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let name = format!("turn-{turn}-lengths");
    let (step, paths) = (Step::new(&name, &paths), &paths);
    job.journal
        .step(step, |_| {
            job.workplace.with_app(|app| async move {
                let there = app.read_files(paths.clone()).await?.into_iter();
                Ok(there
                    .map(|(path, content)| (path, content.split(|byte| *byte == b'\n').count()))
                    .collect())
            })
        })
        .await
}

fn is_piece(file: &File, lengths: &BTreeMap<String, usize>) -> bool {
    let lines = file.content.lines().count();
    let is_longer = |there: &usize| *there >= SHORT && *there > lines * PIECE;
    !file.named_on_fence && lengths.get(&file.path).is_some_and(is_longer)
}
