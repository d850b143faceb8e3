//! An answer's token usage: as its provider reports it, in one place or another, once or in each
//! chunk; otherwise estimated.

use serde_json::Value;

use super::fields::{amount, count};
use crate::llm::{Usage, price::BYTES_PER_TOKEN};

/// Roughly what most providers count for an image of 1024 by 1024 pixels.
const IMAGE_TOKENS: usize = 1000;
/// The types of image parts, in chat completions, Responses and Messages.
const IMAGES: [&str; 3] = ["image_url", "input_image", "image"];

/// Adds a chunk's report. The largest numbers win, because some providers count up from chunk to
/// chunk, and others send zeros at the end.
pub fn take(known: &mut Option<Usage>, chunk: &Value) {
    let choice = match &chunk["choices"] {
        Value::Array(choices) => choices.first().unwrap_or(&Value::Null),
        choice => choice,
    };
    for reported in [
        &chunk["usage"],
        &choice["usage"],
        &choice["delta"]["usage"],
        &chunk["x_groq"]["usage"],
        &chunk["message"]["usage"],
        &chunk["usageMetadata"],
        &chunk["amazon-bedrock-invocationMetrics"],
        // Ollama's own, and llama.cpp's.
        chunk,
        &chunk["timings"],
    ] {
        if let Some(usage) = read(reported) {
            let known = known.get_or_insert_default();
            *known = Usage {
                input_tokens: known.input_tokens.max(usage.input_tokens),
                cached_tokens: known.cached_tokens.max(usage.cached_tokens),
                cache_write_tokens: known.cache_write_tokens.max(usage.cache_write_tokens),
                output_tokens: known.output_tokens.max(usage.output_tokens),
                reasoning_tokens: known.reasoning_tokens.max(usage.reasoning_tokens),
                cost_micros: known.cost_micros.max(usage.cost_micros),
                estimated: false,
            };
        }
    }
}

fn read(reported: &Value) -> Option<Usage> {
    let first = |names: &[&str]| names.iter().filter_map(|name| count(&reported[name])).max();
    let input = first(&[
        "prompt_tokens",
        "input_tokens",
        "promptTokenCount",
        "prompt_eval_count",
        "prompt_n",
        "promptTokens",
        "inputTokens",
        "inputTokenCount",
    ]);
    let output = first(&[
        "completion_tokens",
        "output_tokens",
        "candidatesTokenCount",
        "eval_count",
        "predicted_n",
        "completionTokens",
        "outputTokens",
        "outputTokenCount",
    ]);
    let cost = amount(&reported["cost"]).or_else(|| amount(&reported["total_cost"]));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or_default(), output.unwrap_or_default());
    let cached = [
        &reported["prompt_tokens_details"]["cached_tokens"],
        &reported["prompt_cache_hit_tokens"],
        &reported["cached_tokens"],
        &reported["cachedContentTokenCount"],
        &reported["input_tokens_details"]["cached_tokens"],
        &reported["cache_read_input_tokens"],
    ];
    let written = [
        &reported["cache_creation_input_tokens"],
        &reported["prompt_tokens_details"]["cache_write_tokens"],
    ];
    let thought = [
        &reported["output_tokens_details"]["reasoning_tokens"],
        &reported["completion_tokens_details"]["reasoning_tokens"],
        &reported["thoughtsTokenCount"],
    ];
    let most = |counts: &[&Value]| counts.iter().copied().filter_map(count).max();
    // Gemini includes reasoning only in the total.
    let total = first(&["total_tokens", "totalTokenCount", "totalTokens"]).unwrap_or_default();
    Some(Usage {
        input_tokens: input,
        cached_tokens: most(&cached).unwrap_or_default(),
        cache_write_tokens: most(&written).unwrap_or_default(),
        output_tokens: output.max(total.saturating_sub(input)),
        reasoning_tokens: most(&thought).unwrap_or_default(),
        cost_micros: cost.map(|cost| (cost * 1e6).round() as u64),
        estimated: false,
    })
}

/// The reported usage, with missing parts estimated from the request's JSON and from the answer's
/// length in bytes.
pub fn or_estimate(reported: Option<Usage>, request: &Value, answer_bytes: usize) -> Usage {
    let mut usage = reported.unwrap_or_default();
    if usage.input_tokens == 0 {
        let parts = ["messages", "tools", "input", "instructions", "system"];
        let bytes: usize = parts
            .iter()
            .filter_map(|part| request.get(part))
            .map(size)
            .sum();
        usage.input_tokens = bytes.div_ceil(BYTES_PER_TOKEN) as u64;
        usage.estimated = true;
    }
    if usage.output_tokens == 0 && usage.estimated {
        usage.output_tokens = answer_bytes.div_ceil(BYTES_PER_TOKEN) as u64;
    }
    usage
}

/// The bytes of all texts and names in the value.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields)
            if fields
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| IMAGES.contains(&kind)) =>
        {
            IMAGE_TOKENS * BYTES_PER_TOKEN
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(chunks: &[Value]) -> Option<[u64; 3]> {
        let mut usage = None;
        for chunk in chunks {
            take(&mut usage, chunk);
        }
        usage.map(|usage| [usage.input_tokens, usage.cached_tokens, usage.output_tokens])
    }

    #[test]
    fn the_largest_numbers_hold_wherever_and_however_they_are_reported() {
        let zeros =
            json!({ "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 } });
        let real =
            json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 4 } });
        for (chunks, expected) in [
            (vec![real.clone(), zeros.clone()], Some([9, 0, 4])),
            (
                vec![
                    json!({ "usage": { "prompt_tokens": 9, "completion_tokens": 1 } }),
                    real.clone(),
                ],
                Some([9, 0, 4]),
            ),
            (
                vec![json!({ "usage": { "prompt_tokens": "9", "completion_tokens": 4.0 } })],
                Some([9, 0, 4]),
            ),
            (
                vec![
                    json!({ "usage": {} }),
                    json!({ "usage": null }),
                    json!({ "usage": "many" }),
                ],
                None,
            ),
            (
                vec![
                    json!({ "choices": [{ "usage": { "prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 2 } }] }),
                ],
                Some([9, 2, 4]),
            ),
            (
                vec![
                    json!({ "x_groq": { "usage": { "prompt_tokens": 9, "completion_tokens": 4 } } }),
                ],
                Some([9, 0, 4]),
            ),
            (
                vec![json!({ "usage": { "inputTokens": 9, "outputTokens": 4 } })],
                Some([9, 0, 4]),
            ),
            (
                vec![
                    json!({ "usage": { "prompt_tokens": 9, "completion_tokens": 1, "cache_read_input_tokens": 5 } }),
                    json!({ "amazon-bedrock-invocationMetrics": { "inputTokenCount": 9, "outputTokenCount": 4 } }),
                ],
                Some([9, 5, 4]),
            ),
            (
                vec![json!({ "prompt_eval_count": 9, "eval_count": 4, "done": true })],
                Some([9, 0, 4]),
            ),
            (
                vec![
                    json!({ "usage": { "prompt_tokens": 11, "completion_tokens": 25, "total_tokens": 727, "prompt_tokens_details": { "cached_tokens": 8 } } }),
                ],
                Some([11, 8, 716]),
            ),
            (
                vec![
                    json!({ "usageMetadata": { "promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 13 } }),
                ],
                Some([9, 0, 4]),
            ),
        ] {
            assert_eq!(of(&chunks), expected, "{chunks:?}");
        }
        let mut usage = None;
        take(
            &mut usage,
            &json!({ "usage": { "prompt_tokens": 194, "completion_tokens": 2, "cost": 0.95 } }),
        );
        take(&mut usage, &zeros);
        assert_eq!(usage.and_then(|usage| usage.cost_micros), Some(950_000));
    }

    #[test]
    fn what_is_not_reported_is_estimated_and_an_image_is_not_counted_by_its_bytes() {
        let image = json!({ "type": "image_url", "image_url": { "url": "x".repeat(1 << 20) } });
        let request = json!({ "messages": [{ "content": [{ "text": "x".repeat(4000) }, image] }], "tools": null });
        let estimate = or_estimate(None, &request, 400);
        assert!(
            estimate.estimated && (2000..2010).contains(&estimate.input_tokens),
            "{estimate:?}"
        );
        assert_eq!(estimate.output_tokens, 100);
        let reported = Usage {
            input_tokens: 7,
            output_tokens: 3,
            ..Usage::default()
        };
        assert_eq!(or_estimate(Some(reported), &request, 400), reported);
        let half = or_estimate(
            Some(Usage {
                input_tokens: 0,
                ..reported
            }),
            &request,
            400,
        );
        assert_eq!(
            (half.input_tokens, half.output_tokens, half.estimated),
            (estimate.input_tokens, 3, true)
        );
    }
}
