//! Admission: a container is started if the machine has room for it. Otherwise, room is made (by
//! ending waiting sandboxes of the pool, dropping the memory of sleeping ones, and pausing idle
//! ones, least recently used first), then waited for, and then the start is refused.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Sandbox, Sandboxes, reservations::Reservation, sandbox::State};
use crate::sandbox_host::{
    capacity::{Capacity, available_memory},
    error::HostError,
    running_container::RunningContainer,
    template::Template,
};

/// The memory that a sandbox uses once its dev server runs, in bytes; measured with Next.js.
const EXPECTED_WITH_SERVER: u64 = 768 << 20;
/// The same for a sandbox without a server.
const EXPECTED_WITHOUT: u64 = 128 << 20;
/// The processes and threads of one sandbox.
const EXPECTED_PROCESSES: u64 = 64;
/// How long after its start a sandbox may use less than it will.
const YOUNG: Duration = Duration::from_secs(30);
/// No sandbox is started if less memory than this would be available to programs, in bytes.
const MIN_AVAILABLE: u64 = 512 << 20;
/// How long a start waits for room, and the interval of its checks.
const MAX_WAIT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// A sandbox without requests for this long may be paused to make room.
const IDLE: Duration = Duration::from_secs(60);
/// The usage, in percent of the limit, above which room is made before the kernel does.
const PRESSED: u64 = 92;

impl Sandboxes {
    /// Makes room for another running sandbox of the template. Fails with [`HostError::Full`] if
    /// there is none after some seconds.
    pub(super) async fn make_room(&self, template: &Template) -> Result<Reservation, HostError> {
        let expected = self.expected_memory(template.manifest.server.is_some());
        let begun = Instant::now();
        let _turn = self.reservations.turn.lock().await;
        while let Some(shortage) = self.shortage(1, expected) {
            if self.give_up_one().await {
                continue;
            }
            if begun.elapsed() >= MAX_WAIT {
                tracing::warn!(shortage, "a sandbox could not be started");
                return Err(HostError::Full(shortage));
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                () = self.shutdown.cancelled() => return Err(anyhow::anyhow!("the sandbox host is stopping").into()),
            }
        }
        Ok(self.reservations.reserve(expected))
    }

    /// Room for another sandbox waiting in the pool; `None` if it would have to make room for the
    /// next sandbox at once.
    pub(super) async fn room_for_waiting(&self) -> Option<Reservation> {
        if self.is_draining() {
            return None;
        }
        let expected = self.expected_memory(true);
        let _turn = self.reservations.turn.lock().await;
        self.shortage(2, expected)
            .is_none()
            .then(|| self.reservations.reserve(expected))
    }

    /// Makes room while the sandboxes use nearly all of their limit.
    pub(super) async fn relieve(self: Arc<Self>) {
        let Some((capacity, all)) = self.containers.capacity() else {
            return;
        };
        let is_pressed = all
            .usage()
            .is_some_and(|usage| usage.memory > capacity.memory / 100 * PRESSED);
        if is_pressed && let Ok(_turn) = self.reservations.turn.try_lock() {
            self.give_up_one().await;
        }
    }

    /// The memory that a sandbox will use at work, in bytes.
    fn expected_memory(&self, has_server: bool) -> u64 {
        if has_server {
            EXPECTED_WITH_SERVER
        } else {
            EXPECTED_WITHOUT
        }
        .min(self.settings().memory_mb << 20)
    }

    /// Why `more` further sandboxes, with this memory each, can't be started, and what to do;
    /// `None` if they can.
    fn shortage(&self, more: u64, expected: u64) -> Option<String> {
        if available_memory().is_some_and(|available| available < MIN_AVAILABLE) {
            return Some(format!(
                "The machine is full: less than {} MB of its memory are free. Try again later, end \
                 programs on it, or give it more memory.",
                MIN_AVAILABLE >> 20
            ));
        }
        let (Capacity { memory, processes }, all) = self.containers.capacity()?;
        let usage = all.usage()?;
        // Even the smallest machine starts two sandboxes.
        let most = memory / 2;
        let used = self.used_memory(usage.memory, most);
        if used + more * expected.min(most) > memory {
            return Some(format!(
                "The machine is full: its sandboxes use {} of the {} MB of memory that they may have together. Try again later, end \
                 sandboxes that nobody needs, or raise SANDBOX_TOTAL_MEMORY_MB.",
                used >> 20,
                memory >> 20
            ));
        }
        let starting = self.reservations.total(most).count;
        let used = all.processes().unwrap_or(0) + starting * EXPECTED_PROCESSES;
        (used + more * EXPECTED_PROCESSES.min(processes / 2) > processes).then(|| {
            format!(
                "The machine is full: its sandboxes have {used} of the {processes} processes that they may have together. Try again \
                 later, end sandboxes that nobody needs, or raise SANDBOX_TOTAL_PIDS."
            )
        })
    }

    /// The memory that the sandboxes use, or will when they are at work, in bytes: beyond their
    /// current usage, each is assumed to use at most `most`.
    fn used_memory(&self, usage: u64, most: u64) -> u64 {
        let at_work = self.containers_at_work();
        let young = at_work
            .iter()
            .map(|(sandbox, container)| self.still_to_come(sandbox, container, most));
        usage + young.sum::<u64>() + self.reservations.total(most).memory
    }

    /// The memory for further sandboxes, in bytes.
    pub(in crate::sandbox_host) fn free_memory(&self) -> u64 {
        let available = available_memory().map_or(u64::MAX, |available| {
            available.saturating_sub(MIN_AVAILABLE)
        });
        let own = self.containers.capacity().and_then(|(capacity, all)| {
            let used = self.used_memory(all.usage()?.memory, capacity.memory / 2);
            Some(capacity.memory.saturating_sub(used))
        });
        available.min(own.unwrap_or(u64::MAX))
    }

    /// All containers that hold memory, except those being started or stopped.
    fn containers_at_work(&self) -> Vec<(Arc<Sandbox>, Arc<RunningContainer>)> {
        let mut found = self.pool.containers();
        for sandbox in self.all() {
            let container = match sandbox.state.try_lock().as_deref() {
                Ok(State::Running(container) | State::Frozen(container, _)) => container.clone(),
                _ => continue,
            };
            found.push((sandbox, container));
        }
        found
    }

    /// How much more memory a recently started sandbox will use, in bytes; it is assumed to use at
    /// most `most`.
    fn still_to_come(&self, sandbox: &Sandbox, container: &RunningContainer, most: u64) -> u64 {
        if container.started.elapsed() > YOUNG {
            return 0;
        }
        let expected = self
            .expected_memory(sandbox.health.port().is_some())
            .min(most);
        let usage = self.cgroup_of(sandbox).and_then(|cgroup| cgroup.usage());
        expected.saturating_sub(usage.map_or(0, |usage| usage.memory))
    }

    /// Ends a container that nobody would miss; `false` if there is none. It waits for no sandbox's
    /// state, because whoever holds it may be waiting for room.
    async fn give_up_one(&self) -> bool {
        if self.give_up_waiting().await {
            return true;
        }
        let mut frozen = Vec::new();
        let mut idle = Vec::new();
        for sandbox in self.all() {
            match sandbox.state.try_lock().as_deref() {
                Ok(State::Frozen(_, since)) => frozen.push((*since, sandbox.clone())),
                Ok(State::Running(_))
                    if sandbox.record().auto_pause && sandbox.idle_for() >= IDLE =>
                {
                    idle.push((std::cmp::Reverse(sandbox.idle_for()), sandbox.clone()));
                }
                _ => {}
            }
        }
        frozen.sort_by_key(|(since, _)| *since);
        idle.sort_by_key(|(idle_for, _)| *idle_for);
        let _task = self.tasks.token();
        for (_, sandbox) in frozen {
            if let Ok(mut state) = sandbox.state.try_lock() {
                self.drop_memory_of(&sandbox, &mut state).await;
                return true;
            }
        }
        for (_, sandbox) in idle {
            if sandbox.idle_for() >= IDLE
                && let Ok(mut state) = sandbox.state.try_lock()
                && self.put_to_sleep(&sandbox, &mut state, false).await
            {
                sandbox.log.info("it made room for another one");
                return true;
            }
        }
        false
    }
}
