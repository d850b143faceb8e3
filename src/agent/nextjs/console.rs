//! Errors and console messages of a page, as text: React's and Next.js' own messages are shortened,
//! or recognized as noise.

use std::sync::LazyLock;

use serde_json::Value;

/// An uncaught exception or rejection, as text.
pub fn exception(details: &Value) -> String {
    let text = details["text"].as_str().unwrap_or("Uncaught");
    let exception = &details["exception"];
    let thrown = exception["description"]
        .as_str()
        .or(exception["value"].as_str());
    match thrown {
        Some(thrown) => {
            let own = mismatch(thrown).unwrap_or_else(|| own_frames(thrown));
            if text.contains("in promise") {
                format!("Unhandled rejection: {own}")
            } else {
                own
            }
        }
        None => text.to_owned(),
    }
}

/// The end of React's explanation of a mismatch, before the difference (react-dom,
/// `throwOnHydrationMismatch`).
const MISMATCH: &str = "react.dev/link/hydration-mismatch";
/// How many components above the difference are named, and how many of its lines are shown.
const MAX_NEAR: usize = 4;
const MAX_DIFFERENT: usize = 8;

/// The message, followed by the app's own lines of the stack trace.
fn own_frames(description: &str) -> String {
    let is_frame = |line: &&str| line.trim_start().starts_with("at ");
    let message = description.lines().take_while(|line| !is_frame(line));
    let frames = description.lines().filter(is_frame);
    let own = frames.filter(|line| {
        ![
            "node_modules",
            "<anonymous>",
            "_next_dist",
            "/next/dist/",
            "react-dom",
        ]
        .iter()
        .any(|part| line.contains(part))
    });
    message.chain(own.take(4)).collect::<Vec<_>>().join("\n")
}

/// React's message about a hydration mismatch, without its standard list of causes: what differs,
/// where, and how. `None` for any other text.
fn mismatch(text: &str) -> Option<String> {
    let (before, after) = text.split_once(MISMATCH)?;
    let what = before.lines().next().unwrap_or_default();
    let what = what
        .split_once(" This can happen if")
        .map_or(what, |(what, _)| what);
    let is_difference = |line: &&str| line.starts_with('+') || line.starts_with('-');
    let above = after.lines().take_while(|line| !is_difference(line));
    let above: Vec<&str> = above
        .map(str::trim)
        .filter(|line| line.starts_with('<'))
        .collect();
    let near = above[above.len().saturating_sub(MAX_NEAR)..].join(" ");
    let different = after.lines().filter(is_difference).take(MAX_DIFFERENT);
    let different = different.map(|line| format!("\n{} {}", &line[..1], line[1..].trim()));
    Some(format!(
        "{what}\nIn {near} (+ is what the browser renders, - what the server sent):{}",
        different.collect::<String>()
    ))
}

/// The arguments of `console.error` as one text, with `%s` and similar filled in.
pub fn console_text(args: &Value) -> String {
    let mut args = args
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|arg| {
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
            // Styles apply only in the console.
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
    let text = text.trim();
    mismatch(text).unwrap_or_else(|| text.to_owned())
}

/// Whether an exception is not the app's fault: browsers report layout work that they postpone, and
/// Next.js throws in order to navigate.
pub fn is_noise(details: &Value) -> bool {
    let exception = &details["exception"];
    let thrown = exception["description"]
        .as_str()
        .or(exception["value"].as_str());
    let text = details["text"].as_str().unwrap_or_default();
    let plain = |text: &str| {
        text.trim_start_matches("Uncaught ")
            .trim_start_matches("Error: ")
            .to_owned()
    };
    let digest = exception["preview"]["properties"]
        .as_array()
        .into_iter()
        .flatten();
    let digest = digest
        .filter(|property| property["name"] == "digest")
        .find_map(|property| property["value"].as_str());
    let starts = |sign: &str| {
        [Some(text), thrown]
            .into_iter()
            .flatten()
            .any(|text| plain(text).starts_with(sign))
    };
    starts("ResizeObserver loop")
        || starts("NEXT_")
        || digest.is_some_and(|digest| digest.starts_with("NEXT_"))
}

/// Whether the page reports a lack of WebGL, which a browser without a graphics processor does not
/// offer (Chromium from 137 on).
pub fn lacks_webgl(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("webgl")
        && ["context", "initiali"]
            .iter()
            .any(|sign| text.contains(sign))
}

/// Whether an error says that a request found no server, in the wording of the browser or of axios.
pub fn found_no_server(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.ends_with("TypeError: Failed to fetch")
        || first.contains("AxiosError: Network Error")
        || first.contains("NetworkError when attempting")
}

/// Messages of React and Next.js about a broken page although nothing was thrown: React caught the
/// error and rendered something else. The list is shared with the preview's script, so that the
/// check and the preview agree.
static FAULTS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let script = include_str!("../../../sandbox-templates/nextjs/instrumentation-client.js");
    let list = script
        .split_once("const FAULTS = [")
        .and_then(|(_, list)| list.split_once("];"));
    let lines = list.map_or("", |(list, _)| list).lines();
    let text = |line: &'static str| line.trim().strip_prefix('"')?.strip_suffix("\",");
    lines.filter_map(text).collect()
});

/// Whether a logged text means that the page is broken.
pub fn is_fatal(text: &str) -> bool {
    FAULTS.iter().any(|fault| text.contains(fault))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_react_logs_about_a_broken_page_is_fatal_and_its_warnings_are_not() {
        assert_eq!(FAULTS.len(), 8, "{FAULTS:?}");
        for fatal in [
            "Hydration failed because the server rendered HTML didn't match the client.",
            "Maximum update depth exceeded. This can happen when …",
            "React has detected a change in the order of Hooks called by Page.",
        ] {
            assert!(is_fatal(fatal), "{fatal}");
        }
        assert!(!is_fatal(
            "Each child in a list should have a unique \"key\" prop."
        ));
    }

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
    fn a_mismatch_is_reduced_to_its_difference_and_where_it_is() {
        let mismatch = |near: &str, different: &str| {
            let text = format!(
                "Error: Hydration failed because the server rendered text didn't match the client. As a result this tree will be \
                 regenerated on the client. This can happen if a SSR-ed Client Component used:\n\n- Variable input such as `Date.now()`.\n- \
                 Invalid HTML tag nesting.\n\nhttps://{MISMATCH}\n\n  ...\n    <RedirectBoundary>\n      <Page params={{Promise}}>\n        \
                 <main>\n          {near}\n{different}\n            ...\n\n    at throwOnHydrationMismatch (http://a/_next/x.js:1:2)"
            );
            exception(&json!({ "text": "Uncaught", "exception": { "description": text } }))
        };
        let clock = mismatch(
            "<Clock>\n            <p className=\"x\">",
            "+     10:00\n-     09:00",
        );
        assert_eq!(
            clock,
            "Error: Hydration failed because the server rendered text didn't match the client. As a result this tree will be regenerated on \
             the client.\nIn <Page params={Promise}> <main> <Clock> <p className=\"x\"> (+ is what the browser renders, - what the server \
             sent):\n+ 10:00\n- 09:00"
        );
        // The signature of a problem is made of three lines.
        let beginning = |text: &str| text.lines().take(3).collect::<Vec<_>>().join("\n");
        assert_ne!(
            beginning(&clock),
            beginning(&mismatch("<Price>", "+     10:00\n-     09:00"))
        );
        assert_ne!(
            beginning(&clock),
            beginning(&mismatch(
                "<Clock>\n            <p className=\"x\">",
                "+     noon\n-     09:00"
            ))
        );

        let attributes = json!([
            { "value": "A tree hydrated but some attributes didn't match. This can happen if:\n\n- External data.\n\n%s%s" },
            { "value": "https://react.dev/link/hydration-mismatch" },
            { "value": "\n\n  ...\n    <main>\n      <h1\n+       className=\"b\"\n-       className=\"a\"\n      >\n" },
        ]);
        let text = console_text(&attributes);
        assert!(is_fatal(&text), "{text}");
        assert_eq!(
            text,
            "A tree hydrated but some attributes didn't match.\nIn <main> <h1 (+ is what the browser renders, - what the server sent):\n+ \
             className=\"b\"\n- className=\"a\""
        );
    }

    #[test]
    fn what_browsers_and_next_throw_on_purpose_is_noise() {
        for noise in [
            json!({ "text": "ResizeObserver loop completed with undelivered notifications." }),
            json!({ "text": "Uncaught", "exception": { "value": "ResizeObserver loop limit exceeded" } }),
            json!({ "text": "Uncaught", "exception": { "description": "Error: NEXT_REDIRECT\n    at redirect (x)" } }),
            json!({ "text": "Uncaught", "exception": { "description": "Error: go", "preview": { "properties": [{ "name": "digest", "value": "NEXT_REDIRECT;/x" }] } } }),
        ] {
            assert!(is_noise(&noise), "{noise}");
        }
        for error in [
            json!({ "text": "Uncaught", "exception": { "description": "TypeError: the ResizeObserver loop is undefined" } }),
            json!({ "text": "Uncaught", "exception": { "description": "Error: no", "preview": { "properties": [{ "name": "digest", "value": "12" }] } } }),
        ] {
            assert!(!is_noise(&error), "{error}");
        }
    }

    #[test]
    fn only_the_browser_s_own_words_mean_that_a_request_found_no_server() {
        for own in [
            "TypeError: Failed to fetch\n    at load (app/page.tsx:1:2)",
            "Unhandled rejection: TypeError: Failed to fetch",
            "Unhandled rejection: AxiosError: Network Error\n    at x",
            "TypeError: NetworkError when attempting to fetch resource.",
        ] {
            assert!(found_no_server(own), "{own}");
        }
        for app_s in [
            "Error: Failed to fetch products",
            "Error: Failed to fetch",
            "Error: no\n    cause: TypeError: Failed to fetch",
            "Error: Network Error",
        ] {
            assert!(!found_no_server(app_s), "{app_s}");
        }
        assert!(
            lacks_webgl("Error: Error creating WebGL context.")
                && lacks_webgl("Failed to initialize WebGL")
        );
        assert!(
            !lacks_webgl("Error: the WebGL shader is wrong")
                && !lacks_webgl("useContext must be used within a provider")
        );
    }

    #[test]
    fn an_exception_is_its_message_and_the_app_s_own_frames() {
        let details = json!({ "text": "Uncaught (in promise)", "exception": { "description": "TypeError: no\n    at load (http://a/app/page.tsx:3:1)\n    at <anonymous>" } });
        assert_eq!(
            exception(&details),
            "Unhandled rejection: TypeError: no\n    at load (http://a/app/page.tsx:3:1)"
        );
        assert_eq!(exception(&json!({ "text": "Uncaught" })), "Uncaught");
        assert_eq!(
            exception(&json!({ "exception": { "value": "boo" } })),
            "boo"
        );
    }
}
