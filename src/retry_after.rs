//! `Retry-After` (RFC 9110, section 10.2.3) and similar: how long a server asks clients to wait, in
//! any notation.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The time that the header `Retry-After` asks for; zero for a date in the past.
pub fn in_header(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    moment(headers.get(RETRY_AFTER)?.to_str().ok()?.trim(), now)
}

/// The time until a moment in any notation: a duration, seconds, seconds or milliseconds since the
/// epoch, or a date.
pub fn moment(text: &str, now: SystemTime) -> Option<Duration> {
    let until = |at: SystemTime| at.duration_since(now).unwrap_or_default();
    if let Ok(number) = text.parse::<f64>() {
        let epoch = SystemTime::UNIX_EPOCH;
        return match number {
            1e12.. => Some(until(epoch + seconds(number / 1e3)?)),
            1e9.. => Some(until(epoch + seconds(number)?)),
            _ => seconds(number),
        };
    }
    duration(text)
        .or_else(|| httpdate::parse_http_date(text).ok().map(until))
        .or_else(|| {
            let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(until(at.into()))
        })
}

/// The duration at the beginning of a text, such as "6 seconds", "1m30.5s" or "20ms".
pub fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (None, text.trim_start());
    loop {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<f64>() else {
            return total;
        };
        let unit = rest[digits..].trim_start();
        let end = unit
            .find(|letter: char| !letter.is_ascii_alphabetic())
            .unwrap_or(unit.len());
        let scale = match &unit[..end] {
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return total,
        };
        total = Some(total.unwrap_or_default() + seconds(number * scale)?);
        rest = unit[end..].trim_start();
    }
}

/// The duration of this many seconds; `None` if there is no such duration, as for negative numbers.
pub fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000);
        for (value, expected) in [
            ("7", Some(7_000)),
            ("0.25", Some(250)),
            (" 20s ", Some(20_000)),
            ("Mon, 24 Nov 2025 16:00:10 GMT", Some(10_000)),
            ("Monday, 24-Nov-25 16:00:10 GMT", Some(10_000)),
            ("Mon, 24 Nov 2025 15:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let expected = expected.map(Duration::from_millis);
            assert_eq!(in_header(&headers, now), expected, "{value}");
        }
        assert_eq!(in_header(&HeaderMap::new(), now), None);
    }
}
