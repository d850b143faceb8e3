//! Calls as models write them: names and arguments that are a little off and can be meant in one way only.

use serde_json::{Deserializer, Value};

/// What a tool's name is compared by: without a namespace such as `functions.`, in any case, with or without `_` and `-`.
pub fn name(name: &str) -> String {
    let own = name.trim().rsplit(['.', ':', '/']).next().unwrap_or_default();
    let letters = own.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The arguments of a call: the first JSON value in the text, its parts of the types that the schema says; none at all is an empty
/// object.
pub fn arguments(text: &str, schema: &Value) -> Result<Value, String> {
    match Deserializer::from_str(text).into_iter().next() {
        None | Some(Ok(Value::Null)) => Ok(Value::Object(serde_json::Map::new())),
        Some(Ok(value)) => Ok(fitted(value, schema)),
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// The value, where it can be read as one of the schema's type; else as it is, and whoever reads it says what is wrong.
fn fitted(value: Value, schema: &Value) -> Value {
    let wanted = schema["type"].as_str().unwrap_or_default();
    match (wanted, value) {
        ("object" | "array" | "integer" | "boolean", Value::String(text)) => match serde_json::from_str::<Value>(text.trim()) {
            // JSON in a string, once or more often.
            Ok(inner) => fitted(inner, schema),
            Err(_) => Value::String(text),
        },
        ("integer", Value::Number(number)) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && (0.0..1e9).contains(&float) => Value::from(float as u64),
            _ => Value::Number(number),
        },
        ("array", Value::Array(values)) => values.into_iter().map(|value| fitted(value, &schema["items"])).collect(),
        ("object", Value::Object(fields)) => {
            let fields = fields.into_iter();
            // Null says that there is none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_the_same_in_every_spelling_and_others_are_not() {
        for spelling in [
            "readFiles",
            "read_files",
            "Read-Files",
            "functions.readFiles",
            "tools/read_files",
            "a.b:readfiles",
        ] {
            assert_eq!(name(spelling), "readfiles", "{spelling}");
        }
        assert_ne!(name("readFile"), name("readFiles"));
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
            // Something behind it.
            (r#"{"files":[{"path":"a"}]}}"#, files.clone()),
            ("{\"files\":[{\"path\":\"a\"}]}\n```\nDone.", files.clone()),
            (r#"{"files":[{"path":"a"}]}{"files":[]}"#, files.clone()),
            // JSON in a string, as a whole or in parts.
            (r#""{\"files\":[{\"path\":\"a\"}]}""#, files.clone()),
            (r#"{"files":"[{\"path\":\"a\"}]"}"#, files.clone()),
            (r#"{"files":["{\"path\":\"a\"}"]}"#, files),
            // Numbers and truths as text, and what is not given.
            (r#"{"seconds":"120","wait":"true"}"#, json!({ "seconds": 120, "wait": true })),
            (r#"{"seconds":120.0,"wait":false}"#, json!({ "seconds": 120, "wait": false })),
            (r#"{"seconds":null}"#, json!({})),
            // What is text stays text, and what makes no sense stays what it is.
            (r#"{"text":"120"}"#, json!({ "text": "120" })),
            (r#"{"text":"{\"a\":1}"}"#, json!({ "text": "{\"a\":1}" })),
            (r#"{"seconds":"soon","wait":"yes"}"#, json!({ "seconds": "soon", "wait": "yes" })),
            (r#"{"seconds":1.5}"#, json!({ "seconds": 1.5 })),
        ] {
            assert_eq!(arguments(text, &schema), Ok(meant), "{text}");
        }
        for text in ["{\"files\":[", "ls -l"] {
            assert!(arguments(text, &schema).is_err(), "{text}");
        }
    }
}
