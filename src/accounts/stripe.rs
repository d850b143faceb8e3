//! The part of Stripe's API that plans need (docs.stripe.com/api), and the signature of Stripe's
//! webhooks.

use std::{collections::HashMap, time::Duration};

use reqwest::{Method, RequestBuilder, StatusCode};
use ring::hmac;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::AccountError;
use crate::{
    config, http_client,
    protocol::{Timestamp, UserId, first_chars},
};

/// How long Stripe may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How far a signature's time may differ from ours, in seconds, as in Stripe's own libraries.
const TOLERANCE: i64 = 300;

/// Stripe, with this installation's key.
#[derive(Debug)]
pub struct Stripe {
    http: reqwest::Client,
    pub settings: config::Billing,
    /// Handles one event at a time, so that the latest state is saved last.
    pub turns: Mutex<()>,
}

/// A page at Stripe to redirect the browser to.
#[derive(Deserialize)]
struct Page {
    url: String,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Subscription>,
}

#[derive(Deserialize)]
struct Subscription {
    status: String,
}

/// An event from Stripe.
#[derive(Debug, Deserialize)]
pub struct StripeEvent {
    #[serde(rename = "type")]
    pub kind: String,
    data: EventData,
}

#[derive(Debug, Deserialize)]
struct EventData {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    #[serde(default)]
    customer: Option<String>,
    #[serde(default)]
    client_reference_id: Option<String>,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
}

impl StripeEvent {
    /// The customer whose subscriptions may have changed; `None` for any other event.
    pub fn customer(&self) -> Option<&str> {
        let is_of_subscription = self.kind == "checkout.session.completed"
            || self.kind.starts_with("customer.subscription.");
        let customer = self.data.object.customer.as_deref();
        customer.filter(|_| is_of_subscription)
    }

    /// The user who was sent to Stripe.
    pub fn user(&self) -> Option<UserId> {
        let Object {
            client_reference_id,
            metadata,
            ..
        } = &self.data.object;
        let noted = metadata.as_ref().and_then(|all| all.get("user"));
        let user = client_reference_id.as_ref().or(noted);
        user.map(|user| UserId(user.clone()))
    }
}

impl Stripe {
    pub fn new(settings: config::Billing) -> anyhow::Result<Self> {
        Ok(Self {
            http: http_client::builder()
                .timeout(TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            settings,
            turns: Mutex::default(),
        })
    }

    /// The page where the user subscribes to the larger plan; `site` is the address to return to.
    pub async fn checkout(
        &self,
        user: &UserId,
        email: &str,
        customer: Option<&str>,
        site: &str,
    ) -> Result<String, AccountError> {
        let price = &self.settings.price;
        let amount = price.amount.to_string();
        let (success, cancel) = (
            format!("{site}/pricing?bought=yes"),
            format!("{site}/pricing"),
        );
        let item = "line_items[0][price_data]";
        let payer = match customer {
            Some(customer) => ("customer", customer),
            None => ("customer_email", email),
        };
        let form: [(&str, &str); 11] = [
            ("mode", "subscription"),
            ("client_reference_id", &user.0),
            ("subscription_data[metadata][user]", &user.0),
            payer,
            ("line_items[0][quantity]", "1"),
            (&format!("{item}[currency]"), &price.currency),
            (&format!("{item}[unit_amount]"), &amount),
            (&format!("{item}[recurring][interval]"), "month"),
            (&format!("{item}[product_data][name]"), "CodeFlow Pro"),
            ("success_url", &success),
            ("cancel_url", &cancel),
        ];
        let request = self.request(Method::POST, "/v1/checkout/sessions");
        Ok(answer::<Page>(request.form(&form)).await?.url)
    }

    /// The page where the customer changes or ends the subscription.
    pub async fn portal(&self, customer: &str, site: &str) -> Result<String, AccountError> {
        let back = format!("{site}/pricing");
        let form = [("customer", customer), ("return_url", back.as_str())];
        let request = self.request(Method::POST, "/v1/billing_portal/sessions");
        Ok(answer::<Page>(request.form(&form)).await?.url)
    }

    /// Whether the customer is subscribed at the moment. A late payment has the grace period that
    /// Stripe grants.
    pub async fn is_subscribed(&self, customer: &str) -> Result<bool, AccountError> {
        let query = [("customer", customer), ("status", "all"), ("limit", "100")];
        let request = self.request(Method::GET, "/v1/subscriptions").query(&query);
        let subscriptions = answer::<List>(request).await?.data;
        let is_good =
            |one: &Subscription| ["active", "trialing", "past_due"].contains(&one.status.as_str());
        Ok(subscriptions.iter().any(is_good))
    }

    /// Removes the customer, which ends the subscriptions. An unknown customer counts as removed.
    pub async fn remove(&self, customer: &str) -> Result<(), AccountError> {
        let request = self.request(Method::DELETE, &format!("/v1/customers/{customer}"));
        let response = request.send().await.map_err(unreachable)?;
        match response.error_for_status_ref() {
            Ok(_) => Ok(()),
            Err(_) if response.status() == StatusCode::NOT_FOUND => Ok(()),
            Err(error) => Err(unreachable(error)),
        }
    }

    /// The event in the body, if the header `Stripe-Signature` is a valid and recent signature of
    /// it (docs.stripe.com/webhooks#verify-manually).
    pub fn event(&self, signature: &str, body: &[u8]) -> Result<StripeEvent, AccountError> {
        let wrong = |why: &str| AccountError::Invalid {
            field: "signature",
            why: why.to_owned(),
        };
        let secret = self.settings.webhook_secret.expose_secret();
        let now = Timestamp::now().0 / 1000;
        if !is_signed(secret.as_bytes(), signature, body, now) {
            return Err(wrong(
                "The event's signature is wrong, or older than five minutes.",
            ));
        }
        serde_json::from_slice(body).map_err(|_| wrong("The event can't be read."))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.settings.api_url);
        let key = self.settings.secret_key.expose_secret();
        self.http.request(method, url).bearer_auth(key)
    }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, AccountError> {
    let response = request.send().await.map_err(unreachable)?;
    if let Err(error) = response.error_for_status_ref() {
        let said: String = response.text().await.unwrap_or_default();
        let said = first_chars(&said, 500);
        tracing::warn!(%error, said, "Stripe refused a request");
        return Err(AccountError::Stripe);
    }
    response.json().await.map_err(unreachable)
}

fn unreachable(error: reqwest::Error) -> AccountError {
    tracing::warn!(%error, "Stripe did not answer as expected");
    AccountError::Stripe
}

/// Whether the header has a signature of the body with the secret, made close to `now` (seconds).
fn is_signed(secret: &[u8], header: &str, body: &[u8], now: i64) -> bool {
    let parts = || header.split(',').filter_map(|part| part.split_once('='));
    let Some((_, time)) = parts().find(|(name, _)| *name == "t") else {
        return false;
    };
    let Ok(at) = time.parse::<i64>() else {
        return false;
    };
    if now.saturating_sub(at).saturating_abs() > TOLERANCE {
        return false;
    }
    let (key, signed) = (
        hmac::Key::new(hmac::HMAC_SHA256, secret),
        [time.as_bytes(), b".", body].concat(),
    );
    let mut signatures = parts().filter(|(name, _)| *name == "v1");
    signatures.any(|(_, signature)| {
        hex::decode(signature).is_ok_and(|made| hmac::verify(&key, &signed, &made).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_this_body_this_secret_and_these_minutes() {
        let (secret, body, at) = (b"whsec_test", b"{\"id\":1}", 1_800_000_000_i64);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = hex::encode(hmac::sign(&key, b"1800000000.{\"id\":1}"));
        let header = format!("t={at},v1={signature},v0=abc");
        let rotated = format!("t={at},v1=00ff,v1={signature}");
        for good in [&header, &rotated] {
            assert!(is_signed(secret, good, body, at));
            assert!(is_signed(secret, good, body, at + TOLERANCE));
        }
        assert!(!is_signed(secret, &header, body, at + TOLERANCE + 1));
        assert!(!is_signed(secret, &header, body, at - TOLERANCE - 1));
        assert!(!is_signed(secret, &header, b"{\"id\":2}", at));
        assert!(!is_signed(b"whsec_other", &header, body, at));
        // The signature covers the time, too.
        let later = header.replace("t=1800000000", "t=1800000009");
        assert!(!is_signed(secret, &later, body, at));
        for broken in [
            "",
            "t=",
            "t=x,v1=00",
            &format!("v1={signature}"),
            "t=1800000000",
        ] {
            assert!(!is_signed(secret, broken, body, at), "{broken}");
        }
    }
}
