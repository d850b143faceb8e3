//! Failures as providers, and what stands before them, report them: by a status, by an object of
//! one shape or another, in the middle of an answer, or by a page that is no answer at all.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::fields::count;
use crate::{
    llm::{ModelError, json},
    protocol::first_chars,
};

/// How much of what a provider says is passed on, in characters.
const MAX_WORDS: usize = 300;
/// The status that an error within an answer has when it names none.
const UNKNOWN_STATUS: u16 = 500;
/// Where the words are: of OpenAI's kin, FastAPI, Bedrock, Baidu, gateways; in this order.
const WORDS: [&str; 15] = [
    "message",
    "msg",
    "Message",
    "error_msg",
    "error_message",
    "errorMessage",
    "detail",
    "details",
    "error_description",
    "description",
    "faultstring",
    "reason",
    "error",
    "title",
    "errors",
];
const STATUSES: [&str; 7] = [
    "status",
    "statusCode",
    "status_code",
    "http_status",
    "httpStatus",
    "code",
    "error_code",
];
const CODES: [&str; 7] = [
    "code",
    "type",
    "status",
    "__type",
    "error_code",
    "error_type",
    "name",
];
/// The statuses that words stand for where there is none.
const TYPES: [(&str, u16); 12] = [
    ("overload", 529),
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("throttl", 429),
    ("resource_exhausted", 429),
    ("authentication", 401),
    ("unauthorized", 401),
    ("permission", 403),
    ("not_found", 404),
    ("invalid_request", 400),
    ("invalid_argument", 400),
    ("badrequest", 400),
];

/// An answer that is an error by its status. Its body is an object, in a list with some, and a page
/// or words of a proxy's with others.
pub async fn refusal(mut response: reqwest::Response, most: usize) -> ModelError {
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    let told = json::parse_all(&text)
        .into_iter()
        .next()
        .filter(|value| value.is_object() || value.is_array());
    let told = told.unwrap_or_else(|| page_words(&text).map_or(Value::Null, Value::String));
    sorted(
        &told,
        status.as_u16(),
        status.canonical_reason(),
        retry_after,
    )
}

/// What a page or a plain text says of an error, in short: the page's title.
fn page_words(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words = match (lower.find("<title>"), lower.find("</title>")) {
        (Some(from), Some(to)) if from < to => &text[from + "<title>".len()..to],
        _ if text.trim_start().starts_with('<') => return None,
        _ => text,
    };
    Some(words.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty())
}

/// The failure that a chunk of an answer reports, if it does. `named`: the event that brought it is
/// called an error.
pub fn in_chunk(chunk: &Value, named: bool) -> Option<ModelError> {
    let error = &chunk["error"];
    let has_error = match error {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            error == &Value::Bool(true) && words(chunk).is_some()
        }
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(errors) => !errors.is_empty(),
        Value::Object(_) => {
            words(error).is_some() || !code(error).is_empty() || status(error).is_some()
        }
    };
    let is_answer = chunk["choices"]
        .as_array()
        .is_some_and(|choices| !choices.is_empty());
    let says_so = named
        || chunk["object"] == "error"
        || chunk["type"] == "error"
        || chunk["success"] == false
        || chunk["errors"]
            .as_array()
            .is_some_and(|errors| !errors.is_empty())
        || chunk["detail"].is_string()
        || chunk["detail"].is_array()
        || chunk["fault"].is_object()
        || (words(chunk).is_some()
            && (status(chunk).is_some()
                || chunk["__type"].is_string()
                || chunk["error_code"].is_number()));
    (has_error || (!is_answer && says_so)).then(|| sorted(chunk, UNKNOWN_STATUS, None, None))
}

/// What a chunk that is neither an answer nor clearly a failure says.
pub fn remark(chunk: &Value) -> Option<String> {
    words(chunk)
}

/// A failure of which only words are known.
pub fn of_words(words: &str) -> ModelError {
    sorted(&Value::String(words.to_owned()), UNKNOWN_STATUS, None, None)
}

/// Sorts an error: an object with the error in it, the error itself, or its words.
fn sorted(
    told: &Value,
    status: u16,
    reason: Option<&str>,
    retry_after: Option<Duration>,
) -> ModelError {
    let told = match told {
        Value::Array(errors) => errors.first().unwrap_or(&Value::Null),
        told => told,
    };
    let error = if told["error"].is_object() {
        &told["error"]
    } else {
        told
    };
    let message = words(error).or_else(|| words(told));
    let message = message.unwrap_or_else(|| reason.unwrap_or("no reason given").to_owned());
    let code = [code(error), code(told)]
        .into_iter()
        .find(|code| !code.is_empty())
        .unwrap_or_default();
    let own_status = self::status(error).or_else(|| self::status(told));
    // What a proxy answers with 200, or within an answer, has its status inside.
    let status = if status == UNKNOWN_STATUS || status < 400 {
        own_status
            .or_else(|| status_of_type(&code))
            .unwrap_or(UNKNOWN_STATUS)
    } else {
        status
    };
    let retry_after = retry_after.or_else(|| retry_delay(error));
    // Google says so of what a key may never ask for, and of what it may not for the rest of the
    // day.
    let code = if status == 429
        && (message.contains("limit: 0,") || error["details"].to_string().contains("PerDay"))
    {
        "insufficient_quota"
    } else {
        &code
    };
    ModelError::of_status(status, code, format!("{message} ({status})"), retry_after)
}

/// What an error says, with what the provider behind a router says.
fn words(error: &Value) -> Option<String> {
    let said = text(error, 0)?;
    let raw = &error["metadata"]["raw"];
    let said = match text(raw, 0) {
        Some(raw) if !said.contains(&raw) => format!("{said}: {raw}"),
        _ => said,
    };
    let said = json::settled(&said);
    Some(first_chars(said.trim(), MAX_WORDS).to_owned()).filter(|said| !said.is_empty())
}

/// The first words in a value: a text (JSON in it is read), or a field's, as deep as gateways wrap
/// them.
fn text(value: &Value, depth: usize) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) => {
            let inner = Some(text.trim())
                .filter(|text| text.starts_with('{'))
                .and_then(json::parse);
            let inner = inner.and_then(|inner| self::text(&inner, depth + 1));
            Some(inner.unwrap_or_else(|| text.clone())).filter(|text| !text.trim().is_empty())
        }
        Value::Array(values) => values.iter().find_map(|value| text(value, depth + 1)),
        Value::Object(fields) => WORDS
            .iter()
            .chain(["fault"].iter())
            .find_map(|name| fields.get(*name).and_then(|value| text(value, depth + 1))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn code(error: &Value) -> String {
    let codes = CODES.iter().filter_map(|name| error[name].as_str());
    let told = codes.filter(|code| *code != "error" && !code.is_empty());
    told.map(str::to_owned).next().unwrap_or_default()
}

fn status(error: &Value) -> Option<u16> {
    let codes = STATUSES.iter().filter_map(|name| count(&error[name]));
    codes
        .filter_map(|code| u16::try_from(code).ok())
        .find(|code| (400..600).contains(code))
}

fn status_of_type(code: &str) -> Option<u16> {
    let code = code.to_lowercase();
    TYPES
        .iter()
        .find(|(sign, _)| code.contains(sign))
        .map(|(_, status)| *status)
}

/// The time that an error itself asks to wait, as Google tells it: `"retryDelay": "34s"`
/// (google.rpc.RetryInfo), or in words.
fn retry_delay(told: &Value) -> Option<Duration> {
    let mut details = told["details"].as_array().into_iter().flatten();
    let delay = details.find_map(|detail| detail["retryDelay"].as_str());
    let delay = delay.or_else(|| {
        told["message"]
            .as_str()?
            .split_once("retry in ")?
            .1
            .split_whitespace()
            .next()
    })?;
    let delay = delay.trim_end_matches('.');
    let (number, unit) = delay.split_at(delay.find(char::is_alphabetic)?);
    let scale = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

/// The time that an answer asks to wait (RFC 9110, section 10.2.3): seconds, which providers write
/// with fractions too, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(
        (date.to_utc() - chrono::Utc::now())
            .to_std()
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_s_own_time_to_wait_is_obeyed_and_a_day_is_not_waited_for() {
        let wait = |told: Value| match sorted(&told, 429, None, None) {
            ModelError::Limited { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        let quota = json!({ "violations": [{ "quotaId": "GenerateRequestsPerMinute" }] });
        let told = json!({ "error": { "message": "You exceeded your current quota", "details": [quota, { "retryDelay": "34.5s" }] } });
        assert_eq!(wait(told), Some(Duration::from_millis(34_500)));
        assert_eq!(
            wait(json!({ "message": "Please retry in 212.5ms." })),
            Some(Duration::from_micros(212_500))
        );
        assert_eq!(wait(json!({ "message": "Please retry in a while" })), None);
        for told in [
            json!({ "message": "limit: 0, model: m\nPlease retry in 1.4s." }),
            json!({ "message": "quota", "details": [{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProject" }] }] }),
        ] {
            let error = sorted(&told, 429, None, None);
            assert!(matches!(error, ModelError::Exhausted(_)), "{error:?}");
        }
    }

    /// The kind of a failure, and whether it says what the provider did.
    fn kind(error: Option<ModelError>, words: &str) -> &'static str {
        let Some(error) = error else { return "none" };
        assert!(
            error.to_string().contains(words),
            "{words} is not in {error}"
        );
        match error {
            ModelError::Overflow(_) => "overflow",
            ModelError::Unavailable { .. } => "overload",
            ModelError::Limited { .. } => "limit",
            ModelError::Auth(_) => "sign-in",
            ModelError::Filtered(_) => "refusal",
            ModelError::Invalid(_) => "invalid",
            _ => "other",
        }
    }

    #[test]
    fn failures_within_an_answer_are_sorted_whatever_shape_they_have() {
        let long = "This model's maximum context length is 8192 tokens";
        for (chunk, expected, words) in [
            (
                json!({ "object": "error", "message": long, "code": 400 }),
                "overflow",
                long,
            ),
            (
                json!({ "detail": "model is loading" }),
                "overload",
                "model is loading",
            ),
            (
                json!({ "detail": [{ "loc": ["body"], "msg": "field required" }], "status": 422 }),
                "invalid",
                "field required",
            ),
            (
                json!({ "error": { "message": "Overloaded", "type": "overloaded_error" } }),
                "overload",
                "Overloaded",
            ),
            (
                json!({ "type": "error", "error": { "type": "authentication_error", "message": "invalid x-api-key" } }),
                "sign-in",
                "x-api-key",
            ),
            (
                json!({ "error": "rate limited", "status": 429 }),
                "limit",
                "rate limited",
            ),
            (
                json!({ "error": true, "message": "no slot available" }),
                "overload",
                "no slot",
            ),
            (
                json!({ "error": { "code": "503", "message": "no healthy upstream" } }),
                "overload",
                "no healthy",
            ),
            (
                json!({ "success": false, "errors": [{ "code": 7003, "message": "No route" }] }),
                "overload",
                "No route",
            ),
            (
                json!({ "__type": "ThrottlingException", "message": "Too many tokens, please wait" }),
                "limit",
                "Too many tokens",
            ),
            (
                json!({ "error_code": 336_007, "error_msg": "the max input characters is 20000, too long" }),
                "overflow",
                "20000",
            ),
            (
                json!({ "statusCode": 401, "message": "Access denied due to invalid subscription key" }),
                "sign-in",
                "Access denied",
            ),
            (
                json!({ "fault": { "faultstring": "Body buffer overflow" }, "status": 413 }),
                "overflow",
                "Body buffer",
            ),
            (
                json!({ "error": { "message": "Provider returned error", "code": 400, "metadata": { "raw": "{\"error\":{\"message\":\"prompt is too long\"}}" } } }),
                "overflow",
                "Provider returned error: prompt is too long",
            ),
            (
                json!({ "error": { "code": "content_filter", "message": "It was filtered", "status": 400 } }),
                "refusal",
                "It was filtered",
            ),
            (
                json!({ "choices": [{ "finish_reason": "error" }], "error": { "message": "died", "code": 502 } }),
                "overload",
                "died",
            ),
            (
                json!([{ "error": { "message": long, "code": 400 } }])[0].clone(),
                "overflow",
                long,
            ),
        ] {
            assert_eq!(kind(in_chunk(&chunk, false), words), expected, "{chunk}");
        }
        assert_eq!(
            kind(
                in_chunk(
                    &json!({ "message": "upstream overloaded", "status": 529 }),
                    true
                ),
                "upstream overloaded"
            ),
            "overload"
        );
        assert_eq!(
            kind(in_chunk(&json!({ "message": "broken" }), true), "broken"),
            "overload"
        );
    }

    #[test]
    fn what_only_looks_like_a_failure_is_none() {
        for chunk in [
            json!({ "error": false }),
            json!({ "error": "" }),
            json!({ "error": {} }),
            json!({ "error": null }),
            json!({ "error": 0 }),
            json!({ "error": [] }),
            json!({ "error": { "message": "", "code": null } }),
            json!({ "type": "ping" }),
            json!({ "message": "pong" }),
            json!({ "status": "ok" }),
            json!({ "choices": [{ "delta": { "content": "x" } }], "message": "x", "status": 400 }),
            json!({ "choices": [], "usage": { "prompt_tokens": 500 }, "code": 0 }),
        ] {
            assert!(in_chunk(&chunk, false).is_none(), "{chunk}");
        }
        assert_eq!(
            page_words("<html>\n<head><title>502 Bad\nGateway</title>").as_deref(),
            Some("502 Bad Gateway")
        );
        assert_eq!(
            page_words("upstream connect error\n").as_deref(),
            Some("upstream connect error")
        );
        assert_eq!((page_words("<p>no title"), page_words(" ")), (None, None));
    }
}
