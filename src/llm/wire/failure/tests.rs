//! Failures in the shapes that providers and gateways give them.

use serde_json::json;

use super::*;

#[test]
fn an_error_s_own_time_to_wait_is_obeyed_and_a_day_is_not_waited_for() {
    let wait = |report: Value| match classify(&report, 429, None, None) {
        ModelError::Limited { retry_after, .. } => retry_after,
        other => panic!("{other:?}"),
    };
    let quota = json!({ "violations": [{ "quotaId": "GenerateRequestsPerMinute" }] });
    let report = json!({ "error": { "message": "You exceeded your current quota", "details": [quota, { "retryDelay": "34.5s" }] } });
    assert_eq!(wait(report), Some(Duration::from_millis(34_500)));
    assert_eq!(
        wait(json!({ "message": "Please retry in 212.5ms." })),
        Some(Duration::from_micros(212_500))
    );
    assert_eq!(wait(json!({ "message": "Please retry in a while" })), None);
    for report in [
        json!({ "message": "limit: 0, model: m\nPlease retry in 1.4s." }),
        json!({ "message": "quota", "details": [{ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProject" }] }] }),
    ] {
        let error = classify(&report, 429, None, None);
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
        // DashScope, MiniMax, Bedrock, LiteLLM, Cloudflare's gateway, ASP.NET.
        (
            json!({ "code": "InvalidParameter", "message": "Range of input length should be [1, 129024]", "request_id": "x" }),
            "overflow",
            "Range of input",
        ),
        (
            json!({ "code": "Throttling.RateQuota", "message": "Requests throttled" }),
            "limit",
            "throttled",
        ),
        (
            json!({ "choices": null, "base_resp": { "status_code": 1002, "status_msg": "rate limit, retry later" } }),
            "limit",
            "rate limit, retry later",
        ),
        (
            json!({ "modelStreamErrorException": { "message": "The model failed", "originalStatusCode": 500 } }),
            "overload",
            "The model failed",
        ),
        (
            json!({ "throttlingException": { "message": "Slow down" } }),
            "limit",
            "Slow down",
        ),
        (
            json!({ "validationException": { "message": "Bad schema" } }),
            "invalid",
            "Bad schema",
        ),
        (
            json!({ "error": { "message": "litellm.RateLimitError: slow", "type": "None", "param": "None", "code": "429" } }),
            "limit",
            "litellm",
        ),
        (
            json!({ "success": false, "result": [], "error": [{ "code": 2001, "message": "Please configure AI Gateway" }] }),
            "overload",
            "configure AI Gateway",
        ),
        (
            json!({ "type": "https://tools.ietf.org/html/rfc9110#section-15.5.2", "title": "Unauthorized", "status": 401 }),
            "sign-in",
            "Unauthorized",
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
        json!({ "choices": [], "base_resp": { "status_code": 0, "status_msg": "success" } }),
        json!({ "code": "0", "message": "success" }),
        json!({ "code": "", "message": "queued" }),
    ] {
        assert!(in_chunk(&chunk, false).is_none(), "{chunk}");
    }
    assert_eq!(
        page_title("<html>\n<head><title>502 Bad\nGateway</title>").as_deref(),
        Some("502 Bad Gateway")
    );
    assert_eq!(
        page_title("upstream connect error\n").as_deref(),
        Some("upstream connect error")
    );
    assert_eq!((page_title("<p>no title"), page_title(" ")), (None, None));
}

#[test]
fn a_response_s_status_and_body_say_together_what_failed() {
    let page = "<html><head><title>api.example | 524: A timeout occurred</title>";
    for (status, body, expected, words) in [
        (520, "error code: 520", "overload", "error code: 520"),
        (524, page, "overload", "524: A timeout occurred (524)"),
        (529, "", "overload", "no reason given (529)"),
        (530, "error code: 1016", "overload", "1016"),
        (
            424,
            "{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}",
            "overload",
            "during generation",
        ),
        (
            499,
            "{\"error\":{\"status\":\"CANCELLED\",\"message\":\"The operation was cancelled.\"}}",
            "overload",
            "cancelled",
        ),
        (
            429,
            "{\"message\":\"Requests rate limit exceeded\"}",
            "limit",
            "rate limit",
        ),
        (401, "<html>", "sign-in", "no reason given"),
        (
            404,
            "404 page not found",
            "other",
            "not a model: it answers “404 page not found” (404)",
        ),
        (
            405,
            "<title>405 Not Allowed</title>",
            "other",
            "“405 Not Allowed” (405)",
        ),
        (
            404,
            "{\"error\":{\"message\":\"The model `x` does not exist\"}}",
            "invalid",
            "does not exist",
        ),
        (
            400,
            "[{\n \"error\": {\n \"code\": 400, \"message\": \"Bad\" } }]",
            "invalid",
            "Bad (400)",
        ),
    ] {
        let error = from_response(status, None, body, None);
        assert_eq!(kind(Some(error), words), expected, "{status} {body}");
    }
}
