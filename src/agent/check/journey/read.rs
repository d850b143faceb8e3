//! Parses journeys as models and people write them: unambiguous deviations are accepted, and every
//! other mistake gets a sentence that says what to write.

use serde_json::{Map, Value};

use super::{Action, Element, Journey, JourneyStep, Sight, Target, Theme, keys::Stroke, roles};
use crate::protocol::{first_chars, shorten};

/// How large a file may be, in bytes.
pub const MAX_FILE: usize = 16 << 10;
/// How many steps a journey may have.
const MAX_STEPS: usize = 40;
/// How long a text may be, in characters.
const MAX_TEXT: usize = 300;
/// How long a title may be.
const MAX_TITLE: usize = 80;
/// How much of a step is quoted.
const MAX_SOURCE: usize = 160;
/// Which of several elements may be named.
const MAX_NUMBER: u64 = 100;

const STEPS: &str = r##"a step is one of { "open": "/" }, { "reload": true }, { "click": "Add", "role": "button" }, { "type": "Milk", "into": "New task" }, { "select": "Done", "from": "Show" }, { "press": "Enter" }, { "see": "Milk" }, { "see": "Dark mode", "role": "switch", "checked": true }, { "not_see": "Milk" } and { "theme": "dark" }"##;
/// Remarks for people that a step may contain.
const REMARKS: [&str; 4] = ["comment", "note", "description", "why"];
/// The roles of elements, by the words for them.
const STATES: [(&str, &str); 5] = [
    ("checked", "checked"),
    ("selected", "selected"),
    ("pressed", "pressed"),
    ("expanded", "expanded"),
    ("disabled", "disabled"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Open,
    Reload,
    Click,
    Type,
    Select,
    Press,
    See,
    NotSee,
    Theme,
}

/// The words for each, without case, spaces, `_` and `-`.
const VERBS: [(Verb, &[&str]); 9] = [
    (Verb::Open, &["open", "goto", "visit", "navigate"]),
    (Verb::Reload, &["reload", "refresh"]),
    (Verb::Click, &["click", "tap", "check", "uncheck"]),
    (Verb::Type, &["type", "fill", "enter", "write"]),
    (Verb::Select, &["select", "choose", "pick"]),
    (Verb::Press, &["press", "key"]),
    (Verb::See, &["see", "seetext", "expect"]),
    (
        Verb::NotSee,
        &["notsee", "dontsee", "doesnotsee", "notseen", "gone"],
    ),
    (Verb::Theme, &["theme", "seetheme"]),
];

impl Verb {
    fn named(word: &str) -> Option<Self> {
        let found = VERBS.iter().find(|(_, words)| words.contains(&word));
        found.map(|(verb, _)| *verb)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reload => "reload",
            Self::Click => "click",
            Self::Type => "type",
            Self::Select => "select",
            Self::Press => "press",
            Self::See => "see",
            Self::NotSee => "not_see",
            Self::Theme => "theme",
        }
    }
}

/// The journey in this file of the app. The error is a sentence for whoever wrote it.
pub fn read(file: &str, content: &[u8]) -> Result<Journey, String> {
    if content.len() > MAX_FILE {
        return Err(format!(
            "{file} is larger than {} kB. Write a shorter journey, or two.",
            MAX_FILE >> 10
        ));
    }
    let text = String::from_utf8_lossy(content);
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        format!(
            r#"{file} is not JSON ({error}). Write {{ "title": "…", "steps": [ … ] }}, without comments."#
        )
    })?;
    let (title, steps) = match value {
        Value::Array(steps) => (None, steps),
        Value::Object(fields) => {
            let mut fields = Fields::of(fields);
            let title = fields.take(&["title", "name", "journey"]);
            match fields.take(&["steps", "actions"]) {
                Some(Value::Array(steps)) => (title, steps),
                _ => {
                    return Err(format!(
                        r#"{file} has no list of steps. Write {{ "title": "…", "steps": [ … ] }}."#
                    ));
                }
            }
        }
        _ => {
            return Err(format!(
                r#"{file} is no journey. Write {{ "title": "…", "steps": [ … ] }}."#
            ));
        }
    };
    if steps.len() > MAX_STEPS {
        return Err(format!(
            "{file} has {} steps, and a journey may have {MAX_STEPS}. Make two of it.",
            steps.len()
        ));
    }
    let mut read = Vec::with_capacity(steps.len());
    for (number, step) in steps.into_iter().enumerate() {
        let source = step.to_string();
        let source = shorten(&source, MAX_SOURCE).into_owned();
        let action = action(step)
            .map_err(|mistake| format!("{file}, step {} ({source}): {mistake}.", number + 1))?;
        read.push(JourneyStep { action, source });
    }
    proves_something(file, &read)?;
    let stem = file.rsplit('/').next().unwrap_or(file);
    let title = title.as_ref().and_then(Value::as_str);
    let title = title.unwrap_or(stem.trim_end_matches(".json"));
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Journey {
        file: file.to_owned(),
        title: first_chars(&title, MAX_TITLE).to_owned(),
        steps: read,
    })
}

/// A journey that checks nothing after its last action can't fail.
fn proves_something(file: &str, steps: &[JourneyStep]) -> Result<(), String> {
    match steps.first().map(|step| &step.action) {
        None => Err(format!("{file} has no steps: {STEPS}.")),
        Some(Action::Open(_)) => match steps.last() {
            Some(step) if !step.action.is_look() => Err(format!(
                r#"{file} checks nothing after its last step ({}). End it with a step such as {{ "see": "…" }}."#,
                step.source
            )),
            _ => Ok(()),
        },
        Some(_) => Err(format!(
            r#"{file}, step 1: a journey begins with the page that is opened. Write {{ "open": "/" }} before the other steps."#
        )),
    }
}

/// A step's fields by their words, without case, spaces, `_` and `-`.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(fields: Map<String, Value>) -> Self {
        let plain = |word: &str| {
            let letters = word.chars().filter(|letter| letter.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect::<String>()
        };
        let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
        Self(fields.map(|(word, value)| (plain(&word), value)).collect())
    }

    /// Takes the field with one of these words out.
    fn take(&mut self, words: &[&str]) -> Option<Value> {
        for word in words {
            if let Some(at) = self.0.iter().position(|(own, _)| own == word) {
                return Some(self.0.remove(at).1);
            }
        }
        None
    }

    /// As [`Fields::take`], for a text.
    fn text(&mut self, words: &[&str]) -> Result<Option<String>, String> {
        self.take(words)
            .map(|value| text(&value, words.first().unwrap_or(&"")))
            .transpose()
    }

    /// The role, where one is named.
    fn role(&mut self) -> Result<Option<String>, String> {
        let Some(word) = self.text(&["role"])? else {
            return Ok(None);
        };
        if word.eq_ignore_ascii_case("text") {
            return Ok(None);
        }
        let role = roles::meant(&word).ok_or_else(|| {
            format!(
                "there is no role “{word}”; write one such as button, link, textbox, checkbox, switch, combobox, heading or listitem"
            )
        })?;
        Ok(Some(role.to_owned()))
    }

    fn target(&mut self, name: String) -> Result<Target, String> {
        let number = match self.take(&["number", "nth"]) {
            None => 1,
            Some(value) => value
                .as_u64()
                .filter(|number| (1..=MAX_NUMBER).contains(number))
                .and_then(|number| usize::try_from(number).ok())
                .ok_or("“number” says which of several is meant: write 1 for the first")?,
        };
        Ok(Target {
            name,
            role: self.role()?,
            number,
        })
    }
}

/// What a value says, as one line or more of text.
fn text(value: &Value, word: &str) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("“{word}” is a text: write it in quotation marks")),
    };
    if text.chars().count() > MAX_TEXT {
        return Err(format!(
            "“{word}” is longer than {MAX_TEXT} characters: write less of it"
        ));
    }
    Ok(text)
}

fn action(step: Value) -> Result<Action, String> {
    let (verb, mut fields) = verb(step)?;
    let main = |fields: &mut Fields, more: &[&str]| {
        let words = [&[verb.name()], more].concat();
        fields.text(&words)
    };
    let named = |text: Option<String>, example: &str| {
        text.filter(|text| !text.trim().is_empty())
            .ok_or_else(|| format!("“{}” says nothing; write {example}", verb.name()))
    };
    let action = match verb {
        Verb::Open => {
            let path = main(&mut fields, &["path", "url", "to"])?;
            let path = named(path, r#"{ "open": "/" }"#)?;
            if !path.starts_with('/') || path.starts_with("//") {
                return Err(
                    "“open” takes a path of the app, such as \"/\" or \"/about\"".to_owned(),
                );
            }
            Action::Open(path)
        }
        Verb::Reload => {
            fields.take(&[verb.name()]);
            Action::Reload
        }
        Verb::Click => {
            let name = main(&mut fields, &["name", "text", "label"])?;
            let name = named(name, r#"{ "click": "Add", "role": "button" }"#)?;
            Action::Click(fields.target(name)?)
        }
        Verb::Type => {
            let text = main(&mut fields, &["text", "value"])?;
            let field = fields.text(&["into", "in", "field", "label", "name"])?;
            match (text, field) {
                (Some(text), Some(name)) if !name.trim().is_empty() => Action::Type {
                    text,
                    field: fields.target(name)?,
                },
                _ => {
                    return Err(r#"it names no field, or no text; write { "type": "Milk", "into": "New task" }, with the field's label"#.to_owned());
                }
            }
        }
        Verb::Select => {
            let option = main(&mut fields, &["option", "value"])?;
            let field = fields.text(&["from", "in", "into", "field", "label", "name"])?;
            match (option, field) {
                (Some(option), Some(name)) if !name.trim().is_empty() => Action::Select {
                    option,
                    field: fields.target(name)?,
                },
                _ => {
                    return Err(r#"it names no field, or no option; write { "select": "Done", "from": "Show" }, with the field's label"#.to_owned());
                }
            }
        }
        Verb::Press => {
            let key = named(main(&mut fields, &["keys"])?, r#"{ "press": "Enter" }"#)?;
            Action::Press(Stroke::named(&key).ok_or_else(|| {
                format!("there is no key “{key}”; write one such as Enter, Escape, Tab, ArrowDown, a, or Control+K")
            })?)
        }
        Verb::See => Action::See(sight(&mut fields, verb)?),
        Verb::NotSee => Action::NotSee(sight(&mut fields, verb)?),
        Verb::Theme => match main(&mut fields, &[])?
            .unwrap_or_default()
            .to_lowercase()
            .trim()
        {
            "dark" => Action::Theme(Theme::Dark),
            "light" => Action::Theme(Theme::Light),
            _ => return Err(r#"write { "theme": "dark" } or { "theme": "light" }"#.to_owned()),
        },
    };
    fields.take(&REMARKS);
    match fields.0.first() {
        None => Ok(action),
        Some((word, _)) if matches!(word.as_str(), "timeout" | "wait") => Err(format!(
            "“{word}” is not needed: a step waits by itself; leave it out"
        )),
        Some((word, _)) => Err(format!(
            "“{word}” has no meaning in a step that says “{}”; leave it out, or write it as a step of its own",
            verb.name()
        )),
    }
}

/// What a step does, and its fields. A step's object may stand below its verb, and its verb in a
/// field of its own.
fn verb(step: Value) -> Result<(Verb, Fields), String> {
    let fields = match step {
        Value::String(word) => Map::from_iter([(word, Value::Bool(true))]),
        Value::Object(fields) => fields,
        _ => return Err(format!("it is no object; {STEPS}")),
    };
    let mut fields = Fields::of(fields);
    if let Some(Value::String(word)) = fields.take(&["action", "do"]) {
        fields = Fields(
            Fields::of(Map::from_iter([(word, Value::Bool(true))]))
                .0
                .into_iter()
                .chain(fields.0)
                .collect(),
        );
    }
    let mut verbs = fields
        .0
        .iter()
        .enumerate()
        .filter_map(|(at, (word, _))| Some((at, Verb::named(word)?)));
    let Some((at, verb)) = verbs.next() else {
        return Err(STEPS.to_owned());
    };
    if let Some((_, other)) = verbs.next() {
        return Err(format!(
            "it says both “{}” and “{}”; write each as a step of its own",
            verb.name(),
            other.name()
        ));
    }
    let (_, value) = fields.0.remove(at);
    match value {
        Value::Object(inner) => fields.0.extend(Fields::of(inner).0),
        Value::Bool(_) => {}
        value => fields.0.push((verb.name().to_owned(), value)),
    }
    Ok((verb, fields))
}

fn sight(fields: &mut Fields, verb: Verb) -> Result<Sight, String> {
    let example = format!(
        r#"write {{ "{}": "…" }} with a text of the page, or with an element's name and its role"#,
        verb.name()
    );
    let name = fields.text(&[verb.name(), "text", "name", "label"])?;
    let name = name.unwrap_or_default().trim().to_owned();
    let value = fields.text(&["value"])?;
    let mut states = Vec::new();
    for (word, state) in STATES {
        match fields.take(&[word]) {
            None => {}
            Some(Value::Bool(is)) => states.push((state, is)),
            Some(_) => return Err(format!("“{word}” is true or false")),
        }
    }
    match fields.role()? {
        Some(role) => Ok(Sight::Element(Element {
            role,
            name,
            value,
            states,
        })),
        None if value.is_some() || !states.is_empty() => Err(format!(
            "a value or a state belongs to an element: add its role, such as textbox or checkbox; {example}"
        )),
        None if name.is_empty() => Err(format!("it says nothing; {example}")),
        None => Ok(Sight::Text(name)),
    }
}

#[cfg(test)]
mod tests;
