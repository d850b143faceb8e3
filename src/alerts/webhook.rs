//! The webhook for alerts: JSON by POST, with the text in the fields that Slack, Mattermost and
//! Discord read.

use std::time::Duration;

use reqwest::{Client, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::rules::Alert;
use crate::http_client;

/// How long the other server may take.
const SILENCE: Duration = Duration::from_secs(15);
/// The pauses after failures.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

pub struct Webhook {
    client: Client,
    address: SecretString,
}

impl Webhook {
    pub fn new(address: &SecretString) -> reqwest::Result<Self> {
        let client = http_client::builder()
            .timeout(SILENCE)
            .redirect(Policy::none());
        Ok(Self {
            client: client.build()?,
            address: address.clone(),
        })
    }

    /// Sends it in a task of its own, with retries while the other server fails.
    pub fn send(&self, alert: &Alert, server: &str) {
        let (client, address) = (self.client.clone(), self.address.clone());
        let (body, alert) = (body(alert, server), alert.kind.as_str());
        tokio::spawn(async move {
            let mut pauses = PAUSES.iter();
            loop {
                let sent = client
                    .post(address.expose_secret())
                    .json(&body)
                    .send()
                    .await;
                // Otherwise errors would contain the address.
                let why = match sent {
                    Ok(answer) if answer.status().is_success() => return,
                    Ok(answer) => answer.status().to_string(),
                    Err(error) => error.without_url().to_string(),
                };
                let Some(pause) = pauses.next() else {
                    tracing::error!(alert, why, "the alert could not be sent to the webhook");
                    return;
                };
                tracing::warn!(
                    alert,
                    why,
                    "the webhook did not take the alert; trying again"
                );
                tokio::time::sleep(*pause).await;
            }
        });
    }
}

fn body(alert: &Alert, server: &str) -> Value {
    let at = chrono::DateTime::from_timestamp_millis(alert.at.0).unwrap_or_default();
    let text = format!("CodeFlow at {server}: {}", alert.message);
    json!({
        "alert": alert.kind.as_str(),
        "state": if alert.firing { "firing" } else { "resolved" },
        "message": alert.message,
        "server": server,
        "at": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        // Slack and Mattermost; Discord.
        "text": text,
        "content": text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts::rules::Kind, protocol::Timestamp};

    #[test]
    fn the_body_says_what_where_and_when() {
        let alert = Alert {
            kind: Kind::FailedRuns,
            firing: true,
            message: "3 of the last 6 runs failed.".to_owned(),
            at: Timestamp(1_700_000_000_000),
        };
        let body = body(&alert, "https://build.example.com");
        assert_eq!(body["alert"], "failed_runs");
        assert_eq!(body["state"], "firing");
        assert_eq!(body["at"], "2023-11-14T22:13:20Z");
        assert_eq!(
            body["text"],
            "CodeFlow at https://build.example.com: 3 of the last 6 runs failed."
        );
    }
}
