//! Times as text: "5 minutes ago" in the browser, with the exact time in the reader's zone as a
//! title; on the server, which knows neither the reader's time nor zone, date and time in UTC.

use std::time::Duration;

use leptos::prelude::*;

use super::browser::{self, Hydrated};
use crate::protocol::Timestamp;

/// The current time, updated every half minute; `None` before hydration.
#[derive(Debug, Clone, Copy)]
pub struct Clock(RwSignal<Option<i64>>);

impl Clock {
    /// Called once, by the app.
    pub fn provide() {
        let now = RwSignal::new(None);
        let hydrated = Hydrated::expect();
        Effect::new(move || {
            if !hydrated.get() {
                return;
            }
            now.set(Some(browser::now()));
            let tick = move || now.set(Some(browser::now()));
            if let Ok(interval) = set_interval_with_handle(tick, Duration::from_secs(30)) {
                on_cleanup(move || interval.clear());
            }
        });
        provide_context(Self(now));
    }
}

/// A `<time>` that shows how long ago something was, with the exact time as its title.
#[component]
pub fn RelativeTime(at: Timestamp) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let words = move || {
        clock
            .0
            .get()
            .map_or_else(|| moment(at), |now| ago(now - at.0))
    };
    let title = move || clock.0.get().map(|_| browser::local_time(at.0));
    view! { <time datetime=iso(at) title=title>{words}</time> }
}

/// As [`RelativeTime`], with day, hour and zone as text below it.
#[component]
pub fn FullTime(at: Timestamp) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let exact = move || clock.0.get().map(|_| browser::local_time(at.0));
    view! {
        <RelativeTime at/>
        <span class="block text-xs text-muted-foreground empty:hidden">{exact}</span>
    }
}

/// A `<time>` that says when something was, with the hour in UTC.
#[component]
pub fn Moment(at: Timestamp) -> impl IntoView {
    view! { <time datetime=iso(at)>{moment(at)}</time> }
}

/// How long ago, in the largest unit that fits.
fn ago(milliseconds: i64) -> String {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let (count, unit) = match milliseconds {
        i64::MIN..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => (milliseconds / MINUTE, "minute"),
        HOUR..DAY => (milliseconds / HOUR, "hour"),
        _ => (milliseconds / DAY, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// A duration, such as "42 s" or "3 min 5 s".
pub fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.0 - from.0).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// As [`duration`], more precise below ten seconds, such as "85 ms", "4.2 s" or "42 s".
pub fn short_duration(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = (to.0 - from.0).max(0);
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..10_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => duration(from, to),
    }
}

/// The server's clock, continued in the browser, so that all durations use the same clock.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    now: RwSignal<Timestamp>,
    /// The difference between the server's and the browser's time, in milliseconds.
    ahead: StoredValue<i64>,
}

impl ServerClock {
    /// `at`: the server's time in its last answer. Ticks every second until the current owner is
    /// cleaned up.
    pub fn new(at: Timestamp) -> Self {
        let clock = Self {
            now: RwSignal::new(at),
            ahead: StoredValue::new(0),
        };
        Effect::new(move || {
            clock.set(at);
            let tick = move || {
                clock.to(Timestamp(
                    browser::now() + clock.ahead.try_get_value().unwrap_or_default(),
                ))
            };
            if let Ok(interval) = set_interval_with_handle(tick, Duration::from_secs(1)) {
                on_cleanup(move || interval.clear());
            }
        });
        clock
    }

    /// Sets it to the time of the server's latest answer.
    pub fn set(self, at: Timestamp) {
        self.ahead.try_set_value(at.0 - browser::now());
        self.to(at);
    }

    pub fn now(self) -> Timestamp {
        self.now.get()
    }

    /// Never goes backwards, although answers take varying times.
    fn to(self, at: Timestamp) {
        self.now.try_maybe_update(|now| {
            let later = at > *now;
            *now = at.max(*now);
            (later, ())
        });
    }
}

/// Day and hour in UTC as `YYYY-MM-DD HH:MM UTC`.
fn moment(at: Timestamp) -> String {
    let (hours, minutes) = hour(at);
    format!("{} {hours:02}:{minutes:02} UTC", date(at))
}

/// The format of HTML's `datetime`.
fn iso(at: Timestamp) -> String {
    let (hours, minutes) = hour(at);
    let seconds = at.0.div_euclid(1000).rem_euclid(60);
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}Z", date(at))
}

fn hour(at: Timestamp) -> (i64, i64) {
    let minutes = at.0.rem_euclid(86_400_000) / 60_000;
    (minutes / 60, minutes % 60)
}

/// The day in UTC as people write it, such as "29 November 2026".
pub fn day(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month, day) = civil(at);
    let month = usize::try_from(month - 1).unwrap_or_default() % 12;
    format!("{day} {} {year}", MONTHS[month])
}

/// The day in UTC as `YYYY-MM-DD`.
fn date(at: Timestamp) -> String {
    let (year, month, day) = civil(at);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day in UTC (Howard Hinnant's `civil_from_days`).
fn civil(at: Timestamp) -> (i64, i64, i64) {
    let days = at.0.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_given_in_the_largest_unit() {
        assert_eq!(ago(-5), "just now");
        assert_eq!(ago(61_000), "1 minute ago");
        assert_eq!(ago(7_200_000), "2 hours ago");
        assert_eq!(ago(172_800_000), "2 days ago");
        assert_eq!(duration(Timestamp(0), Timestamp(185_000)), "3 min 5 s");
        assert_eq!(short_duration(Timestamp(0), Timestamp(85)), "85 ms");
        assert_eq!(short_duration(Timestamp(0), Timestamp(4_290)), "4.2 s");
        assert_eq!(short_duration(Timestamp(0), Timestamp(42_900)), "42 s");
    }

    #[test]
    fn a_day_is_the_calendars() {
        assert_eq!(date(Timestamp(0)), "1970-01-01");
        assert_eq!(date(Timestamp(951_782_400_000)), "2000-02-29");
        assert_eq!(date(Timestamp(1_795_219_200_000)), "2026-11-21");
        assert_eq!(day(Timestamp(1_795_219_200_000)), "21 November 2026");
        assert_eq!(day(Timestamp(951_782_400_000)), "29 February 2000");
        let evening = Timestamp(1_795_219_200_000 + 20 * 3_600_000 + 5 * 60_000 + 7_000);
        assert_eq!(moment(evening), "2026-11-21 20:05 UTC");
        assert_eq!(iso(evening), "2026-11-21T20:05:07Z");
    }
}
