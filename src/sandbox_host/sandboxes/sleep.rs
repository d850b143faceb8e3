//! Pausing, resuming and ending sandboxes: on request, at the next request to one, and when their
//! time is over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    Sandbox, Sandboxes,
    sandbox::{Awake, State},
};
use crate::sandbox_host::{
    capacity,
    clock::{in_seconds, now},
    containers::USUAL_SHARES,
    template::Template,
};

/// The interval between two checks for sandboxes whose time is over.
const TICK: Duration = Duration::from_millis(500);
/// How long a sandbox stays awake at least if a request woke it, in seconds (E2B's minimum).
const MIN_RESUME: u64 = 300;
/// Frozen sandboxes may hold this fraction (one in `FROZEN_PART`) of the machine's memory.
const FROZEN_PART: u64 = 4;

impl Sandboxes {
    /// The sandbox's container, resumed if it was paused; `None` if there is nothing left to
    /// resume.
    pub(in crate::sandbox_host) async fn wake(
        &self,
        sandbox: &Sandbox,
    ) -> anyhow::Result<Option<Awake>> {
        self.awake(sandbox, true).await
    }

    /// The sandbox's container for a request: resumed, if the sandbox was created to wake on
    /// requests.
    pub(in crate::sandbox_host) async fn reach(
        &self,
        sandbox: &Sandbox,
    ) -> anyhow::Result<Option<Awake>> {
        let auto_resume = sandbox.record().auto_resume;
        self.awake(sandbox, auto_resume).await
    }

    /// The sandbox's container, if it is running.
    pub(in crate::sandbox_host) async fn if_running(
        &self,
        sandbox: &Sandbox,
    ) -> anyhow::Result<Option<Awake>> {
        self.awake(sandbox, false).await
    }

    #[tracing::instrument(name = "reach_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    async fn awake(&self, sandbox: &Sandbox, may_wake: bool) -> anyhow::Result<Option<Awake>> {
        let mut state = sandbox.state.lock().await;
        let begun = now();
        let asleep = match &*state {
            State::Running(container) if !container.ended.is_cancelled() => {
                return Ok(Some(Awake::new(container, false)));
            }
            State::Killed => return Ok(None),
            _ if !may_wake => return Ok(None),
            State::Frozen(container, _) if !container.ended.is_cancelled() => {
                Some(container.clone())
            }
            State::Running(_) | State::Frozen(..) => {
                self.note_unexpected_end(sandbox);
                self.containers.end(&sandbox.id, &sandbox.folder).await;
                sandbox.set_state(&mut state, State::Paused);
                None
            }
            State::Paused => None,
        };
        let from = if asleep.is_some() { "memory" } else { "files" };
        let container = match asleep {
            Some(container) => {
                self.thaw(sandbox)?;
                container
            }
            None => {
                let record = sandbox.record();
                let Some(template) = Template::find_version(
                    &self.settings().data_dir,
                    &record.template,
                    &record.version,
                ) else {
                    tracing::warn!(
                        "the template that the sandbox was made from is gone, and the sandbox with \
                         it"
                    );
                    return Ok(None);
                };
                let _room = self.make_room(&template).await?;
                self.boot(sandbox, template, USUAL_SHARES).await?
            }
        };
        let awake = Awake::new(&container, true);
        sandbox.touch();
        sandbox
            .update(|record| {
                record.started_at = now();
                record.end_at = in_seconds(record.timeout.max(MIN_RESUME));
            })
            .await;
        sandbox.set_state(&mut state, State::Running(container));
        metrics::counter!("codeflow_sandbox_wakes_total", "from" => from).increment(1);
        tracing::info!(ms = now().saturating_sub(begun), "sandbox resumed");
        sandbox.log.info("resumed");
        Ok(Some(awake))
    }

    fn thaw(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        match self.cgroup_of(sandbox) {
            Some(cgroup) => cgroup.thaw().context("the sandbox can't be thawed"),
            None => Ok(()),
        }
    }

    /// Pauses the sandbox: frozen with its memory, or with only its files if `memory` is not wanted
    /// or can't be kept. `false` if it was paused already.
    pub(in crate::sandbox_host) async fn pause(&self, sandbox: &Sandbox, memory: bool) -> bool {
        self.pause_if(sandbox, memory, || true).await
    }

    /// Like [`Self::pause`], if it is still wanted once it can be done.
    async fn pause_if(
        &self,
        sandbox: &Sandbox,
        memory: bool,
        wanted: impl FnOnce() -> bool,
    ) -> bool {
        let _task = self.tasks.token();
        let mut state = sandbox.state.lock().await;
        if !wanted() {
            return false;
        }
        self.put_to_sleep(sandbox, &mut state, memory).await
    }

    /// Like [`Self::pause`]; `state` is the sandbox's locked state.
    #[tracing::instrument(name = "pause_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    pub(super) async fn put_to_sleep(
        &self,
        sandbox: &Sandbox,
        state: &mut State,
        memory: bool,
    ) -> bool {
        let State::Running(container) = &*state else {
            return false;
        };
        let container = container.clone();
        // No new requests are admitted until the state is unlocked.
        sandbox.hang_up(&container);
        let frozen = memory && !self.settings().frozen.is_zero() && self.freeze(sandbox).await;
        let asleep = if frozen {
            State::Frozen(container, Instant::now())
        } else {
            self.containers
                .stop(&sandbox.id, &sandbox.folder, &container)
                .await;
            State::Paused
        };
        sandbox.set_state(state, asleep);
        tracing::info!(frozen, "sandbox paused");
        sandbox.log.info("paused");
        true
    }

    async fn freeze(&self, sandbox: &Sandbox) -> bool {
        let Some(cgroup) = self.cgroup_of(sandbox) else {
            return false;
        };
        let frozen = cgroup.freeze().await;
        if let Err(error) = &frozen {
            tracing::warn!(%error, "the sandbox can't be frozen; its memory is given up");
        }
        frozen.is_ok()
    }

    /// Drops the memory of a frozen sandbox; its files stay.
    pub(in crate::sandbox_host) async fn drop_memory(&self, sandbox: &Sandbox) {
        let _task = self.tasks.token();
        let mut state = sandbox.state.lock().await;
        self.drop_memory_of(sandbox, &mut state).await;
    }

    /// Like [`Self::drop_memory`]; `state` is the sandbox's locked state.
    #[tracing::instrument(name = "drop_memory_of_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    pub(super) async fn drop_memory_of(&self, sandbox: &Sandbox, state: &mut State) {
        let State::Frozen(container, _) = &*state else {
            return;
        };
        if let Err(error) = self.thaw(sandbox) {
            tracing::warn!(
                error = format!("{error:#}"),
                "the sandbox ends without notice"
            );
        }
        self.containers
            .stop(&sandbox.id, &sandbox.folder, container)
            .await;
        sandbox.set_state(state, State::Paused);
        tracing::info!("the paused sandbox's memory is given up");
    }

    /// Ends the sandbox and removes its files.
    pub(in crate::sandbox_host) async fn kill(&self, sandbox: &Sandbox) {
        self.kill_if(sandbox, || true).await;
    }

    /// Like [`Self::kill`], if it is still wanted once it can be done.
    #[tracing::instrument(name = "kill_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    async fn kill_if(&self, sandbox: &Sandbox, wanted: impl FnOnce() -> bool) {
        let _task = self.tasks.token();
        let mut state = sandbox.state.lock().await;
        // Another request may have killed it while this one waited.
        if matches!(*state, State::Killed) || !wanted() {
            return;
        }
        self.sandboxes.lock().remove(&sandbox.id);
        if let State::Running(container) | State::Frozen(container, _) = &*state {
            sandbox.hang_up(container);
            self.containers.end(&sandbox.id, &sandbox.folder).await;
        }
        sandbox.set_state(&mut state, State::Killed);
        sandbox.remove_files().await;
        tracing::info!("sandbox killed");
    }

    /// Ends sandboxes whose time is over, until the host stops.
    pub(super) async fn end_in_time(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            for sandbox in self.all() {
                // A sandbox that is being started or stopped is checked again at the next tick.
                let running = matches!(sandbox.state.try_lock().as_deref(), Ok(State::Running(_)));
                if running && self.is_over(&sandbox) {
                    let host = self.clone();
                    tokio::spawn(async move { host.end(&sandbox).await });
                }
            }
            for sandbox in self.frozen_too_long() {
                let host = self.clone();
                tokio::spawn(async move { host.drop_memory(&sandbox).await });
            }
        }
    }

    /// Whether a sandbox's time is over, or it may sleep and nobody uses it.
    fn is_over(&self, sandbox: &Sandbox) -> bool {
        let record = sandbox.record();
        record.end_at <= now() || (record.auto_pause && sandbox.idle_for() >= self.settings().idle)
    }

    /// Pauses or kills a sandbox whose time is over, unless it was extended meanwhile.
    async fn end(&self, sandbox: &Sandbox) {
        let record = sandbox.record();
        if record.auto_pause {
            let over = || self.is_over(sandbox);
            self.pause_if(sandbox, record.auto_pause_memory, over).await;
        } else {
            self.kill_if(sandbox, || self.is_over(sandbox)).await;
        }
    }

    /// The sandboxes that were frozen for long, and the oldest of the others while they exceed
    /// their memory limit.
    fn frozen_too_long(&self) -> Vec<Arc<Sandbox>> {
        let mut frozen: Vec<(Instant, Arc<Sandbox>)> = Vec::new();
        for sandbox in self.all() {
            if let Ok(State::Frozen(_, since)) = sandbox.state.try_lock().as_deref() {
                frozen.push((*since, sandbox.clone()));
            }
        }
        frozen.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        let (mut held, limit) = (0, capacity::memory_of_machine() / FROZEN_PART);
        let too_long = |(since, sandbox): &(Instant, Arc<Sandbox>)| {
            held += self
                .cgroup_of(sandbox)
                .and_then(|cgroup| cgroup.usage())
                .map_or(0, |usage| usage.memory);
            since.elapsed() >= self.settings().frozen || held > limit
        };
        frozen
            .into_iter()
            .filter(too_long)
            .map(|(_, sandbox)| sandbox)
            .collect()
    }

    /// Pauses the running sandboxes, several at a time, and leaves nothing behind.
    pub(in crate::sandbox_host) async fn shutdown(&self) {
        self.shutdown.cancel();
        self.pause_all().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.empty_pool().await;
        // Includes those that were handed out meanwhile.
        self.pause_all().await;
        self.containers.close().await;
    }

    async fn pause_all(&self) {
        let sandboxes = self.all();
        let pausing = sandboxes.iter().map(async |sandbox| {
            self.pause(sandbox, false).await;
            self.drop_memory(sandbox).await;
        });
        futures::future::join_all(pausing).await;
    }
}
