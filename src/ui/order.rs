//! Orders of a form or a button: one that failed has the same key when it is sent again as it was,
//! so that it counts once even if the server had received it and only its answer was lost.

use leptos::prelude::*;

use super::browser;
use crate::{api::order::with_key, protocol::ApiError};

/// The order that has not succeeded yet: its content and its key.
#[derive(Clone, Copy)]
pub struct Order {
    pending: StoredValue<Option<(String, String)>>,
}

impl Order {
    pub fn new() -> Self {
        Self {
            pending: StoredValue::new(None),
        }
    }

    /// Sends an order: the call of a server function that creates something. `content` is all that
    /// the user chose for it.
    pub async fn send<T>(
        self,
        content: String,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let key = key_of(self.pending.try_get_value().flatten(), &content, new_key);
        self.pending.try_set_value(Some((content, key.clone())));
        let sent = with_key(key, call).await;
        if sent.is_ok() {
            self.pending.try_set_value(None);
        }
        sent
    }
}

/// The key of the pending order if it has the same content, else a new one.
fn key_of(
    pending: Option<(String, String)>,
    content: &str,
    new: impl FnOnce() -> String,
) -> String {
    match pending {
        Some((same, key)) if same == content => key,
        _ => new(),
    }
}

/// A key that is unique among one person's orders: the server keeps those of others apart.
fn new_key() -> String {
    let chance = (browser::random() * 9e15) as u64;
    format!("{:x}-{chance:x}", browser::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_order_keeps_its_key() {
        let key = |pending: Option<(&str, &str)>| {
            let pending = pending.map(|(content, key)| (content.to_owned(), key.to_owned()));
            key_of(pending, "a shop", || "new".to_owned())
        };
        assert_eq!(key(None), "new");
        assert_eq!(key(Some(("a shop", "old"))), "old");
        assert_eq!(key(Some(("a bank", "old"))), "new");
    }
}
