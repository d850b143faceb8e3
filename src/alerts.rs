//! Alerts: the figures of `/metrics` are compared with thresholds every minute. An alert is logged,
//! and sent to a webhook and by e-mail, when it begins to fire and when it is resolved.

mod figures;
mod rules;
mod webhook;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{accounts::Accounts, config, protocol::Timestamp};
use figures::Figures;
use rules::{Alert, Kind, Sample, problems};
use webhook::Webhook;

/// The period over which counters are compared.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// An alert is resolved after this many checks in a row without it, because figures fluctuate.
const CALM_CHECKS: u32 = 3;
const SUBJECT_FIRING: &str = "CodeFlow needs attention";
const SUBJECT_RESOLVED: &str = "CodeFlow: an alert is over";

/// Checks the figures until the shutdown. `read` returns them in Prometheus' format, or `None` if
/// nothing is measured; `public_url` identifies the server.
pub fn watch<F>(
    settings: config::Alerts,
    accounts: Accounts,
    public_url: Arc<str>,
    read: impl Fn() -> F + Send + Sync + 'static,
    shutdown: CancellationToken,
) where
    F: Future<Output = Option<String>> + Send,
{
    let webhook = match settings.webhook.as_ref().map(Webhook::new).transpose() {
        Ok(webhook) => webhook,
        Err(error) => {
            tracing::error!(%error, "alerts can't be sent to the webhook");
            None
        }
    };
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut monitor = Monitor::default();
        let mut checks = interval(settings.interval);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            checks.tick().await;
            let Some(text) = read().await else {
                return;
            };
            let sample = Sample::of(&Figures::read(&text), Timestamp::now());
            for alert in monitor.check(sample, &settings.thresholds) {
                log(&alert);
                if let Some(webhook) = &webhook {
                    webhook.send(&alert, &public_url);
                }
                if let Some(to) = &settings.email {
                    let subject = if alert.firing {
                        SUBJECT_FIRING
                    } else {
                        SUBJECT_RESOLVED
                    };
                    let text = format!("{}\n\n{public_url}\n", alert.message);
                    accounts.write_to(to, subject, text);
                }
            }
        }
    }));
}

fn log(alert: &Alert) {
    let (kind, message) = (alert.kind.as_str(), &alert.message);
    if alert.firing {
        tracing::warn!(alert = kind, "{message}");
    } else {
        tracing::info!(alert = kind, "{message}");
    }
}

/// The samples of the window, and the firing alerts.
#[derive(Default)]
struct Monitor {
    samples: VecDeque<Sample>,
    /// With the number of checks since the alert was last found.
    firing: BTreeMap<Kind, u32>,
}

impl Monitor {
    /// The alerts that begin to fire or are resolved with this sample.
    fn check(&mut self, sample: Sample, thresholds: &config::AlertThresholds) -> Vec<Alert> {
        let at = sample.at;
        let window = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
        self.samples.push_back(sample);
        // Keeps one sample from before the window, if there is one.
        while self
            .samples
            .get(1)
            .is_some_and(|next| next.at.0 <= at.0 - window)
        {
            self.samples.pop_front();
        }
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return Vec::new();
        };
        let found = problems(first, last, thresholds);
        let mut alerts = Vec::new();
        self.firing.retain(|kind, calm| {
            if found.contains_key(kind) {
                *calm = 0;
                return true;
            }
            *calm += 1;
            if *calm < CALM_CHECKS {
                return true;
            }
            alerts.push(Alert {
                kind: *kind,
                firing: false,
                message: format!("This is over: {}.", kind.subject()),
                at,
            });
            false
        });
        for (kind, message) in found {
            if self.firing.insert(kind, 0).is_none() {
                alerts.push(Alert {
                    kind,
                    firing: true,
                    message,
                    at,
                });
            }
        }
        alerts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: i64, disk_free: f64) -> Sample {
        Sample {
            at: Timestamp(minute * 60_000),
            disk_free,
            disk_size: 100.0,
            database_up: 1.0,
            ..Sample::default()
        }
    }

    #[test]
    fn an_alert_is_sent_once_and_resolved_after_some_calm() {
        let (mut monitor, thresholds) = (Monitor::default(), config::AlertThresholds::default());
        let mut sent = Vec::new();
        for (minute, free) in (0..).zip([50.0, 9.0, 8.0, 11.0, 9.0, 50.0, 50.0, 50.0, 50.0, 5.0]) {
            for alert in monitor.check(sample(minute, free), &thresholds) {
                sent.push((minute, alert.kind, alert.firing));
            }
        }
        let disk = |minute, firing| (minute, Kind::Disk, firing);
        assert_eq!(sent, [disk(1, true), disk(7, false), disk(9, true)]);
    }

    #[test]
    fn what_is_counted_is_forgotten_after_the_window() {
        let (mut monitor, thresholds) = (Monitor::default(), config::AlertThresholds::default());
        let mut sent = Vec::new();
        for minute in 0..60 {
            let sample = Sample {
                // A burst of two minutes.
                sign_ins: f64::from(u8::try_from(minute.clamp(10, 12) - 10).unwrap_or(0)) * 60.0,
                ..sample(minute, 50.0)
            };
            for alert in monitor.check(sample, &thresholds) {
                sent.push((alert.kind, alert.firing));
            }
            assert!(monitor.samples.len() <= 17);
        }
        assert_eq!(sent, [(Kind::SignIns, true), (Kind::SignIns, false)]);
    }
}
