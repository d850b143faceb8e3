//! Tool calls as models write them: names and arguments that are slightly wrong but unambiguous.

use serde_json::{Deserializer, Value};

use crate::agent::mcp::PREFIX;

/// Namespaces that models put before a tool's name with `_` or `-` instead of a dot:
/// `functions_terminal`, `mcp__app__terminal`.
const NAMESPACES: [&str; 9] = [
    "functions",
    "function",
    "tools",
    "tool",
    "default",
    "api",
    "mcp",
    "app",
    "codeflow",
];

/// The normalized form of tool names: lower case, without `_` and `-`, without a namespace such as
/// `functions.`, and without what chat templates and models leave around a name:
/// `terminal<|channel|>commentary`, `listFiles}`, `terminal()`, `functions.terminal:0`.
pub fn name(name: &str) -> String {
    let own = own_name(name)
        .rsplit(['.', ':', '/'])
        .next()
        .unwrap_or_default();
    let letters = own.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether it is the name of a tool of an MCP server, `mcp__server__tool`: never one of our own,
/// behind any namespace.
pub fn is_foreign(name: &str) -> bool {
    let server = own_name(name)
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once("__"));
    server.is_some_and(|(server, _)| {
        !NAMESPACES
            .iter()
            .any(|namespace| server.eq_ignore_ascii_case(namespace))
    })
}

/// The name without a namespace separated by `_` or `-`; `None` if it has none.
pub fn without_namespace(name: &str) -> Option<&str> {
    let mut own = own_name(name);
    let mut found = None;
    while let Some((before, after)) = own.split_once(['_', '-']) {
        if !before.is_empty()
            && !NAMESPACES
                .iter()
                .any(|namespace| before.eq_ignore_ascii_case(namespace))
        {
            break;
        }
        own = after;
        found = Some(own);
    }
    found
}

/// The name up to the first invalid character, without a number after it.
fn own_name(name: &str) -> &str {
    let mut name = name.trim();
    while let Some((_, rest)) = name
        .strip_prefix("<|")
        .and_then(|rest| rest.split_once("|>"))
    {
        name = rest.trim_start();
    }
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-.:/".contains(letter);
    let end = name.find(|letter| !is_part(letter)).unwrap_or(name.len());
    let name = name[..end].trim_end_matches(['.', ':', '/', '_', '-']);
    match name.rsplit_once(':') {
        Some((own, number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => own,
        _ => name,
    }
}

/// The arguments of a call: the first JSON value in the text, converted to the types of the schema;
/// an empty object if there is none.
pub fn arguments(text: &str, schema: &Value) -> Result<Value, String> {
    match Deserializer::from_str(text).into_iter().next() {
        None | Some(Ok(Value::Null)) => Ok(Value::Object(serde_json::Map::new())),
        Some(Ok(value)) => Ok(fitted(value, schema)),
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// The value, converted to the schema's type if possible; otherwise unchanged, to be rejected
/// later.
fn fitted(value: Value, schema: &Value) -> Value {
    let wanted = schema["type"].as_str().unwrap_or_default();
    match (wanted, value) {
        ("object" | "array" | "integer" | "boolean", Value::String(text)) => {
            match serde_json::from_str::<Value>(text.trim()) {
                // JSON in a string, possibly nested.
                Ok(inner) => fitted(inner, schema),
                Err(_) => Value::String(text),
            }
        }
        ("integer", Value::Number(number)) => match number.as_f64() {
            Some(float)
                if number.is_f64() && float.fract() == 0.0 && (0.0..1e9).contains(&float) =>
            {
                Value::from(float as u64)
            }
            _ => Value::Number(number),
        },
        ("array", Value::Array(values)) => values
            .into_iter()
            .map(|value| fitted(value, &schema["items"]))
            .collect(),
        ("object", Value::Object(fields)) => {
            let fields = fields.into_iter();
            // Null means absent.
            let said = fields.filter(|(_, value)| !value.is_null());
            let fitted = said.map(|(name, value)| {
                let value = fitted(value, &schema["properties"][&name]);
                (name, value)
            });
            Value::Object(fitted.collect())
        }
        (_, value) => value,
    }
}

/// The items of a list, which a model may also have written as a text with one item per line, or as
/// a single item.
pub fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => text.lines().map(Value::from).collect(),
        Value::Null => Vec::new(),
        only => vec![only.clone()],
    }
}

/// The text of a value: a list as Markdown, an object by its fields' values.
pub fn words(value: &Value) -> String {
    /// In reading order.
    const FIELDS: [&str; 12] = [
        "path",
        "name",
        "title",
        "label",
        "step",
        "question",
        "text",
        "value",
        "summary",
        "description",
        "details",
        "content",
    ];
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items = items.iter().map(words).filter(|item| !item.is_empty());
            let items: Vec<String> = items.map(|item| format!("- {item}")).collect();
            items.join("\n")
        }
        Value::Object(fields) => {
            let known = FIELDS.iter().filter_map(|name| fields.get(*name));
            let others = fields
                .iter()
                .filter(|(name, _)| !FIELDS.contains(&name.as_str()));
            let all = known.chain(others.map(|(_, value)| value)).map(words);
            let all: Vec<String> = all.filter(|words| !words.is_empty()).collect();
            all.join(": ")
        }
    }
}

/// The same in one line.
pub fn one_line(value: &Value) -> String {
    let text = words(value);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_spelling_of_a_name_is_the_same_and_other_names_differ() {
        for spelling in [
            "readFiles",
            "read_files",
            "Read-Files",
            "functions.readFiles",
            "tools/read_files",
            "a.b:readfiles",
            "readFiles<|channel|>commentary",
            "functions.readFiles<|constrain|>json",
            "<|tool|>readFiles",
            "readFiles}",
            "readFiles()",
            "readFiles({\"files\":[]})",
            "\"readFiles\"",
            "functions.readFiles:0",
            "`readFiles`:",
        ] {
            assert_eq!(name(spelling), "readfiles", "{spelling}");
        }
        assert_ne!(name("readFile"), name("readFiles"));
        for (spelling, own) in [
            ("functions_terminal", Some("terminal")),
            ("mcp__codeflow__read_files", Some("read_files")),
            ("default_api-terminal()", Some("terminal")),
            ("close_terminal", None),
            ("terminal", None),
        ] {
            assert_eq!(without_namespace(spelling), own, "{spelling}");
        }
    }

    #[test]
    fn arguments_are_read_as_they_are_meant() {
        let file = json!({ "type": "object", "properties": { "path": { "type": "string" } } });
        let schema = json!({
            "type": "object",
            "properties": {
                "files": { "type": "array", "items": file },
                "seconds": { "type": "integer" },
                "wait": { "type": "boolean" },
                "text": { "type": "string" },
            },
        });
        let files = json!({ "files": [{ "path": "a" }] });
        for (text, meant) in [
            ("", json!({})),
            (" null", json!({})),
            (r#"{"files":[{"path":"a"}]}"#, files.clone()),
            // With trailing text.
            (r#"{"files":[{"path":"a"}]}}"#, files.clone()),
            ("{\"files\":[{\"path\":\"a\"}]}\n```\nDone.", files.clone()),
            (r#"{"files":[{"path":"a"}]}{"files":[]}"#, files.clone()),
            // JSON in a string, completely or in parts.
            (r#""{\"files\":[{\"path\":\"a\"}]}""#, files.clone()),
            (r#"{"files":"[{\"path\":\"a\"}]"}"#, files.clone()),
            (r#"{"files":["{\"path\":\"a\"}"]}"#, files),
            // Numbers and booleans as text, and missing values.
            (
                r#"{"seconds":"120","wait":"true"}"#,
                json!({ "seconds": 120, "wait": true }),
            ),
            (
                r#"{"seconds":120.0,"wait":false}"#,
                json!({ "seconds": 120, "wait": false }),
            ),
            (r#"{"seconds":null}"#, json!({})),
            // Text stays text, and nonsense stays unchanged.
            (r#"{"text":"120"}"#, json!({ "text": "120" })),
            (r#"{"text":"{\"a\":1}"}"#, json!({ "text": "{\"a\":1}" })),
            (
                r#"{"seconds":"soon","wait":"yes"}"#,
                json!({ "seconds": "soon", "wait": "yes" }),
            ),
            (r#"{"seconds":1.5}"#, json!({ "seconds": 1.5 })),
        ] {
            assert_eq!(arguments(text, &schema), Ok(meant), "{text}");
        }
        for text in ["{\"files\":[", "ls -l"] {
            assert!(arguments(text, &schema).is_err(), "{text}");
        }
    }
}
