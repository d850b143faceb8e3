//! `explore`: questions about the app, each answered by an explorer that reads it. The explorers
//! are conversations of their own (`turn/explore.rs`).

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, ToolContext, ToolError, ToolOutput,
    lenient::{list, one_line},
    object,
};
use crate::protocol::{Status, first_chars};

/// How many questions are explored at once; further ones are dropped.
const MAX_QUESTIONS: usize = 3;
/// The longest question, in characters.
const MAX_QUESTION: usize = 600;
/// How long all explorers together may take.
const TIMEOUT: Duration = Duration::from_secs(1800);

#[derive(Debug, Deserialize)]
pub struct Arguments {
    questions: Value,
}

pub fn spec() -> (&'static str, Value) {
    (
        "Answers questions about a large app's code, up to three at once: for each, an explorer of its own searches and reads the files, \
         and tells you what is where and how it works. It knows nothing but the question. Of use before a change that touches many \
         files you don't know; in a small app read the files yourself.",
        object(
            json!({
                "questions": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_QUESTIONS,
                    "items": { "type": "string", "description": "One question that can be understood alone, with what you need to know and why" },
                },
            }),
            &["questions"],
        ),
    )
}

impl Handler for Arguments {
    fn title(&self) -> String {
        match self.to_explore().as_slice() {
            [only] => first_chars(only, 120).to_owned(),
            all => format!("{} questions", all.len()),
        }
    }

    fn status(&self) -> Status {
        Status::ReadingFiles
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn access(&self) -> FileAccess {
        FileAccess::ReadsAll
    }

    fn to_explore(&self) -> Vec<String> {
        let questions = list(&self.questions);
        let questions = questions.iter().map(one_line);
        let questions = questions.map(|text| first_chars(&text, MAX_QUESTION).to_owned());
        let asked = questions.filter(|question| !question.is_empty());
        asked.take(MAX_QUESTIONS).collect()
    }

    fn execute<'a>(
        &'a self,
        _context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        let why = "there is no question in it; write one to three";
        async move { Err(ToolError::RespondToModel(why.to_owned())) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_however_a_model_writes_them_and_no_more_than_three() {
        let read = |questions: Value| Arguments { questions }.to_explore();
        for questions in [
            json!(["Where is it?"]),
            json!([{ "question": "Where is it?" }, ""]),
            json!("Where is it?"),
        ] {
            assert_eq!(read(questions), ["Where is it?"]);
        }
        assert_eq!(read(json!(["a", "b", "c", "d"])), ["a", "b", "c"]);
        assert!(read(json!([])).is_empty() && read(Value::Null).is_empty());
    }
}
