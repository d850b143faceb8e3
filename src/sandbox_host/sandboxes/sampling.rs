//! Samples the sandboxes' usage from their control groups every few seconds.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Sandbox, Sandboxes};
use crate::sandbox_host::metrics::{Sample, SandboxLimits};

const INTERVAL: Duration = Duration::from_secs(5);
/// A sandbox's files are counted only with every sixth sample.
const SAMPLES_PER_COUNT: u32 = 6;

impl Sandboxes {
    /// Samples all running sandboxes until the host stops.
    pub(super) async fn keep_sampling(self: Arc<Self>) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for round in 0_u32.. {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            let host = self.clone();
            let sampled = tokio::task::spawn_blocking(move || {
                for sandbox in host.all() {
                    host.sample(&sandbox, round.is_multiple_of(SAMPLES_PER_COUNT));
                }
            });
            if let Err(error) = sampled.await {
                tracing::warn!(%error, "the sandboxes' use can't be read");
            }
        }
    }

    fn sample(&self, sandbox: &Sandbox, count_files: bool) {
        let Some(usage) = self.cgroup_of(sandbox).and_then(|cgroup| cgroup.usage()) else {
            return;
        };
        let (settings, layer) = (self.settings(), sandbox.layer());
        let limits = SandboxLimits {
            cpu_count: settings.cpu_count(),
            memory: settings.memory_mb << 20,
            disk: layer.size(),
        };
        sandbox
            .metrics()
            .sample(usage, limits, count_files.then(|| layer.used()));
    }

    /// The sandbox's latest sample in the format of envd's own `/metrics`; empty if there is none.
    pub(in crate::sandbox_host) async fn moment(self: &Arc<Self>, sandbox: &Arc<Sandbox>) -> Value {
        if sandbox.metrics().last().is_none() {
            let (host, sandbox) = (self.clone(), sandbox.clone());
            let _ = tokio::task::spawn_blocking(move || host.sample(&sandbox, true)).await;
        }
        let last = sandbox.metrics().last();
        last.as_ref().map_or_else(|| json!({}), Sample::to_envd)
    }
}
