//! Failures as providers and gateways report them: by a status, by an object of one shape or
//! another, in the middle of an answer, or by a page instead of an answer.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{encoding::Decoder, fields::count, key, wait};
use crate::{
    llm::{ModelError, json},
    protocol::first_chars,
};

/// How much of a provider's message is quoted, in characters.
const MAX_MESSAGE: usize = 300;
/// The status of an error within an answer, if none is given.
const UNKNOWN_STATUS: u16 = 500;
/// The message's field, in this order: OpenAI and compatible servers, FastAPI, Bedrock, Baidu,
/// MiniMax, gateways.
const MESSAGE_FIELDS: [&str; 17] = [
    "message",
    "msg",
    "Message",
    "error_msg",
    "error_message",
    "errorMessage",
    "status_msg",
    "detail",
    "details",
    "error_description",
    "description",
    "faultstring",
    "reason",
    "error",
    "title",
    "errors",
    "fault",
];
const STATUS_FIELDS: [&str; 7] = [
    "status",
    "statusCode",
    "status_code",
    "http_status",
    "httpStatus",
    "code",
    "error_code",
];
const CODE_FIELDS: [&str; 7] = [
    "code",
    "type",
    "status",
    "__type",
    "error_code",
    "error_type",
    "name",
];
/// Codes of success.
const GOOD_CODES: [&str; 4] = ["0", "200", "ok", "success"];
/// The status for a code without one, by a part of the code in lower case.
const STATUS_OF_CODE: [(&str, u16); 17] = [
    ("overload", 529),
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("throttl", 429),
    ("resource_exhausted", 429),
    ("authentication", 401),
    ("unauthorized", 401),
    ("permission", 403),
    ("accessdenied", 403),
    ("not_found", 404),
    ("invalid_request", 400),
    ("invalid_prompt", 400),
    ("invalid_argument", 400),
    ("invalidparameter", 400),
    ("validationexception", 400),
    ("badrequest", 400),
    ("bad_request", 400),
];

/// The error of a response with an error status. Depending on the provider, its body is an object,
/// a list, a page, or a proxy's text. The key is removed if the body repeats it.
pub async fn refusal(
    mut response: reqwest::Response,
    most: usize,
    key: Option<&str>,
) -> ModelError {
    let status = response.status();
    let retry_after = wait::in_headers(status.as_u16(), response.headers(), SystemTime::now());
    let (mut decoder, mut body) = (Decoder::default(), Vec::new());
    while let Ok(Some(chunk)) = response.chunk().await {
        let Ok(chunk) = decoder.take(&chunk) else {
            break;
        };
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    let body = key::left_out(String::from_utf8_lossy(&body).into_owned(), key);
    from_response(
        status.as_u16(),
        status.canonical_reason(),
        &body,
        retry_after,
    )
}

fn from_response(
    status: u16,
    reason: Option<&str>,
    body: &str,
    retry_after: Option<Duration>,
) -> ModelError {
    let report = json::parse_all(body)
        .into_iter()
        .next()
        .filter(|value| value.is_object() || value.is_array());
    let title = page_title(body);
    // A server without chat completions, such as a web site, or an address without its `/v1`.
    if report.is_none() && matches!(status, 404 | 405) {
        let title = title.as_deref().or(reason).unwrap_or("nothing");
        let title = first_chars(title, MAX_MESSAGE);
        return ModelError::NotAModel(format!("it answers “{title}” ({status})"));
    }
    let report = report.unwrap_or_else(|| title.map_or(Value::Null, Value::String));
    classify(&report, status, reason, retry_after)
}

/// A short description of an error page or text: the page's title.
fn page_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words = match (lower.find("<title>"), lower.find("</title>")) {
        (Some(from), Some(to)) if from < to => &text[from + "<title>".len()..to],
        _ if text.trim_start().starts_with('<') => return None,
        _ => text,
    };
    Some(words.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty())
}

/// The failure that a chunk of an answer reports, if any. `named`: its event is named an error.
pub fn in_chunk(chunk: &Value, named: bool) -> Option<ModelError> {
    let error = &chunk["error"];
    let has_error = match error {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            error == &Value::Bool(true) && message(chunk).is_some()
        }
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(errors) => !errors.is_empty(),
        Value::Object(_) => {
            message(error).is_some() || !code(error).is_empty() || status(error).is_some()
        }
    };
    let is_answer = chunk["choices"]
        .as_array()
        .is_some_and(|choices| !choices.is_empty());
    let has_code = || {
        chunk["code"].as_str().is_some_and(|code| {
            !code.is_empty() && !GOOD_CODES.contains(&code.to_ascii_lowercase().as_str())
        })
    };
    let is_failure = named
        || chunk["object"] == "error"
        || chunk["type"] == "error"
        || chunk["success"] == false
        || chunk["errors"]
            .as_array()
            .is_some_and(|errors| !errors.is_empty())
        || chunk["detail"].is_string()
        || chunk["detail"].is_array()
        || chunk["fault"].is_object()
        || wrapped(chunk).is_some()
        || (message(chunk).is_some()
            && (status(chunk).is_some()
                || chunk["__type"].is_string()
                || chunk["error_code"].is_number()
                || has_code()));
    (has_error || (!is_answer && is_failure)).then(|| classify(chunk, UNKNOWN_STATUS, None, None))
}

/// The message of a chunk that is neither an answer nor clearly a failure.
pub fn remark(chunk: &Value) -> Option<String> {
    message(chunk)
}

/// A failure of which only the message is known.
pub fn from_message(message: &str) -> ModelError {
    let report = Value::String(message.to_owned());
    classify(&report, UNKNOWN_STATUS, None, None)
}

/// The error in a field of its own: MiniMax's `base_resp`, which is also part of successful
/// answers, and Bedrock's exceptions by name.
fn wrapped(report: &Value) -> Option<(&str, &Value)> {
    let fields = report.as_object()?;
    let is_error = |name: &str, value: &Value| match name {
        "base_resp" => count(&value["status_code"]).is_some_and(|code| code > 0),
        _ => name.ends_with("Exception") && message(value).is_some(),
    };
    let found = fields.iter().find(|(name, value)| is_error(name, value));
    found.map(|(name, value)| (name.as_str(), value))
}

/// Classifies an error: an object that contains the error, the error itself, or its message.
fn classify(
    report: &Value,
    status: u16,
    reason: Option<&str>,
    retry_after: Option<Duration>,
) -> ModelError {
    let report = match report {
        Value::Array(errors) => errors.first().unwrap_or(&Value::Null),
        report => report,
    };
    let (name, error) = match wrapped(report) {
        Some(wrapped) => wrapped,
        None if report["error"].is_object() => ("", &report["error"]),
        None => ("", report),
    };
    let message = self::message(error).or_else(|| self::message(report));
    let message = message.unwrap_or_else(|| reason.unwrap_or("no reason given").to_owned());
    let code = [code(error), code(report), name.to_owned()]
        .into_iter()
        .find(|code| !code.is_empty())
        .unwrap_or_default();
    let own_status = self::status(error).or_else(|| self::status(report));
    // Errors that a proxy sends with status 200, or within an answer, carry their status inside.
    let status = if status == UNKNOWN_STATUS || status < 400 {
        own_status
            .or_else(|| status_of_code(&code))
            .unwrap_or(UNKNOWN_STATUS)
    } else {
        status
    };
    let retry_after = retry_after.or_else(|| wait::in_error(error));
    // Google's wording for what a key may never request, and for a limit that lasts the rest of the
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

/// An error's message, with that of the provider behind a router.
fn message(error: &Value) -> Option<String> {
    let message = text(error, 0)?;
    let raw = &error["metadata"]["raw"];
    let message = match text(raw, 0) {
        Some(raw) if !message.contains(&raw) => format!("{message}: {raw}"),
        _ => message,
    };
    let message = json::settled(&message);
    Some(first_chars(message.trim(), MAX_MESSAGE).to_owned()).filter(|message| !message.is_empty())
}

/// The first text in a value: itself (nested JSON is parsed), or a field's, as deep as gateways
/// wrap it.
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
        Value::Object(fields) => MESSAGE_FIELDS
            .iter()
            .find_map(|name| fields.get(*name).and_then(|value| text(value, depth + 1))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn code(error: &Value) -> String {
    let codes = CODE_FIELDS.iter().filter_map(|name| error[name].as_str());
    let mut codes = codes.filter(|code| !["", "error", "None"].contains(code));
    codes.next().map(str::to_owned).unwrap_or_default()
}

fn status(error: &Value) -> Option<u16> {
    let codes = STATUS_FIELDS.iter().filter_map(|name| count(&error[name]));
    codes
        .filter_map(|code| u16::try_from(code).ok())
        .find(|code| (400..600).contains(code))
}

fn status_of_code(code: &str) -> Option<u16> {
    let code = code.to_lowercase();
    STATUS_OF_CODE
        .iter()
        .find(|(sign, _)| code.contains(sign))
        .map(|(_, status)| *status)
}

#[cfg(test)]
mod tests;
