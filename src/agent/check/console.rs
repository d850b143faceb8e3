//! What a page throws and writes on its console, in words.

use serde_json::Value;

/// An uncaught exception or rejection, in words.
pub fn exception(details: &Value) -> String {
    let text = details["text"].as_str().unwrap_or("Uncaught");
    let exception = &details["exception"];
    let told = exception["description"].as_str().or(exception["value"].as_str());
    match told {
        Some(told) => {
            let own = own_frames(told);
            if text.contains("in promise") {
                format!("Unhandled rejection: {own}")
            } else {
                own
            }
        }
        None => text.to_owned(),
    }
}

/// The message, and those lines of the stack behind it that are the app's own.
fn own_frames(description: &str) -> String {
    let is_frame = |line: &&str| line.trim_start().starts_with("at ");
    let message = description.lines().take_while(|line| !is_frame(line));
    let frames = description.lines().filter(is_frame);
    let own = frames.filter(|line| {
        !["node_modules", "<anonymous>", "_next_dist", "/next/dist/", "react-dom"]
            .iter()
            .any(|part| line.contains(part))
    });
    message.chain(own.take(4)).collect::<Vec<_>>().join("\n")
}

/// What was given to `console.error`, with `%s` and its kin filled in.
pub fn console_text(args: &Value) -> String {
    let mut args = args.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|arg| {
        let value = &arg["value"];
        match (value.as_str(), arg["description"].as_str()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(description)) => own_frames(description),
            (None, None) if value.is_null() => String::new(),
            (None, None) => value.to_string(),
        }
    });
    let Some(format) = args.next() else {
        return String::new();
    };
    let mut text = String::new();
    let mut rest = format.as_str();
    while let Some((at, kind)) = rest
        .match_indices('%')
        .find_map(|(at, _)| Some((at, *rest.as_bytes().get(at + 1)?)))
    {
        text.push_str(&rest[..at]);
        match kind {
            b's' | b'd' | b'i' | b'f' | b'o' | b'O' => {
                text.push_str(&args.next().unwrap_or_default());
                rest = &rest[at + 2..];
            }
            // Styles are for the console alone.
            b'c' => {
                args.next();
                rest = &rest[at + 2..];
            }
            _ => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    for more in args.filter(|more| !more.trim().is_empty()) {
        text.push(' ');
        text.push_str(&more);
    }
    text.trim().to_owned()
}

/// Complaints of React's and Next's that mean a broken page, and are no exceptions: React has caught them, and rendered something else.
const FATAL: [&str; 7] = [
    "Hydration failed",
    "hydrated but some attributes",
    "Maximum update depth exceeded",
    "The above error occurred",
    "React will try to recreate this component tree",
    "An error occurred during hydration",
    "There was an error while hydrating",
];

/// Whether what is on the console means a broken page.
pub fn is_fatal(text: &str) -> bool {
    FATAL.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn console_arguments_become_the_text_that_people_see() {
        let args = json!([
            { "type": "string", "value": "%c%s%c failed in %s: 100%" },
            { "value": "color: red" }, { "value": "Query" }, { "value": "" }, { "value": "page" },
            { "type": "number", "value": 7 }, { "type": "object", "subtype": "error", "description": "Error: x\n    at f (app/page.tsx:1:2)\n    at g (node_modules/react-dom/x.js:1:1)" },
        ]);
        assert_eq!(
            console_text(&args),
            "Query failed in page: 100% 7 Error: x\n    at f (app/page.tsx:1:2)"
        );
        assert_eq!(console_text(&json!([])), "");
        assert_eq!(console_text(&json!([{ "value": "50%" }])), "50%");
    }

    #[test]
    fn an_exception_is_told_by_its_message_and_the_app_s_own_frames() {
        let details = json!({ "text": "Uncaught (in promise)", "exception": { "description": "TypeError: no\n    at load (http://a/app/page.tsx:3:1)\n    at <anonymous>" } });
        assert_eq!(
            exception(&details),
            "Unhandled rejection: TypeError: no\n    at load (http://a/app/page.tsx:3:1)"
        );
        assert_eq!(exception(&json!({ "text": "Uncaught" })), "Uncaught");
        assert_eq!(exception(&json!({ "exception": { "value": "boo" } })), "boo");
    }
}
