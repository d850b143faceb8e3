//! How long the parts of a check take: a line each in the log, at the level `debug`, which
//! `script/bench agent` reads.

use std::time::Instant;

/// Does this part of the check.
pub async fn part<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        check.part = name,
        check.took_ms = took,
        "a part of the check is done"
    );
    done
}
