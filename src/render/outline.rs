//! Lays JSON out for people: names and values line by line, texts unquoted, cut at a readable
//! length.

use std::fmt::Write as _;

use serde_json::Value;

use crate::protocol::first_chars;

/// The JSON as indented lines, of at most `limit` characters and then a line that says how much is
/// missing. What is no JSON is shown as it is.
pub fn outline(json: &str, limit: usize) -> String {
    let text = match serde_json::from_str(json) {
        Ok(Value::String(text)) => text,
        Ok(value) => {
            let mut lines = String::new();
            put(&mut lines, &value, 0);
            lines
        }
        Err(_) => json.to_owned(),
    };
    cut(text.trim(), limit)
}

/// The text, or its first `limit` characters followed by a line that says how many are missing.
pub fn cut(text: &str, limit: usize) -> String {
    let kept = first_chars(text, limit);
    match text[kept.len()..].chars().count() {
        0 => text.to_owned(),
        more => format!("{kept}\n[… {more} more characters]"),
    }
}

fn put(lines: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let _ = write!(lines, "{indent}{name}:");
                put_after(lines, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(lines, "{indent}-");
                put_after(lines, item, depth);
            }
        }
        Value::String(text) => {
            for line in text.lines() {
                let _ = writeln!(lines, "{indent}{line}");
            }
        }
        other => {
            let _ = writeln!(lines, "{indent}{other}");
        }
    }
}

/// Appends the value after its name: on the same line if it is short, otherwise indented below.
fn put_after(lines: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if fields.is_empty() => lines.push_str(" none\n"),
        Value::Array(items) if items.is_empty() => lines.push_str(" none\n"),
        Value::String(text) if text.is_empty() => lines.push_str(" \"\"\n"),
        // Text that is itself JSON, such as a tool call's arguments.
        Value::String(text)
            if text.starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok() =>
        {
            put_after(
                lines,
                &serde_json::from_str(text).unwrap_or_default(),
                depth,
            );
        }
        Value::String(text) if !text.contains('\n') => {
            let _ = writeln!(lines, " {text}");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = writeln!(lines, " {value}");
        }
        Value::Object(_) | Value::Array(_) | Value::String(_) => {
            lines.push('\n');
            put(lines, value, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_lines_and_texts_are_as_written() {
        let json = r#"{"text":"Two\nlines","calls":[{"id":"a","tool":"terminal"}],"failed":false,"written":[]}"#;
        assert_eq!(
            outline(json, 1000),
            "calls:\n  -\n    id: a\n    tool: terminal\nfailed: false\ntext:\n  Two\n  lines\nwritten: none"
        );
        let arguments = r#"{"arguments":"{\"content\":\"a\\nb\"}","name":"[tool"}"#;
        assert_eq!(
            outline(arguments, 1000),
            "arguments:\n  content:\n    a\n    b\nname: [tool"
        );
        assert_eq!(outline(r#""just a text""#, 1000), "just a text");
        assert_eq!(outline("no JSON", 1000), "no JSON");
    }

    #[test]
    fn what_is_long_is_cut_between_letters_and_says_so() {
        assert_eq!(
            outline("\"grün und blau\"", 4),
            "grün\n[… 9 more characters]"
        );
        assert_eq!(outline("\"grün\"", 4), "grün");
    }
}
