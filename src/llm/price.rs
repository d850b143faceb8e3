//! What models cost and how large their contexts are: a table from the providers' public pages, by
//! a model's name without its version.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Usage;
use crate::protocol::Spent;

/// US dollars per million tokens, and the context in tokens (openai.com/api/pricing,
/// ai.google.dev/pricing, openrouter.ai/models), for requests of usual length and without
/// surcharges for writing to a cache.
const TABLE: &str = include_str!("prices.json");

#[derive(Debug, Deserialize)]
struct Price {
    model: String,
    input: f64,
    /// Where it differs from `input`.
    cached_input: Option<f64>,
    output: f64,
    context: usize,
}

/// Longest names first, so that `gpt-5-mini` is not taken for `gpt-5`.
static PRICES: LazyLock<Vec<Price>> = LazyLock::new(|| {
    let mut prices: Vec<Price> = serde_json::from_str(TABLE).unwrap_or_default();
    prices.sort_by_key(|price| std::cmp::Reverse(price.model.len()));
    prices
});

/// What an answer of the model cost: as its provider reports it, else by the table.
pub fn spent(model: &str, usage: Usage) -> Spent {
    // Dollars per million tokens are millionths of a dollar per token.
    let micros = |price: &Price| {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let input = (usage.input_tokens - cached) as f64 * price.input
            + cached as f64 * price.cached_input.unwrap_or(price.input);
        (input + usage.output_tokens as f64 * price.output).round() as u64
    };
    Spent {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cost_micros: usage.cost_micros.or_else(|| find(model).map(micros)),
        estimated: usage.estimated,
    }
}

/// About how many bytes of text make a token (help.openai.com/en/articles/4936856).
pub const BYTES_PER_TOKEN: usize = 4;

/// About what an answer costs, by the bytes of the chat and of the answer.
pub fn estimate(model: &str, chat_bytes: usize, answer_bytes: usize) -> Spent {
    let tokens = |bytes: usize| bytes.div_ceil(BYTES_PER_TOKEN) as u64;
    let usage = Usage {
        input_tokens: tokens(chat_bytes),
        output_tokens: tokens(answer_bytes),
        estimated: true,
        ..Usage::default()
    };
    spent(model, usage)
}

/// The model's context in tokens; `None` for an unknown model.
pub fn context(model: &str) -> Option<usize> {
    find(model).map(|price| price.context)
}

/// By its whole name, else without the vendor's name that OpenRouter puts in front.
fn find(model: &str) -> Option<&'static Price> {
    let named = |name: &str| {
        PRICES
            .iter()
            .find(|price| name.strip_prefix(&price.model).is_some_and(is_version))
    };
    named(model).or_else(|| named(model.rsplit_once('/')?.1))
}

/// Whether the rest of a model's name only names its version: a date, or a preview.
fn is_version(rest: &str) -> bool {
    rest.is_empty()
        || ["-2", "-preview", "-latest", ":"]
            .iter()
            .any(|version| rest.starts_with(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_is_that_of_the_longest_name_that_fits_and_unknown_models_have_none() {
        let usage = Usage {
            input_tokens: 2_000_000,
            output_tokens: 1_000_000,
            ..Usage::default()
        };
        assert!(!PRICES.is_empty(), "the table can be read");
        assert_eq!(
            spent("gpt-5.1-2025-11-13", usage).cost_micros,
            Some(12_500_000)
        );
        assert_eq!(spent("openai/gpt-5.1", usage).cost_micros, Some(12_500_000));
        let cached = Usage {
            cached_tokens: 1_000_000,
            ..usage
        };
        assert_eq!(spent("gpt-5.1", cached).cost_micros, Some(11_375_000));
        let reported = Usage {
            cost_micros: Some(7),
            ..usage
        };
        assert_eq!(spent("gpt-5.1", reported).cost_micros, Some(7));
        assert_eq!(spent("gpt-5-mini", usage).cost_micros, Some(2_500_000));
        for unknown in ["my-own", "gpt-5-pro", "gpt-5.9"] {
            assert_eq!(spent(unknown, usage).cost_micros, None, "{unknown}");
        }
        assert_eq!(
            (context("gpt-4o-2024-08-06"), context("my-own")),
            (Some(128_000), None)
        );
        assert_eq!(spent("my-own", usage).input_tokens, 2_000_000);
    }
}
