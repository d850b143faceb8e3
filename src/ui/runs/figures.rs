//! Compact figures for tokens and money; "–" for unknown values.

use crate::{
    protocol::{Spent, Timestamp},
    ui::time::duration,
};

/// Stands for a figure that is not known.
pub const UNKNOWN: &str = "–";

/// All tokens of the answers, such as "950", "12.3k" or "1.2M".
pub fn tokens(spent: Spent) -> String {
    match spent.input_tokens + spent.output_tokens {
        0 => UNKNOWN.to_owned(),
        all => format!("{}{}", at_least(spent), count(all)),
    }
}

/// Precedes a figure that is partly an estimate.
fn at_least(spent: Spent) -> &'static str {
    if spent.estimated { "at least " } else { "" }
}

/// Tokens read and written by the model, such as "12.3k in (75% cached) · 950 out".
pub fn tokens_in_and_out(spent: Spent) -> String {
    match (spent.input_tokens, spent.output_tokens) {
        (0, 0) => UNKNOWN.to_owned(),
        (input, output) => format!(
            "{}{} in{} · {} out",
            at_least(spent),
            count(input),
            cached_share(spent),
            count(output)
        ),
    }
}

/// The share of input tokens that came from a cache; empty without any.
fn cached_share(spent: Spent) -> String {
    match (spent.cached_tokens * 100).checked_div(spent.input_tokens) {
        None => String::new(),
        Some(_) if spent.cached_tokens == 0 => String::new(),
        Some(0) => " (<1% cached)".to_owned(),
        Some(percent) => format!(" ({percent}% cached)"),
    }
}

fn count(number: u64) -> String {
    let (unit, sign) = match number {
        0..1_000 => return number.to_string(),
        1_000..1_000_000 => (1_000, 'k'),
        _ => (1_000_000, 'M'),
    };
    format!("{}.{}{sign}", number / unit, number % unit * 10 / unit)
}

/// US dollars, such as "$0.0042" or "$1.27".
pub fn cost(spent: Spent) -> String {
    let least = at_least(spent);
    match spent.cost_micros {
        None => UNKNOWN.to_owned(),
        Some(0) => "$0".to_owned(),
        Some(1..100) => "<$0.0001".to_owned(),
        Some(micros @ 100..1_000_000) => format!("{least}$0.{:04}", micros / 100),
        Some(micros) => format!(
            "{least}${}.{:02}",
            micros / 1_000_000,
            micros % 1_000_000 / 10_000
        ),
    }
}

/// A run's working time until its end, or until now.
pub fn worked_on(
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    now: impl FnOnce() -> Timestamp,
) -> String {
    match started_at {
        None => UNKNOWN.to_owned(),
        Some(from) => duration(from, finished_at.unwrap_or_else(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(input_tokens: u64, output_tokens: u64, cost_micros: Option<u64>) -> Spent {
        Spent {
            input_tokens,
            output_tokens,
            cost_micros,
            ..Spent::default()
        }
    }

    #[test]
    fn an_estimate_is_called_one() {
        let estimate = Spent {
            estimated: true,
            ..spent(12_000, 349, Some(4_290))
        };
        assert_eq!(tokens(estimate), "at least 12.3k");
        assert_eq!(tokens_in_and_out(estimate), "at least 12.0k in · 349 out");
        assert_eq!(cost(estimate), "at least $0.0042");
    }

    #[test]
    fn tokens_are_shown_in_the_unit_that_fits() {
        assert_eq!(tokens(spent(0, 0, None)), "–");
        assert_eq!(tokens(spent(900, 99, None)), "999");
        assert_eq!(tokens(spent(12_000, 349, None)), "12.3k");
        assert_eq!(tokens(spent(1_250_000, 0, None)), "1.2M");
        assert_eq!(
            tokens_in_and_out(spent(12_345, 50, None)),
            "12.3k in · 50 out"
        );
        let cached = |cached_tokens| Spent {
            cached_tokens,
            ..spent(1_000, 50, None)
        };
        assert_eq!(
            tokens_in_and_out(cached(756)),
            "1.0k in (75% cached) · 50 out"
        );
        assert_eq!(
            tokens_in_and_out(cached(1)),
            "1.0k in (<1% cached) · 50 out"
        );
    }

    #[test]
    fn money_is_shown_as_exactly_as_it_matters() {
        assert_eq!(cost(spent(1, 1, None)), "–");
        assert_eq!(cost(spent(1, 1, Some(0))), "$0");
        assert_eq!(cost(spent(1, 1, Some(99))), "<$0.0001");
        assert_eq!(cost(spent(1, 1, Some(4_290))), "$0.0042");
        assert_eq!(cost(spent(1, 1, Some(1_279_000))), "$1.27");
    }

    #[test]
    fn a_run_that_never_began_took_no_time() {
        let now = || Timestamp(9_000);
        assert_eq!(worked_on(None, Some(Timestamp(5_000)), now), "–");
        assert_eq!(
            worked_on(Some(Timestamp(1_000)), Some(Timestamp(5_000)), now),
            "4 s"
        );
        assert_eq!(worked_on(Some(Timestamp(1_000)), None, now), "8 s");
    }
}
