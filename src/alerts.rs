//! Alerts: the figures of `/metrics` are looked at every minute. What passes a threshold is told to
//! a webhook and by e-mail, once as it begins and once when it is over, and is logged in any case.

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
use rules::{Kind, News, Sample, problems};
use webhook::Webhook;

/// Over how long is counted what is counted.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// An alert is over when so many looks in a row have not found it: figures waver.
const CALM_LOOKS: u32 = 3;
const SUBJECT_BEGUN: &str = "CodeFlow needs attention";
const SUBJECT_OVER: &str = "CodeFlow: an alert is over";

/// Looks at the figures until the shutdown: `read` returns them as Prometheus reads them, or `None`
/// where nothing is measured. `public_url` says which server it is.
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
        let mut watch = Watch::default();
        let mut looks = interval(settings.interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let Some(text) = read().await else {
                return;
            };
            let sample = Sample::of(&Figures::read(&text), Timestamp::now());
            for news in watch.look(sample, &settings.thresholds) {
                log(&news);
                if let Some(webhook) = &webhook {
                    webhook.send(&news, &public_url);
                }
                if let Some(to) = &settings.email {
                    let subject = if news.begun {
                        SUBJECT_BEGUN
                    } else {
                        SUBJECT_OVER
                    };
                    let text = format!("{}\n\n{}\n", news.message, public_url);
                    accounts.write_to(to, subject, text);
                }
            }
        }
    }));
}

fn log(news: &News) {
    let alert = news.kind.as_str();
    if news.begun {
        tracing::warn!(alert, "{}", news.message);
    } else {
        tracing::info!(alert, "{}", news.message);
    }
}

/// The samples of the window, and what is wrong by now.
#[derive(Default)]
struct Watch {
    samples: VecDeque<Sample>,
    /// With how many looks have not found it since.
    firing: BTreeMap<Kind, u32>,
}

impl Watch {
    /// What is new by this sample.
    fn look(&mut self, sample: Sample, thresholds: &config::AlertThresholds) -> Vec<News> {
        let at = sample.at;
        let window = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
        self.samples.push_back(sample);
        // The first is the last that is older than the window, or the first there was.
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
        let mut news = Vec::new();
        self.firing.retain(|kind, calm| {
            if found.contains_key(kind) {
                *calm = 0;
                return true;
            }
            *calm += 1;
            if *calm < CALM_LOOKS {
                return true;
            }
            news.push(News {
                kind: *kind,
                begun: false,
                message: format!("This is over: {}.", kind.subject()),
                at,
            });
            false
        });
        for (kind, message) in found {
            if self.firing.insert(kind, 0).is_none() {
                news.push(News {
                    kind,
                    begun: true,
                    message,
                    at,
                });
            }
        }
        news
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
    fn an_alert_is_told_once_and_is_over_after_some_calm() {
        let (mut watch, thresholds) = (Watch::default(), config::AlertThresholds::default());
        let mut told = Vec::new();
        for (minute, free) in (0..).zip([50.0, 9.0, 8.0, 11.0, 9.0, 50.0, 50.0, 50.0, 50.0, 5.0]) {
            for news in watch.look(sample(minute, free), &thresholds) {
                told.push((minute, news.kind, news.begun));
            }
        }
        let disk = |minute, begun| (minute, Kind::Disk, begun);
        assert_eq!(told, [disk(1, true), disk(7, false), disk(9, true)]);
    }

    #[test]
    fn what_is_counted_is_forgotten_after_the_window() {
        let (mut watch, thresholds) = (Watch::default(), config::AlertThresholds::default());
        let mut begun = Vec::new();
        for minute in 0..60 {
            let sample = Sample {
                // A storm of two minutes.
                sign_ins: f64::from(u8::try_from(minute.clamp(10, 12) - 10).unwrap_or(0)) * 60.0,
                ..sample(minute, 50.0)
            };
            for news in watch.look(sample, &thresholds) {
                begun.push((news.kind, news.begun));
            }
            assert!(watch.samples.len() <= 17);
        }
        assert_eq!(begun, [(Kind::SignIns, true), (Kind::SignIns, false)]);
    }
}
