//! Keeps what a page shows up to date by asking again: for pages that follow no project's feed.

use std::time::Duration;

use leptos::{ev, prelude::*};

const EVERY: Duration = Duration::from_secs(2);

/// Dispatches `refresh` every two seconds, and when the reader comes back, for as long as the
/// current owner lives and `wanted` says so; never while the page is hidden or the last one is
/// still under way. Does nothing on the server.
pub fn refresh_while<T: Send + Sync + 'static>(
    wanted: impl Fn() -> bool + Copy + 'static,
    refresh: Action<(), T>,
) {
    Effect::new(move || {
        let again = move || {
            if wanted() && !document().hidden() && !refresh.pending().get_untracked() {
                refresh.dispatch(());
            }
        };
        let interval = set_interval_with_handle(again, EVERY);
        let visible = window_event_listener(ev::visibilitychange, move |_| again());
        on_cleanup(move || {
            if let Ok(interval) = interval {
                interval.clear();
            }
            visible.remove();
        });
    });
}
