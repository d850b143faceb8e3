//! `askQuestions`: asks the user questions, which ends the run; the next message contains the
//! answers.

use futures::{FutureExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    FileAccess, Handler, ToolContext, ToolError, ToolOutput,
    lenient::{list, one_line},
    object,
};
use crate::protocol::{MessagePart, Question, Status, first_chars};

/// How many questions are asked at once; further ones are dropped.
const MAX_QUESTIONS: usize = 4;
/// The maximum number of options per question; further ones are dropped.
const MAX_OPTIONS: usize = 5;
/// The longest question and the longest option, in characters.
const MAX_QUESTION: usize = 300;
const MAX_OPTION: usize = 100;

#[derive(Debug, Deserialize)]
pub struct Arguments {
    /// Questions with options, or plain texts; a single one need not be in a list.
    questions: Value,
}

pub fn spec() -> (&'static str, Value) {
    let question = object(
        json!({
            "question": { "type": "string", "description": "One short question, in the user's language" },
            "options": {
                "type": "array",
                "minItems": 2,
                "maxItems": MAX_OPTIONS,
                "items": { "type": "string", "description": "A short answer, the one you would choose first" },
            },
        }),
        &["question", "options"],
    );
    (
        "Asks the user what the plan or the app depends on and what you can't find out or decide yourself. The user answers with a \
         button or in other words. Call it at most once, alone, and before anything is changed: your work ends with it, and goes on \
         with the answers.",
        object(
            json!({
                "questions": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_QUESTIONS,
                    "items": question,
                },
            }),
            &["questions"],
        ),
    )
}

impl Arguments {
    /// The questions as asked.
    fn questions(&self) -> Vec<Question> {
        let questions = list(&self.questions);
        let questions = questions.iter().filter_map(question);
        questions.take(MAX_QUESTIONS).collect()
    }
}

fn question(value: &Value) -> Option<Question> {
    let (text, options) = match value {
        Value::Object(fields) => {
            let text = ["question", "text", "title", "label"];
            let text = text.iter().find_map(|name| fields.get(*name))?;
            let options = ["options", "choices", "answers"];
            (text, options.iter().find_map(|name| fields.get(*name)))
        }
        text => (text, None),
    };
    let question = first_chars(&one_line(text), MAX_QUESTION).to_owned();
    let mut kept: Vec<String> = Vec::new();
    for option in options.map(list).unwrap_or_default() {
        let option = first_chars(&one_line(&option), MAX_OPTION).to_owned();
        if !option.is_empty() && !kept.contains(&option) && kept.len() < MAX_OPTIONS {
            kept.push(option);
        }
    }
    (!question.is_empty()).then_some(Question {
        question,
        options: kept,
        tool: None,
    })
}

impl Handler for Arguments {
    fn title(&self) -> String {
        match self.questions().as_slice() {
            [only] => only.question.clone(),
            all => format!("{} questions", all.len()),
        }
    }

    fn status(&self) -> Status {
        Status::Thinking
    }

    fn access(&self) -> FileAccess {
        FileAccess::None
    }

    fn part(&self) -> Option<MessagePart> {
        let questions = self.questions();
        (!questions.is_empty()).then_some(MessagePart::Questions { questions })
    }

    fn execute<'a>(
        &'a self,
        context: &'a ToolContext<'a>,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        async move {
            if let Some(why) = context.no_questions {
                return Err(ToolError::RespondToModel(why.to_owned()));
            }
            if self.questions().is_empty() {
                return Err(ToolError::RespondToModel(
                    "there is no question in it; write at least one, with two to five options"
                        .to_owned(),
                ));
            }
            Ok(ToolOutput::ok("The user is asked."))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(questions: Value) -> Vec<(String, Vec<String>)> {
        let arguments = Arguments { questions };
        let asked = arguments.questions().into_iter();
        asked.map(|asked| (asked.question, asked.options)).collect()
    }

    #[test]
    fn questions_are_read_however_a_model_writes_them() {
        let meant = vec![(
            "Which colours?".to_owned(),
            vec!["Blue".to_owned(), "Red".to_owned()],
        )];
        for questions in [
            json!([{ "question": "Which colours?", "options": ["Blue", "Red"] }]),
            json!({ "question": " Which\n colours? ", "options": ["Blue", "", "Blue", "Red"] }),
            json!([{ "text": "Which colours?", "choices": [{ "label": "Blue" }, { "value": "Red" }] }]),
            json!([{ "title": "Which colours?", "options": "Blue\nRed" }]),
            json!([{ "question": "", "options": ["x"] }, null, { "question": "Which colours?", "options": ["Blue", "Red"] }]),
        ] {
            assert_eq!(asked(questions.clone()), meant, "{questions}");
        }
        let bare = asked(json!(["Who uses it?"]));
        assert_eq!(bare, [("Who uses it?".to_owned(), Vec::new())]);
        assert!(asked(json!([])).is_empty() && asked(json!("")).is_empty());
    }

    #[test]
    fn what_is_too_many_or_too_long_is_left_out() {
        let question =
            json!({ "question": "ä".repeat(1000), "options": ["1", "2", "3", "4", "5", "6"] });
        let asked = asked(Value::from(vec![question; 7]));
        assert_eq!(asked.len(), MAX_QUESTIONS);
        assert_eq!(asked[0].0.chars().count(), MAX_QUESTION);
        assert_eq!(asked[0].1.len(), MAX_OPTIONS);
    }
}
