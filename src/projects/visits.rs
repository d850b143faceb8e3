//! What visitors of shared apps may cost: requests per address, started sandboxes per address, and
//! how long a share's sandbox is awake for them each day. Counted in memory.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{ProjectError, views::UNUSED};
use crate::{
    accounts::{Rate, Throttle},
    protocol::ProjectId,
};

/// Requests for a shared app from one address. An open page sends one per second while the app
/// starts, and people share addresses.
const ASK: Rate = Rate {
    burst: 120,
    pause: Duration::from_millis(500),
};
/// Sandboxes started from one address.
const START: Rate = Rate {
    burst: 6,
    pause: Duration::from_secs(30),
};
/// How long a share's sandbox may be awake for its visitors in each period.
const AWAKE: Duration = Duration::from_secs(4 * 3600);
const PERIOD: Duration = Duration::from_secs(24 * 3600);

const TOO_MANY_REQUESTS: &str =
    "There were too many requests from your network. Try again in a moment.";
const TIRED: &str =
    "This app was open for long enough today. It wakes again tomorrow, or when its owner opens it.";

/// Counts what visitors cost.
#[derive(Debug, Default)]
pub struct Visits {
    throttle: Throttle,
    awake: Mutex<HashMap<ProjectId, Awake>>,
}

/// How long a share was awake.
#[derive(Debug, Clone, Copy)]
struct Awake {
    since: Instant,
    used: Duration,
    last: Instant,
}

impl Visits {
    /// Counts a request for a shared app.
    pub fn ask(&self, address: IpAddr) -> Result<(), ProjectError> {
        self.count(format!("ask {address}"), ASK)
    }

    /// Counts the start of a sandbox.
    pub fn start(&self, address: IpAddr) -> Result<(), ProjectError> {
        self.count(format!("start {address}"), START)
    }

    fn count(&self, key: String, rate: Rate) -> Result<(), ProjectError> {
        let refused = |wait| ProjectError::TooMany {
            why: TOO_MANY_REQUESTS,
            wait,
        };
        self.throttle.attempt(key, rate).map_err(refused)
    }

    /// Counts the time that the project's share was awake for visitors: the time between the last
    /// look and this one, as far as its sandbox stayed awake.
    pub fn look(&self, project: ProjectId) -> Result<(), ProjectError> {
        let refused = |wait| ProjectError::TooMany { why: TIRED, wait };
        self.look_at(project, Instant::now()).map_err(refused)
    }

    fn look_at(&self, project: ProjectId, now: Instant) -> Result<(), Duration> {
        let mut awake = self.awake.lock();
        awake.retain(|_, share| now.duration_since(share.since) < PERIOD);
        let share = awake.entry(project).or_insert(Awake {
            since: now,
            used: Duration::ZERO,
            last: now,
        });
        if share.used >= AWAKE {
            return Err(PERIOD.saturating_sub(now.duration_since(share.since)));
        }
        share.used += now.duration_since(share.last).min(UNUSED);
        share.last = now;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn visitors_keep_a_share_awake_for_some_hours_a_day_and_others_are_not_concerned() {
        let (visits, start) = (Visits::default(), Instant::now());
        let (project, other) = (ProjectId::new(), ProjectId::new());
        let at = |project, seconds| visits.look_at(project, start + Duration::from_secs(seconds));
        let looks = (0..)
            .step_by(30)
            .take_while(|seconds| at(project, *seconds).is_ok());
        let last = looks.last().unwrap();
        assert_eq!(last, AWAKE.as_secs());
        let wait = at(project, last + 30).unwrap_err();
        assert_eq!(wait, PERIOD - Duration::from_secs(last + 30));
        assert!(at(other, last + 30).is_ok());
        // Infrequent looks cost what they keep awake, and no more.
        let rare = |look: u64| at(other, last + 30 + look * 3600);
        assert!((1..20).all(|look| rare(look).is_ok()));
        assert!(at(project, PERIOD.as_secs()).is_ok());
    }

    #[test]
    fn one_address_starts_only_so_many_sandboxes() {
        let visits = Visits::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let started = (0..10).filter(|_| visits.start(one).is_ok()).count();
        assert_eq!(started, 6);
        assert!(matches!(
            visits.start(one),
            Err(ProjectError::TooMany { .. })
        ));
        assert!(visits.start(other).is_ok());
    }
}
