//! Watches the sandboxes in use for an envd that does not answer, and for an app's server that
//! hangs, crashes, runs out of memory or was stopped. It repairs each problem without touching the
//! sandbox's files, and reports it in the sandbox's notice.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    Sandbox, Sandboxes,
    health::{Trouble, is_many},
    sandbox::State,
};
use crate::sandbox_host::{
    clock::now, containers::USUAL_SHARES, first_page, running_container::RunningContainer,
    template::Template,
};

/// The interval between two checks of a sandbox.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// A sandbox without requests for this long is not checked until the next one.
const IN_USE: Duration = Duration::from_secs(120);
/// A request that has waited this long may be waiting for something that never comes.
const WAITING: Duration = Duration::from_millis(1500);
/// An app's server that was silent for this long and used no processor hangs. A working one gets
/// longer, because a first page may compile for a minute on a busy machine. One that computes
/// without even reading its input is most likely in a loop.
const SILENT: Duration = Duration::from_secs(30);
const SILENT_IN_A_LOOP: Duration = Duration::from_secs(60);
const SILENT_AT_WORK: Duration = Duration::from_secs(180);
/// It is working if it uses more than this fraction (one in `WORK_PART`) of a processor.
const WORK_PART: u32 = 50;
/// How long a silent server may take to answer one more request.
const LAST_CHANCE: Duration = Duration::from_secs(10);
/// How many times in a row an envd may fail to answer.
const MAX_FAILURES: u32 = 2;

/// The ids of the sandboxes that are being checked.
type BeingChecked = Mutex<HashSet<String>>;

impl Sandboxes {
    /// Checks each sandbox in use every other second, until the host stops.
    pub(super) async fn keep_watch(self: Arc<Self>) {
        let mut tick = tokio::time::interval(CHECK_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let being_checked = Arc::new(BeingChecked::default());
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            tokio::spawn(self.clone().relieve());
            for sandbox in self.all() {
                let container = match sandbox.state.try_lock().as_deref() {
                    Ok(State::Running(container))
                        if sandbox.idle_for() < IN_USE && !container.ended.is_cancelled() =>
                    {
                        container.clone()
                    }
                    _ => continue,
                };
                if being_checked.lock().insert(sandbox.id.clone()) {
                    let (host, being_checked) = (self.clone(), being_checked.clone());
                    tokio::spawn(async move {
                        host.look_after(&sandbox, &container).await;
                        being_checked.lock().remove(&sandbox.id);
                    });
                }
            }
        }
    }

    #[tracing::instrument(name = "check_sandbox", skip_all, fields(sandbox.id = sandbox.id))]
    async fn look_after(&self, sandbox: &Sandbox, container: &Arc<RunningContainer>) {
        let mut failures = 0;
        let report = loop {
            let waiting = sandbox.health.silent_for() > WAITING;
            match container.dev_server(waiting).await {
                Ok(report) => break report,
                Err(_) if container.ended.is_cancelled() => return,
                // It is being paused or copied.
                Err(_) if sandbox.state.try_lock().is_err() => return,
                Err(error) => {
                    failures += 1;
                    tracing::debug!(
                        failures,
                        error = format!("{error:#}"),
                        "the sandbox's envd does not answer"
                    );
                    if failures == MAX_FAILURES {
                        self.restart(sandbox, container).await;
                        return;
                    }
                }
            }
        };
        let kills = self.cgroup_of(sandbox).map(|cgroup| cgroup.memory_kills());
        if let Some(trouble) = sandbox.health.compare(report, kills) {
            let (message, failing) = self.describe(sandbox, trouble);
            self.say(sandbox, message, failing);
        }
        if sandbox.health.silent_for() > SILENT && self.hangs(sandbox, container).await {
            self.restart_dev_server(sandbox, container).await;
        }
    }

    /// A sentence about the problem, and whether it persists.
    fn describe(&self, sandbox: &Sandbox, trouble: Trouble) -> (String, bool) {
        match trouble {
            Trouble::OutOfMemory => {
                let (count, memory) = (
                    sandbox.health.count_out_of_memory(),
                    in_words(self.settings().memory_mb),
                );
                if is_many(count) {
                    let message = format!(
                        "The app ran out of memory ({memory}) {count} times in 5 minutes, and is started again with pauses. \
                         Ask for it to use less memory, or raise SANDBOX_MEMORY_MB."
                    );
                    return (message, true);
                }
                (
                    format!("The app ran out of memory ({memory}) and was restarted."),
                    false,
                )
            }
            Trouble::PortTaken(command) => (
                format!(
                    "The port of the app's server was taken by another program ({command}). That \
                     was ended, and the server was restarted."
                ),
                false,
            ),
            Trouble::KeepsEnding {
                ends,
                how,
                last_words,
            } => (
                format!(
                    "The app's server ended {ends} times in a row ({how}), and is started again with pauses. It last said:\n{last_words}"
                ),
                true,
            ),
            Trouble::Stopped => (
                "The app's server had been stopped by a signal, and was continued.".to_owned(),
                false,
            ),
            Trouble::Pipes(paths) => (
                format!(
                    "The app's folder holds a named pipe ({}), for which the app's server waited. \
                     Delete it: an app is made of files.",
                    paths.join(", ")
                ),
                false,
            ),
        }
    }

    fn say(&self, sandbox: &Sandbox, message: String, failing: bool) {
        if sandbox.health.say(message.clone(), failing) {
            tracing::warn!(notice = message, "a sandbox was in trouble");
            sandbox.log.warn(message);
        }
    }

    /// Explains why a container ended unexpectedly; it is about to be restarted.
    pub(super) fn note_unexpected_end(&self, sandbox: &Sandbox) {
        let kills = self.cgroup_of(sandbox).map(|cgroup| cgroup.memory_kills());
        let (message, failing) = if kills.is_some_and(|kills| kills > 0) {
            self.describe(sandbox, Trouble::OutOfMemory)
        } else {
            let message = "The sandbox had ended by itself and was started again. Its files are as they were.";
            (message.to_owned(), false)
        };
        self.say(sandbox, message, failing);
    }

    /// Whether a server that was silent for long does not answer one more request either. A working
    /// one is given more time.
    async fn hangs(&self, sandbox: &Sandbox, container: &RunningContainer) -> bool {
        let cpu = || {
            self.cgroup_of(sandbox)
                .and_then(|cgroup| cgroup.usage())
                .map(|usage| usage.cpu)
        };
        let (before, begun) = (cpu(), Instant::now());
        let Some(port) = sandbox.health.port() else {
            return false;
        };
        let reading = tokio::time::timeout(LAST_CHANCE, first_page::reads(container, port));
        let asking = tokio::time::timeout(LAST_CHANCE, first_page::request(container, port));
        let (reads, asked) = tokio::join!(reading, asking);
        match asked {
            Ok(Ok(Some(_))) => {
                sandbox.health.server_answers();
                return false;
            }
            // It is being started.
            Ok(_) => return false,
            Err(_) if container.ended.is_cancelled() => return false,
            Err(_) => {}
        }
        let used = match (before, cpu()) {
            (Some(before), Some(after)) => Some(Duration::from_nanos(after.saturating_sub(before))),
            _ => None,
        };
        sandbox.health.silent_for() > patience(used, begun.elapsed(), reads.is_ok())
    }

    async fn restart_dev_server(&self, sandbox: &Sandbox, container: &Arc<RunningContainer>) {
        let (seconds, count) = (
            sandbox.health.silent_for().as_secs(),
            sandbox.health.count_hung(),
        );
        let message = if is_many(count) {
            format!(
                "The app's server did not answer for {seconds} seconds, {count} times in 5 minutes, although it was restarted each time. \
                 Something in the app waits for ever: ask for that to be fixed."
            )
        } else {
            format!("The app's server did not answer for {seconds} seconds and was restarted.")
        };
        self.say(sandbox, message, is_many(count));
        if let Err(error) = container.restart_dev_server().await {
            tracing::warn!(
                error = format!("{error:#}"),
                "the app's server can't be restarted"
            );
            self.restart(sandbox, container).await;
        }
    }

    /// Restarts the sandbox's container over the same files, unless that was done meanwhile or it
    /// answers after all because it was asleep.
    async fn restart(&self, sandbox: &Sandbox, container: &Arc<RunningContainer>) {
        let _task = self.tasks.token();
        let mut state = sandbox.state.lock().await;
        if !matches!(&*state, State::Running(running) if Arc::ptr_eq(running, container)) {
            return;
        }
        if container.dev_server(false).await.is_ok() {
            return;
        }
        self.say(
            sandbox,
            "The sandbox did not answer and was restarted. Its files are as they were; what \
             commands had left running is not."
                .to_owned(),
            false,
        );
        self.containers.end(&sandbox.id, &sandbox.folder).await;
        sandbox.set_state(&mut state, State::Paused);
        let (record, begun) = (sandbox.record(), now());
        let Some(template) =
            Template::find_version(&self.settings().data_dir, &record.template, &record.version)
        else {
            return;
        };
        match self.boot(sandbox, template, USUAL_SHARES).await {
            Ok(container) => {
                sandbox.set_state(&mut state, State::Running(container));
                tracing::info!(ms = now().saturating_sub(begun), "sandbox restarted");
            }
            // The next request tries again.
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the sandbox can't be restarted"
            ),
        }
    }
}

/// How long a server may be silent that has used `used` processor time within this time (`None`:
/// unknown), and that reads its input or doesn't.
fn patience(used: Option<Duration>, within: Duration, reads: bool) -> Duration {
    match used {
        Some(used) if used * WORK_PART <= within => SILENT,
        Some(_) if !reads => SILENT_IN_A_LOOP,
        Some(_) | None => SILENT_AT_WORK,
    }
}

/// An amount of memory, for people.
fn in_words(megabytes: u64) -> String {
    if megabytes.is_multiple_of(1024) {
        format!("{} GB", megabytes >> 10)
    } else {
        format!("{megabytes} MB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_hangs_sooner_when_it_does_nothing_than_when_it_is_at_work() {
        let within = LAST_CHANCE;
        for idle in [Duration::ZERO, within / WORK_PART] {
            assert_eq!(patience(Some(idle), within, true), SILENT);
            assert_eq!(patience(Some(idle), within, false), SILENT);
        }
        for busy in [within / WORK_PART + Duration::from_nanos(1), within * 2] {
            assert_eq!(patience(Some(busy), within, true), SILENT_AT_WORK);
            assert_eq!(patience(Some(busy), within, false), SILENT_IN_A_LOOP);
        }
        assert_eq!(patience(None, within, false), SILENT_AT_WORK);
    }
}
