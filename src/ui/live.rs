//! Keeps a page up to date by polling, for pages that follow no project's feed.

use std::time::Duration;

use leptos::{ev, prelude::*};

const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// Dispatches `refresh` every two seconds, and when the user returns to the page, as long as the
/// current owner lives and `needed` is true; never while the page is hidden or the last refresh is
/// pending. Does nothing on the server.
pub fn refresh_while<T: Send + Sync + 'static>(
    needed: impl Fn() -> bool + Copy + 'static,
    refresh: Action<(), T>,
) {
    Effect::new(move || {
        let again = move || {
            if needed() && !document().hidden() && !refresh.pending().get_untracked() {
                refresh.dispatch(());
            }
        };
        let interval = set_interval_with_handle(again, REFRESH_INTERVAL);
        let visible = window_event_listener(ev::visibilitychange, move |_| again());
        on_cleanup(move || {
            if let Ok(interval) = interval {
                interval.clear();
            }
            visible.remove();
        });
    });
}
