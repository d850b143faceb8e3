//! The order in which the kernel kills when the machine runs out of memory
//! (proc_pid_oom_score_adj(5)): first a sandbox's commands and app, then its envd, and the host
//! last.

use std::{fs, io::ErrorKind, time::Duration};

/// A sandbox's envd relative to the host.
pub(super) const SANDBOX: i32 = 200;
/// Its commands relative to envd.
const COMMAND: i32 = 300;
const MAX: i32 = 1000;
/// How many times setting a process's score is attempted, and the pause in between.
const ATTEMPTS: usize = 200;
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// A score this far above this process's own; without privileges, scores can only be raised.
pub(super) fn above_own(by: i32) -> i32 {
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    above(&own, by)
}

fn above(own: &str, by: i32) -> i32 {
    (own.trim().parse::<i32>().unwrap_or_default() + by).min(MAX)
}

/// Makes the kernel kill this process before the envd that started it. Until it has executed its
/// program, a moment after its start, only root may set its score: until then its memory is envd's,
/// which others can't access.
pub(super) fn kill_first(pid: Option<u32>) {
    let Some(pid) = pid else {
        return;
    };
    let score = above_own(COMMAND).to_string();
    tokio::spawn(async move {
        for _ in 0..ATTEMPTS {
            let set = fs::write(format!("/proc/{pid}/oom_score_adj"), &score);
            if !set.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
                return;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_above_the_own_one_and_never_above_the_most_there_is() {
        for (own, score) in [("0\n", 200), ("-900\n", -700), ("900", 1000), ("", 200)] {
            assert_eq!(above(own, SANDBOX), score, "{own:?}");
        }
    }
}
