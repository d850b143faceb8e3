//! The cost of an answer, from the table of models.

use super::{
    Usage,
    models::{self, ModelEntry},
};
use crate::protocol::Spent;

/// The cost of an answer by the model: as reported by its provider, else from the table.
pub fn spent(model: &str, usage: Usage) -> Spent {
    // Dollars per million tokens are millionths of a dollar per token.
    let micros = |price: &ModelEntry| {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let input = (usage.input_tokens - cached - written) as f64 * price.input
            + cached as f64 * price.cached_input.unwrap_or(price.input)
            + written as f64 * price.cache_write.unwrap_or(price.input);
        // Reasoning tokens are part of the output, and cost as much.
        let output = usage.output_tokens.max(usage.reasoning_tokens);
        (input + output as f64 * price.output).round() as u64
    };
    Spent {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cached_tokens: usage.cached_tokens.min(usage.input_tokens),
        cost_micros: usage
            .cost_micros
            .or_else(|| models::find(model).map(micros)),
        estimated: usage.estimated,
    }
}

/// Roughly how many bytes of text make a token (help.openai.com/en/articles/4936856).
pub const BYTES_PER_TOKEN: usize = 4;

/// The approximate cost of an answer, from the bytes of the chat and of the answer.
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
    models::find(model).map(|known| known.context)
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
        let written = Usage {
            cached_tokens: 1_000_000,
            cache_write_tokens: 500_000,
            ..usage
        };
        assert_eq!(
            spent("claude-sonnet-4-5", written).cost_micros,
            Some(1_500_000 + 300_000 + 1_875_000 + 15_000_000)
        );
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
