//! The time, as records store it and E2B's API writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

/// Unix time in milliseconds.
pub(super) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as RFC 3339 has it, in UTC with milliseconds.
pub(super) fn rfc3339(millis: u64) -> String {
    i64::try_from(millis)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The moment that is this many seconds ahead: Unix time in milliseconds.
pub(super) fn in_seconds(seconds: u64) -> u64 {
    now().saturating_add(seconds.saturating_mul(1000))
}
