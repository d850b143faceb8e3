//! Rate limits: a burst of attempts, then one more after each pause. Counted in memory, by what is
//! attempted and by whom.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The maximum number of counters. Above it, counters that limit nobody are dropped.
const MAX_COUNTS: usize = 50_000;

/// A rate limit.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// The number of attempts at once.
    pub burst: u32,
    /// The pause after which another attempt is allowed.
    pub pause: Duration,
}

/// Counts attempts by their keys.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When each key has all its attempts again.
    full_at: Mutex<HashMap<String, Instant>>,
}

impl Throttle {
    /// Counts an attempt; refused with the time to wait if there were too many.
    pub fn attempt(&self, key: String, rate: Rate) -> Result<(), Duration> {
        self.attempt_at(key, rate, Instant::now())
    }

    fn attempt_at(&self, key: String, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock();
        if full_at.len() >= MAX_COUNTS && !full_at.contains_key(&key) {
            full_at.retain(|_, full| *full > now);
            // A flood from everywhere: nobody is admitted until it subsides.
            if full_at.len() >= MAX_COUNTS {
                return Err(rate.pause);
            }
        }
        let full = full_at.get(&key).copied().unwrap_or(now).max(now);
        let after = full + rate.pause;
        let allowed_at = after.checked_sub(rate.pause * rate.burst).unwrap_or(now);
        if allowed_at > now {
            return Err(allowed_at - now);
        }
        full_at.insert(key, after);
        Ok(())
    }

    /// Forgets the attempts, because one has succeeded.
    pub fn forget(&self, key: &str) {
        self.full_at.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_one_after_each_pause_and_others_are_not_concerned() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let rate = Rate {
            burst: 3,
            pause: Duration::from_secs(10),
        };
        let at = |key: &str, seconds| {
            throttle.attempt_at(key.to_owned(), rate, now + Duration::from_secs(seconds))
        };
        for _ in 0..3 {
            assert!(at("a", 0).is_ok());
        }
        assert_eq!(at("a", 0), Err(Duration::from_secs(10)));
        assert_eq!(at("a", 4), Err(Duration::from_secs(6)));
        assert!(at("b", 4).is_ok());
        assert!(at("a", 10).is_ok());
        assert!(at("a", 10).is_err());
        assert!(at("a", 40).is_ok());
        throttle.forget("a");
        for _ in 0..3 {
            assert!(at("a", 40).is_ok());
        }
    }
}
