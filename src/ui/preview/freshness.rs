//! Whether the page in the frame shows the app's latest files.

use std::time::Duration;

/// How long hot reload may take to show a run's changes after its end.
pub const HOT_RELOAD: Duration = Duration::from_secs(3);

/// What is known about the frame's freshness; times are milliseconds since the epoch, 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Freshness {
    pub files_changed: i64,
    pub page_changed: i64,
    pub disconnected: bool,
}

impl Freshness {
    pub fn is_stale(self) -> bool {
        self.files_changed > self.page_changed || (self.disconnected && self.files_changed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_stale_when_files_changed_after_it_or_hot_reload_is_gone() {
        let fresh = Freshness {
            files_changed: 10,
            page_changed: 20,
            disconnected: false,
        };
        assert!(!fresh.is_stale());
        assert!(
            Freshness {
                files_changed: 30,
                ..fresh
            }
            .is_stale()
        );
        assert!(
            Freshness {
                disconnected: true,
                ..fresh
            }
            .is_stale()
        );
        assert!(!Freshness::default().is_stale());
    }
}
