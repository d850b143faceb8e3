//! Settings of alerts: where they are sent (`ALERT_WEBHOOK_URL`, `ALERT_EMAIL`), and the thresholds
//! at which they fire.

use std::time::Duration;

use lettre::Address;
use secrecy::SecretString;
use url::Url;

use super::{ConfigError, Env, Mail};

/// Where alerts are sent, and when they fire.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// A secret, because knowing the address may be enough to post there.
    pub webhook: Option<SecretString>,
    pub email: Option<String>,
    /// The time between two checks (`ALERT_SECONDS`).
    pub interval: Duration,
    pub thresholds: AlertThresholds,
}

/// The thresholds; 0 turns an alert off. Counters are compared over a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertThresholds {
    /// Failed runs, in percent of those that ended (`ALERT_FAILED_RUNS_PERCENT`).
    pub failed_runs: u32,
    /// How long a run has waited for its turn, in seconds (`ALERT_QUEUE_SECONDS`).
    pub queue: u32,
    /// Free space on the data folder's disk, in percent (`ALERT_DISK_PERCENT`).
    pub disk: u32,
    /// Refused connections of sandboxes (`ALERT_REFUSALS`).
    pub refusals: u32,
    /// Refused sign-ins (`ALERT_SIGN_INS`).
    pub sign_ins: u32,
    /// Requests that the server failed, in percent (`ALERT_ERRORS_PERCENT`).
    pub errors: u32,
    /// The duration, in seconds, that a twentieth of the requests exceed (`ALERT_SLOW_SECONDS`).
    pub slow: u32,
}

impl Default for AlertThresholds {
    fn default() -> Self {
        Self {
            failed_runs: 50,
            queue: 300,
            disk: 10,
            refusals: 1000,
            sign_ins: 100,
            errors: 5,
            slow: 5,
        }
    }
}

impl Alerts {
    /// `mail`: the server that sends e-mail, if there is one.
    pub fn from_env(env: &Env, mail: Option<&Mail>) -> Result<Self, ConfigError> {
        let usual = AlertThresholds::default();
        let percent = |name, default| {
            let expected = "a number of percent up to 100, or 0 to turn the alert off";
            env.parsed(name, default, expected, |percent: &u32| *percent <= 100)
        };
        let number = |name, default| {
            let expected = "a whole number, or 0 to turn the alert off";
            env.parsed(name, default, expected, |_: &u32| true)
        };
        let seconds = env.parsed(
            "ALERT_SECONDS",
            60,
            "a number of seconds from 1 to 600",
            |seconds| (1..=600).contains(seconds),
        )?;
        Ok(Self {
            webhook: webhook(env)?,
            email: email(env, mail)?,
            interval: Duration::from_secs(seconds),
            thresholds: AlertThresholds {
                failed_runs: percent("ALERT_FAILED_RUNS_PERCENT", usual.failed_runs)?,
                queue: number("ALERT_QUEUE_SECONDS", usual.queue)?,
                disk: percent("ALERT_DISK_PERCENT", usual.disk)?,
                refusals: number("ALERT_REFUSALS", usual.refusals)?,
                sign_ins: number("ALERT_SIGN_INS", usual.sign_ins)?,
                errors: percent("ALERT_ERRORS_PERCENT", usual.errors)?,
                slow: number("ALERT_SLOW_SECONDS", usual.slow)?,
            },
        })
    }
}

fn webhook(env: &Env) -> Result<Option<SecretString>, ConfigError> {
    let is_http = |address: &str| {
        Url::parse(address)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    let expected = "an http or https address that takes JSON by POST";
    env.checked_secret("ALERT_WEBHOOK_URL", expected, is_http)
}

fn email(env: &Env, mail: Option<&Mail>) -> Result<Option<String>, ConfigError> {
    let Some(address) = env.var("ALERT_EMAIL") else {
        return Ok(None);
    };
    if address.parse::<Address>().is_err() {
        let expected = "one e-mail address, such as operations@example.com";
        return Err(ConfigError::new("ALERT_EMAIL", address, expected));
    }
    if mail.is_none() {
        let expected = "needs a mail server; set SMTP_URL too";
        return Err(ConfigError::new("ALERT_EMAIL", address, expected));
    }
    Ok(Some(address))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Alerts, ConfigError> {
        let env = Env::of(variables.iter().copied(), "/usr/bin/codeflow");
        let mail = Mail::from_env(&env, "http://localhost:3000")?;
        Alerts::from_env(&env, mail.as_ref())
    }

    #[test]
    fn thresholds_have_defaults_and_the_webhook_is_a_secret() {
        let none = read(&[]).unwrap();
        assert!(none.webhook.is_none() && none.email.is_none());
        assert_eq!(none.thresholds, AlertThresholds::default());
        let hook = "https://hooks.example.com/T0/secret?x=y";
        let alerts = read(&[
            ("ALERT_WEBHOOK_URL", hook),
            ("ALERT_DISK_PERCENT", "0"),
            ("SMTP_URL", "smtp://mail.example.com"),
            ("ALERT_EMAIL", "ops@example.com"),
        ]);
        let alerts = alerts.unwrap();
        assert!(!format!("{alerts:?}").contains("T0"));
        assert_eq!(alerts.thresholds.disk, 0);
        assert_eq!(alerts.email.as_deref(), Some("ops@example.com"));
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_what_it_may_be() {
        for (name, value, said) in [
            (
                "ALERT_WEBHOOK_URL",
                "hooks.example.com/secret",
                "ALERT_WEBHOOK_URL=(not shown): an http",
            ),
            (
                "ALERT_WEBHOOK_URL",
                "ftp://hooks.example.com",
                "ALERT_WEBHOOK_URL=(not shown): an http",
            ),
            ("ALERT_EMAIL", "ops", "ALERT_EMAIL=ops: one e-mail address"),
            (
                "ALERT_EMAIL",
                "ops@example.com",
                "ALERT_EMAIL=ops@example.com: needs a mail server",
            ),
            (
                "ALERT_DISK_PERCENT",
                "101",
                "ALERT_DISK_PERCENT=101: a number of percent",
            ),
            ("ALERT_REFUSALS", "-1", "ALERT_REFUSALS=-1: a whole number"),
            ("ALERT_SECONDS", "0", "ALERT_SECONDS=0: a number of seconds"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
