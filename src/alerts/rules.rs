//! The rules: what is wrong, judged by the figures at the beginning and at the end of a quarter of
//! an hour.

use std::collections::BTreeMap;

use super::figures::Figures;
use crate::{config::AlertThresholds, protocol::Timestamp};

/// With fewer runs or requests, a share means nothing.
const LEAST_RUNS: f64 = 5.0;
const LEAST_REQUESTS: f64 = 100.0;
/// The durations beyond which requests are counted, in seconds: bounds of the histogram.
const SLOW: [f64; 4] = [1.0, 2.5, 5.0, 10.0];
/// The share of requests that may be slow.
const SLOW_SHARE: f64 = 0.05;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Database,
    Disk,
    Errors,
    FailedRuns,
    Queue,
    Refusals,
    SignIns,
    Slow,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Disk => "disk",
            Self::Errors => "errors",
            Self::FailedRuns => "failed_runs",
            Self::Queue => "queue",
            Self::Refusals => "refusals",
            Self::SignIns => "sign_ins",
            Self::Slow => "slow",
        }
    }

    /// The problem's subject, as part of a sentence.
    pub fn subject(self) -> &'static str {
        match self {
            Self::Database => "the database did not answer",
            Self::Disk => "the disk was nearly full",
            Self::Errors => "many requests failed",
            Self::FailedRuns => "many runs failed",
            Self::Queue => "runs waited long for their turn",
            Self::Refusals => "sandboxes asked for many servers that they may not reach",
            Self::SignIns => "many sign-ins were refused",
            Self::Slow => "many requests were slow",
        }
    }
}

/// An alert that began to fire or was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub kind: Kind,
    /// Whether it began to fire; otherwise it was resolved.
    pub firing: bool,
    /// A few sentences: the figure, and what to do.
    pub message: String,
    pub at: Timestamp,
}

/// The figures used by the rules; counters count from the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub at: Timestamp,
    pub ended_runs: f64,
    pub failed_runs: f64,
    pub queue_age: f64,
    pub disk_free: f64,
    pub disk_size: f64,
    pub refusals: f64,
    pub sign_ins: f64,
    pub requests: f64,
    pub failed_requests: f64,
    /// Requests that took longer than each of [`SLOW`].
    pub slow_requests: [f64; SLOW.len()],
    pub database_up: f64,
}

impl Sample {
    pub fn of(figures: &Figures, at: Timestamp) -> Self {
        let requests = figures.sum("codeflow_http_request_seconds_count", &[]);
        let slower = |seconds: f64| {
            let bound = format!("le=\"{seconds}\"");
            requests - figures.sum("codeflow_http_request_seconds_bucket", &[&bound])
        };
        Self {
            at,
            ended_runs: figures.sum("codeflow_runs_finished_total", &[]),
            failed_runs: figures.sum("codeflow_runs_finished_total", &["outcome=\"failed\""]),
            queue_age: figures.sum("codeflow_run_queue_age_seconds", &[]),
            disk_free: figures.sum("codeflow_disk_free_bytes", &[]),
            disk_size: figures.sum("codeflow_disk_size_bytes", &[]),
            refusals: figures.sum("codeflow_egress_refusals_total", &[]),
            sign_ins: figures.sum("codeflow_refused_sign_ins_total", &[]),
            requests,
            failed_requests: figures.sum("codeflow_http_requests_total", &["status=\"5"]),
            slow_requests: SLOW.map(slower),
            database_up: figures.sum("codeflow_database_up", &[]),
        }
    }

    /// How many requests since `first` took longer than the next larger of [`SLOW`], or its last.
    fn slower_than(&self, first: &Self, seconds: f64) -> f64 {
        let bound = SLOW.iter().position(|bound| *bound >= seconds);
        let bound = bound.unwrap_or(SLOW.len() - 1);
        self.slow_requests[bound] - first.slow_requests[bound]
    }
}

/// A sentence for each thing that is wrong.
pub fn problems(
    first: &Sample,
    last: &Sample,
    thresholds: &AlertThresholds,
) -> BTreeMap<Kind, String> {
    let mut found = BTreeMap::new();
    let percent = |part: f64, whole: f64| part * 100.0 / whole;
    // 0 turns a rule off.
    let reaches = |value: f64, threshold: u32| threshold > 0 && value >= f64::from(threshold);

    if last.database_up == 0.0 {
        let message = "The database does not answer: nothing can be read or saved until it does.";
        found.insert(Kind::Database, message.to_owned());
    }
    let free = percent(last.disk_free, last.disk_size);
    if last.disk_size > 0.0 && thresholds.disk > 0 && free < f64::from(thresholds.disk) {
        found.insert(
            Kind::Disk,
            format!(
                "The data folder's disk has {free:.0} % left. Free some space: without any, nothing \
                 is saved."
            ),
        );
    }
    let (requests, failed) = (
        last.requests - first.requests,
        last.failed_requests - first.failed_requests,
    );
    if requests >= LEAST_REQUESTS && reaches(percent(failed, requests), thresholds.errors) {
        found.insert(
            Kind::Errors,
            format!(
                "The server failed {failed} of the last {requests} requests. Its log says why."
            ),
        );
    }
    let slow = last.slower_than(first, f64::from(thresholds.slow));
    if thresholds.slow > 0 && requests >= LEAST_REQUESTS && slow >= requests * SLOW_SHARE {
        found.insert(
            Kind::Slow,
            format!(
                "{slow} of the last {requests} requests took longer than {} seconds. The machine \
                 may have too much to do.",
                thresholds.slow
            ),
        );
    }
    let (ended, failed) = (
        last.ended_runs - first.ended_runs,
        last.failed_runs - first.failed_runs,
    );
    if ended >= LEAST_RUNS && reaches(percent(failed, ended), thresholds.failed_runs) {
        found.insert(
            Kind::FailedRuns,
            format!(
                "{failed} of the last {ended} runs failed. /admin/runs shows why, and /admin/models \
                 whether a model fails."
            ),
        );
    }
    if reaches(last.queue_age, thresholds.queue) {
        found.insert(
            Kind::Queue,
            format!(
                "A run has waited for {:.0} seconds for its turn. More may run at a time with a \
                 higher RUNS_MAX_CONCURRENT, if the machine has room for them.",
                last.queue_age
            ),
        );
    }
    let refusals = last.refusals - first.refusals;
    if reaches(refusals, thresholds.refusals) {
        found.insert(
            Kind::Refusals,
            format!(
                "Sandboxes were refused {refusals} connections to servers outside of \
                 SANDBOX_EGRESS_ALLOW. The log names the servers."
            ),
        );
    }
    let sign_ins = last.sign_ins - first.sign_ins;
    if reaches(sign_ins, thresholds.sign_ins) {
        found.insert(
            Kind::SignIns,
            format!(
                "{sign_ins} sign-ins were refused: somebody may be guessing passwords. Each account \
                 and address is slowed down by itself."
            ),
        );
    }
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn calm() -> Sample {
        Sample {
            disk_free: 50.0,
            disk_size: 100.0,
            database_up: 1.0,
            ..Sample::default()
        }
    }

    /// For each rule, the smallest value that fires it and the largest that doesn't.
    #[test]
    fn each_rule_has_its_threshold_and_can_be_turned_off() {
        type Change = fn(&mut Sample);
        let rules: [(Kind, Change, Change, &str); 8] = [
            (
                Kind::Database,
                |now| now.database_up = 0.0,
                |_| (),
                "does not answer",
            ),
            (
                Kind::Disk,
                |now| now.disk_free = 9.0,
                |now| now.disk_free = 10.0,
                "9 % left",
            ),
            (
                Kind::Errors,
                |now| (now.requests, now.failed_requests) = (100.0, 5.0),
                |now| (now.requests, now.failed_requests) = (99.0, 99.0),
                "5 of the last 100 requests",
            ),
            (
                Kind::Slow,
                |now| (now.requests, now.slow_requests[2]) = (100.0, 5.0),
                |now| (now.requests, now.slow_requests[1]) = (100.0, 50.0),
                "longer than 5 seconds",
            ),
            (
                Kind::FailedRuns,
                |now| (now.ended_runs, now.failed_runs) = (6.0, 3.0),
                |now| (now.ended_runs, now.failed_runs) = (4.0, 4.0),
                "3 of the last 6 runs",
            ),
            (
                Kind::Queue,
                |now| now.queue_age = 300.0,
                |now| now.queue_age = 299.0,
                "300 seconds",
            ),
            (
                Kind::Refusals,
                |now| now.refusals = 1000.0,
                |now| now.refusals = 999.0,
                "1000",
            ),
            (
                Kind::SignIns,
                |now| now.sign_ins = 100.0,
                |now| now.sign_ins = 99.0,
                "100 sign-ins",
            ),
        ];
        let off = AlertThresholds {
            failed_runs: 0,
            queue: 0,
            disk: 0,
            refusals: 0,
            sign_ins: 0,
            errors: 0,
            slow: 0,
        };
        let usual = AlertThresholds::default();
        for (kind, wrong, right, said) in rules {
            let (mut bad, mut good) = (calm(), calm());
            wrong(&mut bad);
            right(&mut good);
            let found = problems(&calm(), &bad, &usual);
            assert_eq!(found.keys().collect::<Vec<_>>(), [&kind]);
            assert!(found[&kind].contains(said), "{}", found[&kind]);
            assert!(problems(&calm(), &good, &usual).is_empty(), "{kind:?}");
            let fires = problems(&calm(), &bad, &off).contains_key(&kind);
            assert_eq!(fires, kind == Kind::Database, "{kind:?}");
            // A state that existed before is not new.
            if !matches!(kind, Kind::Database | Kind::Disk | Kind::Queue) {
                assert!(problems(&bad, &bad, &usual).is_empty(), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_sample_is_read_from_the_text_that_prometheus_reads() {
        let text = "# HELP codeflow_runs_finished_total Runs\n\
            codeflow_runs_finished_total{outcome=\"failed\"} 2\n\
            codeflow_runs_finished_total{outcome=\"succeeded\"} 3\n\
            codeflow_http_request_seconds_bucket{route=\"/\",le=\"5\"} 7\n\
            codeflow_http_request_seconds_bucket{route=\"/a\",le=\"5\"} 1\n\
            codeflow_http_request_seconds_count{route=\"/\"} 8\n\
            codeflow_http_request_seconds_count{route=\"/a\"} 2\n\
            codeflow_http_requests_total{route=\"/\",status=\"503\"} 4\n\
            codeflow_database_up 1\n\
            nonsense\n";
        let sample = Sample::of(&Figures::read(text), Timestamp(0));
        assert_eq!((sample.ended_runs, sample.failed_runs), (5.0, 2.0));
        let slow = SLOW.iter().position(|bound| *bound == 5.0);
        assert_eq!(sample.slow_requests[slow.unwrap()], 2.0);
        assert_eq!((sample.failed_requests, sample.database_up), (4.0, 1.0));
    }
}
