//! Plans: their allowances, and buying, changing and ending one at Stripe, where this CodeFlow
//! sells any. Stripe's events are only a hint: each one makes the server fetch the subscriptions,
//! so events may arrive twice, late, or in any order.

use super::{AccountError, Accounts, Identity, stripe::Stripe};
use crate::{
    protocol::{Plan, Pricing},
    store::StoreError,
};

impl Accounts {
    /// The plans' allowances, and the identity's own plan.
    pub async fn pricing(&self, identity: Option<&Identity>) -> Result<Pricing, AccountError> {
        let account = identity.and_then(|identity| identity.account.as_ref());
        let stripe = self.inner.stripe.as_ref();
        let customer = match account.filter(|_| stripe.is_some()) {
            Some(account) => self.inner.store.billing_customer(&account.id).await?,
            None => None,
        };
        Ok(Pricing {
            rules: self.inner.store.credit_rules(),
            current: account.map(|account| account.plan),
            price: stripe.map(|stripe| stripe.settings.price.in_words()),
            subscribed: customer.is_some_and(|customer| customer.subscribed),
        })
    }

    /// The address where the identity's account buys the larger plan.
    pub async fn checkout(&self, identity: &Identity) -> Result<String, AccountError> {
        let stripe = self.stripe()?;
        let account = identity.account.as_ref().ok_or(NOTHING_SOLD)?;
        let customer = self.inner.store.billing_customer(&account.id).await?;
        let site = &self.inner.public_url;
        match customer {
            // Nobody pays twice.
            Some(customer) if customer.subscribed => stripe.portal(&customer.id, site).await,
            _ if account.plan == Plan::Pro => Err(AccountError::Refused(
                "You have the plan Pro already, without paying for it.",
            )),
            customer => {
                let customer = customer.as_ref().map(|customer| customer.id.as_str());
                let (user, email) = (&account.id, &account.email);
                stripe.checkout(user, email, customer, site).await
            }
        }
    }

    /// The address where the identity's account changes or ends its subscription.
    pub async fn portal(&self, identity: &Identity) -> Result<String, AccountError> {
        let stripe = self.stripe()?;
        let customer = self.inner.store.billing_customer(&identity.user).await?;
        let customer = customer.ok_or(AccountError::Refused("You have not bought a plan here."))?;
        stripe.portal(&customer.id, &self.inner.public_url).await
    }

    /// Handles an event from Stripe, signed by `signature`. Stripe sends refused events again.
    pub async fn take_event(&self, signature: &str, body: &[u8]) -> Result<(), AccountError> {
        let stripe = self.stripe()?;
        let event = stripe.event(signature, body)?;
        let Some(customer) = event.customer() else {
            return Ok(());
        };
        let _turn = stripe.turns.lock().await;
        let is_subscribed = stripe.is_subscribed(customer).await?;
        let store = &self.inner.store;
        let set = store.set_subscribed(customer, event.user(), is_subscribed);
        match set.await {
            Ok(()) => {
                tracing::info!(
                    customer,
                    subscribed = is_subscribed,
                    "a customer's subscription is known"
                );
                Ok(())
            }
            // The customer's account was deleted, or belongs to another installation.
            Err(StoreError::NotFound(_)) => {
                tracing::warn!(
                    customer,
                    "an event is of a customer without an account here"
                );
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the account's subscription, before the account is deleted.
    pub(super) async fn end_payments(&self, identity: &Identity) -> Result<(), AccountError> {
        let Some(stripe) = &self.inner.stripe else {
            return Ok(());
        };
        for customer in self.inner.store.billing_customers(&identity.user).await? {
            stripe.remove(&customer.id).await?;
        }
        Ok(())
    }

    fn stripe(&self) -> Result<&Stripe, AccountError> {
        self.inner.stripe.as_ref().ok_or(NOTHING_SOLD)
    }
}

const NOTHING_SOLD: AccountError = AccountError::Refused(
    "Plans can't be bought on this CodeFlow. Its administrator can give you another one.",
);
