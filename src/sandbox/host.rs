//! What is known of one of several sandbox hosts: whether it answers, what it has room for, and when
//! it counts as lost. `probe` asks it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::sync::watch;

use super::SandboxError;

/// How many times in a row a host must fail to answer until it counts as lost: one failure may be
/// this server's own, which stood still for a while.
const MIN_FAILURES: u32 = 3;
/// The memory that a sandbox with a working app uses, in bytes.
const EXPECTED: u64 = 768 << 20;
/// A host with a waiting sandbox is chosen before one that has this much more free memory.
const WARM_WORTH: u64 = 2 * EXPECTED;

/// A host's answer to `GET /host/capacity`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capacity {
    /// Memory for further sandboxes, in bytes.
    free_memory: u64,
    running: u64,
    asleep: u64,
    /// How many sandboxes wait ready, by template; one without a build is absent.
    templates: HashMap<String, u64>,
    draining: bool,
    /// The domain of its previews.
    domain: String,
    /// Why nothing can run there, if so.
    #[serde(default)]
    fault: Option<String>,
}

/// What is known of a host.
#[derive(Debug, Clone)]
pub(super) enum State {
    Answers(Capacity),
    /// It answers, and can't be used; the text says why.
    Useless(String),
    Silent {
        since: Instant,
        failures: u32,
    },
    Lost,
}

/// A host, as metrics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// Its address.
    pub name: String,
    pub answers: bool,
    pub draining: bool,
    /// In bytes.
    pub free_memory: u64,
    pub running: u64,
    pub asleep: u64,
}

#[derive(Debug)]
pub(super) struct Host {
    name: String,
    lost_after: Duration,
    state: watch::Sender<State>,
    /// How many sandboxes are being created on it.
    placing: AtomicU64,
}

impl Host {
    pub(super) fn new(name: String, lost_after: Duration) -> Self {
        let state = State::Silent {
            since: Instant::now(),
            failures: 0,
        };
        Self {
            name,
            lost_after,
            state: watch::Sender::new(state),
            placing: AtomicU64::new(0),
        }
    }

    /// Its address, by which sandboxes are stored.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns when it counts as lost.
    pub(super) async fn lost(&self) {
        let mut state = self.state.subscribe();
        // The sender is ours, so the channel is open.
        let _ = state.wait_for(|state| matches!(state, State::Lost)).await;
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.state.borrow(), State::Lost)
    }

    pub(super) fn answers(&self) -> bool {
        matches!(*self.state.borrow(), State::Answers(_) | State::Useless(_))
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(&*self.state.borrow(), State::Answers(capacity) if capacity.draining)
    }

    /// Waits until it answers again; `false` if it is lost.
    pub(super) async fn answers_again(&self) -> bool {
        let mut state = self.state.subscribe();
        let decided = state.wait_for(|state| !matches!(state, State::Silent { .. }));
        decided
            .await
            .is_ok_and(|state| !matches!(*state, State::Lost))
    }

    /// Its rank for a new sandbox of the template, the highest first; the error says why it takes
    /// none.
    pub(super) fn rank(&self, template: &str, domain: &str) -> Result<impl Ord + use<>, String> {
        let name = &self.name;
        let capacity = match &*self.state.borrow() {
            State::Answers(capacity) => capacity.clone(),
            State::Useless(why) => return Err(format!("{name} {why}")),
            State::Silent { .. } | State::Lost => return Err(format!("{name} does not answer")),
        };
        if let Some(fault) = capacity.fault {
            return Err(format!("{name} can't run sandboxes: {fault}"));
        }
        if capacity.draining {
            return Err(format!("{name} is being drained"));
        }
        if !same_name(&capacity.domain, domain) {
            return Err(format!(
                "{name} has SANDBOX_DOMAIN={}, and this server {domain}: set the same on both",
                capacity.domain
            ));
        }
        let Some(warm) = capacity.templates.get(template) else {
            return Err(format!(
                "{name} has no template '{template}' (build it there: codeflow template build \
                 {template})"
            ));
        };
        let placing = self.placing.load(Ordering::Relaxed);
        let free = capacity.free_memory.saturating_sub(placing * EXPECTED);
        let worth = if *warm > placing { WARM_WORTH } else { 0 };
        let load = capacity.running + placing;
        Ok((free + worth, std::cmp::Reverse(load)))
    }

    /// Counts a sandbox that is being created on it, until the guard is dropped.
    pub(super) fn place(&self) -> Placing<'_> {
        self.placing.fetch_add(1, Ordering::Relaxed);
        Placing(self)
    }

    pub(super) fn status(&self) -> HostStatus {
        let state = self.state.borrow();
        let capacity = match &*state {
            State::Answers(capacity) => Some(capacity),
            _ => None,
        };
        let figure = |of: fn(&Capacity) -> u64| capacity.map_or(0, of);
        HostStatus {
            name: self.name.clone(),
            answers: matches!(&*state, State::Answers(_) | State::Useless(_)),
            draining: capacity.is_some_and(|capacity| capacity.draining),
            free_memory: figure(|capacity| capacity.free_memory),
            running: figure(|capacity| capacity.running),
            asleep: figure(|capacity| capacity.asleep),
        }
    }

    /// Notes an answer.
    pub(super) fn answered(&self, state: State) {
        let before = self.state.send_replace(state);
        if matches!(before, State::Silent { failures, .. } if failures > 0)
            || matches!(before, State::Lost)
        {
            tracing::info!(host = self.name, "the sandbox host answers again");
        }
        let state = self.state.borrow();
        if let State::Useless(why) = &*state
            && !matches!(&before, State::Useless(earlier) if earlier == why)
        {
            tracing::error!(host = self.name, "the sandbox host {why}");
        }
    }

    /// Notes that a request begun then was not answered.
    pub(super) fn failed(&self, begun: Instant, error: &SandboxError) {
        self.state.send_modify(|state| {
            let (since, failures) = match state {
                State::Lost => return,
                State::Silent { since, failures } if *failures > 0 => (*since, *failures + 1),
                _ => {
                    tracing::warn!(host = self.name, %error, "the sandbox host does not answer");
                    (begun, 1)
                }
            };
            *state = State::Silent { since, failures };
            if failures >= MIN_FAILURES && since.elapsed() >= self.lost_after {
                tracing::error!(
                    host = self.name,
                    seconds = since.elapsed().as_secs(),
                    "the sandbox host counts as lost; its sandboxes are made again on others when \
                     they are needed"
                );
                *state = State::Lost;
            }
        });
    }
}

/// Counts a sandbox as being created until it is dropped.
pub(super) struct Placing<'a>(&'a Host);

impl Drop for Placing<'_> {
    fn drop(&mut self) {
        self.0.placing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether two domains are the same but for their ports, which previews ignore.
fn same_name(one: &str, other: &str) -> bool {
    let name = |domain: &str| {
        let name = domain.split(':').next().unwrap_or_default();
        name.to_ascii_lowercase()
    };
    name(one) == name(other)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn host(free_memory: u64, warm: u64) -> Host {
        let host = Host::new("http://a:1".to_owned(), Duration::ZERO);
        host.answered(State::Answers(Capacity {
            free_memory,
            running: 0,
            asleep: 0,
            templates: HashMap::from([("nextjs".to_owned(), warm)]),
            draining: false,
            domain: "localhost:3002".to_owned(),
            fault: None,
        }));
        host
    }

    #[test]
    fn memory_decides_unless_a_warm_sandbox_is_worth_more() {
        let rank = |host: &Host| host.rank("nextjs", "localhost:3000").unwrap();
        let (small, large, warm) = (host(4 * GB, 0), host(5 * GB, 0), host(4 * GB, 1));
        assert!(rank(&large) > rank(&small));
        assert!(rank(&warm) > rank(&large));
        assert!(rank(&host(8 * GB, 0)) > rank(&warm));
        // What is being created counts, and takes the waiting sandbox.
        let placing = warm.place();
        assert!(rank(&warm) < rank(&small));
        drop(placing);
        assert!(rank(&warm) > rank(&large));
    }

    #[test]
    fn a_host_that_takes_no_sandbox_says_why() {
        let host = host(GB, 0);
        let why = |template, domain| host.rank(template, domain).err().unwrap();
        assert!(why("vite", "localhost").contains("codeflow template build vite"));
        assert!(why("nextjs", "preview.dev").contains("SANDBOX_DOMAIN=localhost:3002"));
        host.failed(Instant::now(), &SandboxError::NotFound);
        assert_eq!(why("nextjs", "localhost"), "http://a:1 does not answer");
    }

    #[test]
    fn a_host_is_lost_after_several_failures_and_back_with_one_answer() {
        let host = host(GB, 0);
        let fail = || host.failed(Instant::now(), &SandboxError::NotFound);
        for _ in 1..MIN_FAILURES {
            fail();
            assert!(!host.answers() && !host.is_lost());
        }
        fail();
        assert!(host.is_lost());
        fail();
        assert!(host.is_lost());
        host.answered(State::Useless("refuses the key".to_owned()));
        assert!(host.answers() && !host.is_draining());
    }
}
