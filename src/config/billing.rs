//! Settings of Stripe, where the larger plan is bought.

use std::str::FromStr;

use secrecy::SecretString;

use super::{ConfigError, Env};

/// Currencies without a smaller unit (docs.stripe.com/currencies#zero-decimal).
const WHOLE: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

#[derive(Debug, Clone)]
pub struct Billing {
    /// `STRIPE_SECRET_KEY`
    pub secret_key: SecretString,
    /// The secret that Stripe signs its events with (`STRIPE_WEBHOOK_SECRET`).
    pub webhook_secret: SecretString,
    /// `STRIPE_API_URL`, for another server with Stripe's API.
    pub api_url: String,
    /// The monthly price of the larger plan (`PRO_PRICE`).
    pub price: Price,
}

impl Billing {
    /// `None` where no plan is sold.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let expected = "an amount and a currency, such as 20 usd or 19.90 eur";
        let default = Price {
            amount: 2000,
            currency: "usd".to_owned(),
        };
        let price = env.parsed("PRO_PRICE", default, expected, |_| true)?;
        let (name, key) = ("STRIPE_SECRET_KEY", env.secret("STRIPE_SECRET_KEY"));
        let (webhook, secret) = ("STRIPE_WEBHOOK_SECRET", env.secret("STRIPE_WEBHOOK_SECRET"));
        let both = "set it together with";
        match (key, secret) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::new(webhook, "", format!("{both} {name}"))),
            (None, Some(_)) => Err(ConfigError::new(name, "", format!("{both} {webhook}"))),
            (Some(secret_key), Some(webhook_secret)) => {
                let url = env.var("STRIPE_API_URL");
                let url = url.unwrap_or_else(|| "https://api.stripe.com".to_owned());
                if !url.starts_with("https://") && !url.starts_with("http://") {
                    return Err(ConfigError::new("STRIPE_API_URL", url, "a web address"));
                }
                Ok(Some(Self {
                    secret_key,
                    webhook_secret,
                    api_url: url.trim_end_matches('/').to_owned(),
                    price,
                }))
            }
        }
    }
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// In the currency's smallest unit.
    pub amount: u64,
    /// The currency's three letters, in lower case.
    pub currency: String,
}

impl Price {
    /// As people write it, such as "19.90 EUR".
    pub fn in_words(&self) -> String {
        let currency = self.currency.to_ascii_uppercase();
        let (whole, part) = (self.amount / 100, self.amount % 100);
        match (self.is_whole(), part) {
            (true, _) => format!("{} {currency}", self.amount),
            (false, 0) => format!("{whole} {currency}"),
            (false, part) => format!("{whole}.{part:02} {currency}"),
        }
    }

    fn is_whole(&self) -> bool {
        WHOLE.contains(&self.currency.as_str())
    }
}

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "it is not an amount and a currency";
        let (amount, currency) = text.split_once(' ').ok_or(WRONG)?;
        let currency = currency.trim().to_ascii_lowercase();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(WRONG);
        }
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || !matches!(part.len(), 0 | 2) {
            return Err(WRONG);
        }
        let has_no_parts = WHOLE.contains(&currency.as_str());
        let amount = match (has_no_parts, part) {
            (true, "") => whole.to_owned(),
            (true, _) => return Err(WRONG),
            (false, "") => format!("{whole}00"),
            (false, part) => format!("{whole}{part}"),
        };
        let amount: u64 = amount.parse().map_err(|_| WRONG)?;
        // Stripe takes at most eight digits.
        if !(1..=99_999_999).contains(&amount) {
            return Err(WRONG);
        }
        Ok(Self { amount, currency })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn billing(variables: &[(&str, &str)]) -> Result<Option<Billing>, ConfigError> {
        Billing::from_env(&Env::of(variables.iter().copied(), "/usr/bin/codeflow"))
    }

    #[test]
    fn prices_are_in_the_smallest_unit_of_their_currency() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (text, amount, words) in [
            ("20 usd", 2000, "20 USD"),
            ("19.90 EUR", 1990, "19.90 EUR"),
            ("3000 jpy", 3000, "3000 JPY"),
        ] {
            assert_eq!(
                (price(text).amount, &*price(text).in_words()),
                (amount, words)
            );
        }
        for wrong in [
            "20",
            "usd",
            "20usd",
            "0 usd",
            "-1 usd",
            "1.5 usd",
            "1.50 jpy",
            "5 euros",
            ". usd",
            "9999999999 usd",
        ] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
            assert!(billing(&[("PRO_PRICE", wrong)]).is_err());
        }
    }

    #[test]
    fn stripe_needs_both_of_its_secrets() {
        let (key, secret) = (
            ("STRIPE_SECRET_KEY", "hidden-key"),
            ("STRIPE_WEBHOOK_SECRET", "hidden-secret"),
        );
        assert!(billing(&[]).unwrap().is_none());
        let both = billing(&[key, secret]).unwrap().unwrap();
        assert_eq!(both.api_url, "https://api.stripe.com");
        assert!(!format!("{both:?}").contains("hidden"));
        for one in [key, secret] {
            let error = billing(&[one]).unwrap_err().to_string();
            assert!(
                error.contains("is not set: set it together with"),
                "{error}"
            );
        }
    }
}
