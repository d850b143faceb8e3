//! The wait that a refusal asks for: in a header, in a field of the error, or in its message.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::fields::amount;
use crate::retry_after::{duration, in_header, moment, seconds};

/// Headers with the number of remaining requests or tokens, each paired with the header that says
/// when there will be more: OpenAI and Groq, OpenRouter, the IETF's draft, Anthropic.
const LIMITS: [(&str, &str); 8] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];
/// The words before the time in a message: Gemini, OpenAI and Groq, Azure.
const PHRASES: [&str; 5] = [
    "retry in ",
    "try again in ",
    "retry after ",
    "try again after ",
    "please wait ",
];

/// The wait in a response's headers: `Retry-After` (RFC 9110, section 10.2.3) in seconds, also with
/// fractions, or as a date; Azure's `retry-after-ms`; with status 429 the reset of an exhausted
/// limit.
pub fn in_headers(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let milliseconds = || text("retry-after-ms")?.parse::<f64>().ok();
    let resets = || {
        let used_up = LIMITS
            .iter()
            .filter(|(remaining, _)| text(remaining) == Some("0"));
        used_up
            .filter_map(|(_, reset)| moment(text(reset)?, now))
            .max()
    };
    milliseconds()
        .and_then(|milliseconds| seconds(milliseconds / 1e3))
        .or_else(|| in_header(headers, now))
        .or_else(|| (status == 429).then(resets).flatten())
}

/// The wait in an error's fields or message, such as Google's `"retryDelay": "34s"`
/// (google.rpc.RetryInfo).
pub fn in_error(error: &Value) -> Option<Duration> {
    let mut details = error["details"].as_array().into_iter().flatten();
    let delay = details.find_map(|detail| duration(detail["retryDelay"].as_str()?));
    let field = || seconds(amount(&error["retry_after"])?);
    let in_message = || {
        let message = error["message"].as_str()?.to_lowercase();
        let after = |phrase: &&str| message.split_once(*phrase).map(|(_, after)| after);
        PHRASES.iter().filter_map(after).find_map(duration)
    };
    delay.or_else(field).or_else(in_message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_say_how_long_to_wait_in_every_way_that_providers_write_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(30));
        for (status, headers, expected) in [
            (429, vec![("retry-after", "7")], Some(7_000)),
            (503, vec![("retry-after", date.as_str())], Some(30_000)),
            (
                429,
                vec![("retry-after-ms", "1500"), ("retry-after", "2")],
                Some(1_500),
            ),
            // An exhausted limit; the later of two.
            (
                429,
                vec![
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "2m59.56s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "120ms"),
                ],
                Some(179_560),
            ),
            (
                429,
                vec![
                    ("x-ratelimit-remaining-requests", "14"),
                    ("x-ratelimit-reset-requests", "1h"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                ],
                Some(360_000),
            ),
            (
                429,
                vec![
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1764000005000"),
                ],
                Some(5_000),
            ),
            (
                429,
                vec![("ratelimit-remaining", "0"), ("ratelimit-reset", "9")],
                Some(9_000),
            ),
            (
                429,
                vec![
                    ("anthropic-ratelimit-tokens-remaining", "0"),
                    ("anthropic-ratelimit-tokens-reset", "2025-11-24T16:01:00Z"),
                ],
                Some(60_000),
            ),
            (
                503,
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")],
                None,
            ),
            (429, vec![], None),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.parse::<reqwest::header::HeaderName>().unwrap(),
                        value.parse().unwrap(),
                    )
                })
                .collect();
            assert_eq!(
                in_headers(status, &map, now),
                expected.map(Duration::from_millis),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn an_error_says_it_in_a_field_or_in_its_message() {
        for (error, expected) in [
            (
                json!({ "details": [{ "@type": "QuotaFailure" }, { "retryDelay": "34.5s" }] }),
                Some(34_500),
            ),
            (json!({ "message": "Please retry in 212.5ms." }), Some(212)),
            (
                json!({ "message": "Rate limit reached. Please try again in 1m30.5s. Visit us" }),
                Some(90_500),
            ),
            (
                json!({ "message": "exceeded token rate limit. Please retry after 6 seconds." }),
                Some(6_000),
            ),
            (
                json!({ "message": "Try again in 2 minutes" }),
                Some(120_000),
            ),
            (
                json!({ "message": "slow down", "retry_after": 12.5 }),
                Some(12_500),
            ),
            (json!({ "message": "Please retry in a while" }), None),
            (
                json!({ "message": "Please try again in 5 lightyears" }),
                None,
            ),
            (json!({ "message": 7 }), None),
        ] {
            let found = in_error(&error).map(|wait| wait.as_millis());
            assert_eq!(found, expected, "{error}");
        }
    }
}
