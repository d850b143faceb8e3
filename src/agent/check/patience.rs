//! How long a page may take to answer. On a busy machine it may be waiting for a processor, which
//! says nothing about the page: it counts as silent only once it has had its turn.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::cgroup::Cgroup;

/// How long a page may take to answer a question, on a machine that is not busy.
pub const ANSWER: Duration = Duration::from_secs(12);
/// It has had its turn once its browser has computed for this fraction of the time, …
const COMPUTED_PART: u32 = 2;
/// … or once the processors were idle for this fraction of theirs: it is waiting for something
/// else.
const IDLE_PART: u32 = 4;
/// However busy the machine is, the wait is extended at most to this multiple.
const MAX_EXTENSION: u32 = 5;

/// The wait for one answer.
pub struct Patience {
    group: Option<Cgroup>,
    /// How long it lasts on a machine that is not busy.
    answer: Duration,
    begun: Instant,
    /// The usage at the beginning.
    computed: Option<Duration>,
    idle: Option<Duration>,
}

impl Patience {
    /// Begins to wait for a browser with this control group.
    pub fn new(group: Option<Cgroup>, answer: Duration) -> Self {
        Self {
            answer,
            begun: Instant::now(),
            computed: processor_time(group.as_ref()),
            group,
            idle: idle(),
        }
    }

    /// When to ask whether it has run out.
    pub fn deadline(&self) -> Instant {
        let waited = self.begun.elapsed();
        self.begun + self.answer.max(waited + self.answer / MAX_EXTENSION)
    }

    pub fn is_at_an_end(&self) -> bool {
        let since = |before: Option<Duration>, now: Option<Duration>| {
            now.zip(before)
                .map(|(now, before)| now.saturating_sub(before))
        };
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        has_had_its_turn(
            self.answer,
            self.begun.elapsed(),
            since(self.computed, processor_time(self.group.as_ref())),
            since(self.idle, idle()),
            u32::try_from(processors).unwrap_or(1),
        )
    }
}

/// `computed`: by the browser; `idle`: by all processors together. Unknown values count as enough.
fn has_had_its_turn(
    answer: Duration,
    waited: Duration,
    computed: Option<Duration>,
    idle: Option<Duration>,
    processors: u32,
) -> bool {
    let is_over = waited >= answer * MAX_EXTENSION;
    let has_computed = computed.is_none_or(|computed| computed >= answer / COMPUTED_PART);
    let is_free = idle.is_none_or(|idle| idle >= waited * processors / IDLE_PART);
    waited >= answer && (is_over || has_computed || is_free)
}

fn processor_time(group: Option<&Cgroup>) -> Option<Duration> {
    group?.processor_time().map(Duration::from_nanos)
}

/// How long the machine's processors have been idle since boot.
fn idle() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    // cpu user nice system idle iowait …, in hundredths of a second (proc_stat(5)).
    let mut fields = stat.lines().next()?.split_whitespace().skip(4);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Option<Duration> {
        Some(Duration::from_secs(count))
    }

    #[test]
    fn a_page_is_waited_for_until_it_has_had_its_turn() {
        let after = |waited, computed, idle| {
            has_had_its_turn(ANSWER, Duration::from_secs(waited), computed, idle, 2)
        };
        assert!(!after(11, seconds(11), seconds(11)), "it is too early");
        assert!(
            after(12, seconds(11), seconds(0)),
            "it computes without an end"
        );
        assert!(
            after(12, seconds(0), seconds(20)),
            "it waits for something that never comes"
        );
        assert!(!after(12, seconds(1), seconds(1)), "the machine is busy");
        assert!(
            !after(59, seconds(5), seconds(2)),
            "the machine is very busy"
        );
        assert!(
            after(40, seconds(6), seconds(2)),
            "it has had its turn at last"
        );
        assert!(after(60, seconds(1), seconds(0)), "that is long enough");
        assert!(after(12, None, seconds(0)), "nobody can tell");
    }

    #[test]
    fn the_machines_idle_time_only_grows() {
        let before = idle();
        assert!(before.is_some());
        assert!(idle() >= before);
    }
}
