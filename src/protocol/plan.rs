//! What a message may carry besides its text: questions to the user, or a plan of an app with its
//! steps. Both are in the Markdown too, for models and for people who only read the text.

use serde::{Deserialize, Serialize};

/// The first words of a message that approves a plan.
const APPROVAL: &str = "Build this plan:";
/// The heading above a plan's steps.
const STEPS: &str = "Steps";

/// What a message carries besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessagePart {
    /// Questions to the user. The message that answers them names the one that asked.
    Questions { questions: Vec<Question> },
    /// A plan: proposed in a message of the assistant, approved in one of the user.
    Plan { plan: AppPlan },
}

/// A question to the user, who may also answer in other words than the options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub question: String,
    #[serde(default)]
    pub options: Vec<String>,
    /// The tool of an MCP server whose use the answer decides, by its
    /// [`ToolConsent::key`](super::ToolConsent::key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// What is to be built, step by step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPlan {
    /// Pages, data and look, in Markdown.
    pub text: String,
    pub steps: Vec<PlanStep>,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// One line.
    pub text: String,
    #[serde(default)]
    pub done: bool,
}

impl PlanStep {
    /// A step that is not done yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            done: false,
        }
    }
}

/// The questions as Markdown.
pub fn questions_to_markdown(questions: &[Question]) -> String {
    let mut text = String::new();
    for (
        index,
        Question {
            question, options, ..
        },
    ) in questions.iter().enumerate()
    {
        text.push_str(&format!("{}. {question}\n", index + 1));
        for option in options {
            text.push_str(&format!("   - {option}\n"));
        }
    }
    text
}

impl AppPlan {
    /// The plan as people edit it: its text, followed by the list of its steps.
    pub fn to_markdown(&self) -> String {
        let mut markdown = self.text.trim().to_owned();
        if self.steps.is_empty() {
            return markdown;
        }
        if !markdown.is_empty() {
            markdown.push_str("\n\n");
        }
        markdown.push_str("## ");
        markdown.push_str(STEPS);
        markdown.push('\n');
        for (index, step) in self.steps.iter().enumerate() {
            markdown.push_str(&format!("\n{}. {}", index + 1, step.text));
        }
        markdown
    }

    /// Reads the Markdown of [`AppPlan::to_markdown`] after somebody edited it: the items of the
    /// list under the last heading "Steps" become the steps, all of them undone; everything else is
    /// the text.
    pub fn from_markdown(markdown: &str) -> Self {
        let lines: Vec<&str> = markdown.lines().collect();
        let heading = lines.iter().rposition(|line| is_steps_heading(line));
        let mut steps: Vec<PlanStep> = Vec::new();
        let mut text = String::new();
        let mut within = false;
        for (index, line) in lines.into_iter().enumerate() {
            if Some(index) == heading {
                within = true;
                continue;
            }
            within &= !line.starts_with('#');
            let words = line.trim();
            match item(line).filter(|_| within) {
                Some(step) => steps.push(PlanStep::new(step)),
                None if within && words.is_empty() => {}
                None => match steps.last_mut().filter(|_| within) {
                    Some(step) => {
                        step.text.push(' ');
                        step.text.push_str(words);
                    }
                    None => {
                        text.push_str(line);
                        text.push('\n');
                    }
                },
            }
        }
        Self {
            text: text.trim().to_owned(),
            steps,
        }
    }

    /// The text of a message that approves the plan with this Markdown.
    pub fn approval(markdown: &str) -> String {
        format!("{APPROVAL}\n\n{}", markdown.trim())
    }

    /// The plan in the text of a message that approves one.
    pub fn approved(text: &str) -> Self {
        let text = text.trim_start();
        Self::from_markdown(text.strip_prefix(APPROVAL).unwrap_or(text))
    }

    /// The number of finished steps.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }
}

fn is_steps_heading(line: &str) -> bool {
    let Some(heading) = line.strip_prefix('#') else {
        return false;
    };
    let heading = heading.trim_start_matches('#').trim();
    heading.trim_end_matches(':').eq_ignore_ascii_case(STEPS)
}

/// The text of a list item: what follows `-`, `*`, `+`, `1.` or `1)` and a checkbox.
pub fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marked = match digits {
        0 => line.strip_prefix(['-', '*', '+'])?,
        digits => line[digits..].strip_prefix(['.', ')'])?,
    };
    let text = marked.strip_prefix([' ', '\t'])?.trim();
    let text = ["[ ]", "[x]", "[X]"]
        .iter()
        .find_map(|checkbox| text.strip_prefix(checkbox))
        .unwrap_or(text)
        .trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(plan: &AppPlan) -> Vec<&str> {
        plan.steps.iter().map(|step| step.text.as_str()).collect()
    }

    #[test]
    fn a_plan_is_read_back_as_it_was_written() {
        let plan = AppPlan {
            text: "## Pages\n\n- Home\n- About".to_owned(),
            steps: vec![
                PlanStep::new("Write the home page"),
                PlanStep::new("Add 3. data"),
            ],
        };
        assert_eq!(AppPlan::from_markdown(&plan.to_markdown()), plan);
        assert_eq!(
            AppPlan::approved(&AppPlan::approval(&plan.to_markdown())),
            plan
        );
        let without_text = AppPlan {
            text: String::new(),
            ..plan
        };
        assert_eq!(
            AppPlan::from_markdown(&without_text.to_markdown()),
            without_text
        );
    }

    #[test]
    fn an_edited_plan_keeps_its_steps_however_they_are_listed() {
        let edited = "Intro\r\n\n# STEPS:\r\n\n* one\r\n  and more\n1) two\n- [x] three\n+ [ ]  four\n\n## Later\n- not a step";
        let plan = AppPlan::from_markdown(edited);
        assert_eq!(steps(&plan), ["one and more", "two", "three", "four"]);
        assert_eq!(plan.text, "Intro\n\n## Later\n- not a step");
        let none = AppPlan::from_markdown("- one\n- two");
        assert_eq!((none.steps.len(), &*none.text), (0, "- one\n- two"));
    }
}
