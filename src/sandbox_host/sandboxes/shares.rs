//! Shares of contended processors: a sandbox that has computed for a while gets less than one that
//! only answers now and then, so that nobody's page waits for another one's loop. While processors
//! are idle, shares change nothing.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Sandboxes, sandbox::State};
use crate::{cgroup::Cgroup, sandbox_host::containers::USUAL_SHARES};

/// The interval between two readings of the sandboxes' usage.
const INTERVAL: Duration = Duration::from_secs(1);
/// The half-life of past usage.
const HALF_LIFE: Duration = Duration::from_secs(3);
/// Up to this fraction of its processors, a sandbox keeps the normal share.
const LIGHT: f64 = 0.25;
/// At full load the share is divided by this.
const MAX_DIVISOR: u64 = 16;

/// A sandbox's recent usage.
struct Recent {
    /// The last reading of its processor time, in nanoseconds.
    cpu: u64,
    at: Instant,
    /// Its average load over the last seconds, as a fraction of its processors.
    load: f64,
    /// The share set last; 0 before the first.
    shares: u64,
}

impl Recent {
    fn new(cpu: u64) -> Self {
        Self {
            cpu,
            at: Instant::now(),
            load: 0.0,
            shares: 0,
        }
    }

    /// Updates its load with the time used since the last reading; returns its share if that
    /// changes.
    fn count(&mut self, cpu: u64, processors: f64) -> Option<u64> {
        let elapsed = self.at.elapsed();
        #[expect(clippy::cast_precision_loss, reason = "a part of some seconds")]
        let used =
            cpu.saturating_sub(self.cpu) as f64 / (elapsed.as_nanos().max(1) as f64 * processors);
        (self.cpu, self.at) = (cpu, Instant::now());
        let weight = 0.5_f64.powf(elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.load = self.load * weight + used * (1.0 - weight);
        let shares = shares(self.load);
        (std::mem::replace(&mut self.shares, shares) != shares).then_some(shares)
    }
}

/// The share for this load, in steps, so that it is rarely written.
fn shares(load: f64) -> u64 {
    let mut less = 1;
    // Twice the load means a quarter of the share.
    while less < MAX_DIVISOR && load > LIGHT * f64::sqrt(less as f64) {
        less *= 2;
    }
    USUAL_SHARES / less
}

impl Sandboxes {
    /// Sets each running sandbox's share of the processors, until the host stops.
    pub(super) async fn keep_shares(self: Arc<Self>) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let processors = self.settings().cpus.min(machine as f64);
        let mut recent: HashMap<String, Recent> = HashMap::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            let running = self.running_groups();
            recent.retain(|id, _| running.iter().any(|(running, _)| running == id));
            for (id, cgroup) in running {
                let Some((cgroup, cpu)) = cgroup.and_then(|group| {
                    let cpu = group.processor_time()?;
                    Some((group, cpu))
                }) else {
                    continue;
                };
                let recent = recent.entry(id).or_insert_with(|| Recent::new(cpu));
                if let Some(shares) = recent.count(cpu, processors)
                    && let Err(error) = cgroup.set_shares(shares)
                {
                    tracing::debug!(%error, "a sandbox's share can't be set");
                }
            }
        }
    }

    /// The running sandboxes with their groups. One whose state is being changed may be running;
    /// its usage is kept and read the next time.
    fn running_groups(&self) -> Vec<(String, Option<Cgroup>)> {
        let sandboxes = self.all();
        let groups = sandboxes.iter().filter_map(|sandbox| {
            let group = match sandbox.state.try_lock().as_deref() {
                Ok(State::Running(_)) => self.cgroup_of(sandbox),
                Ok(_) => return None,
                Err(_) => None,
            };
            Some((sandbox.id.clone(), group))
        });
        groups.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_a_sandbox_computes_the_smaller_is_its_share() {
        assert_eq!(shares(0.0), USUAL_SHARES);
        assert_eq!(shares(LIGHT), USUAL_SHARES);
        assert_eq!(shares(2.0 * LIGHT), USUAL_SHARES / 4);
        assert_eq!(shares(1.0), USUAL_SHARES / MAX_DIVISOR);
        assert_eq!(shares(8.0), USUAL_SHARES / MAX_DIVISOR);
    }

    #[test]
    fn a_sandbox_at_full_load_loses_its_share_within_seconds_and_gets_it_back() {
        let mut recent = Recent::new(0);
        let mut count = |cpu: u64| {
            recent.at = Instant::now().checked_sub(INTERVAL).unwrap_or(recent.at);
            recent.cpu = 0;
            recent.count(cpu, 2.0)
        };
        let all = 2 * u64::try_from(INTERVAL.as_nanos()).unwrap_or(0);
        let lost: Vec<u64> = (0..12).filter_map(|_| count(all)).collect();
        assert_eq!(lost.last(), Some(&(USUAL_SHARES / MAX_DIVISOR)), "{lost:?}");
        let regained: Vec<u64> = (0..12).filter_map(|_| count(0)).collect();
        assert_eq!(regained.last(), Some(&USUAL_SHARES), "{regained:?}");
    }
}
