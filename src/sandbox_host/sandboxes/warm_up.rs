//! Keeps the pool full: creates sandboxes, lets their page compile, freezes them, and hands them
//! out.

use std::{sync::Arc, time::Duration};

use super::{Origin, Sandbox, Sandboxes, pool::Warm};
use crate::sandbox_host::{
    containers::USUAL_SHARES,
    first_page,
    record::{NewSandbox, Record},
    running_container::RunningContainer,
    template::{self, Template},
};

/// The processor share of a sandbox that is being made for the pool: it gets what the others leave.
const SHARES: u64 = 2;
/// The wait after a failed creation, and the interval of checks for newly built templates.
const PAUSE: Duration = Duration::from_secs(30);

impl Sandboxes {
    /// A waiting sandbox, handed over to the caller; `None` if none fits.
    pub(super) async fn take_warm(
        &self,
        template: &Template,
        new: &NewSandbox,
    ) -> Option<(Arc<Sandbox>, Arc<RunningContainer>)> {
        // A container gets its variables at its start.
        if !new.envs.is_empty() {
            return None;
        }
        loop {
            let warm = self.pool.take(&new.template, &template.version)?;
            self.pool.handed_out.notify_one();
            let cgroup = self.cgroup_of(&warm.sandbox);
            let awake = cgroup.map_or(Ok(()), |cgroup| {
                cgroup.set_shares(USUAL_SHARES).and_then(|()| cgroup.thaw())
            });
            match awake {
                Ok(()) => return Some((warm.sandbox, warm.container)),
                Err(error) => {
                    tracing::warn!(sandbox.id = warm.sandbox.id, %error, "a waiting sandbox can't be woken; another one is made in its place");
                    self.discard(&warm.sandbox).await;
                }
            }
        }
    }

    /// Keeps the pool full until the host stops.
    pub(super) async fn keep_pool(self: Arc<Self>) {
        loop {
            let missing = self.drop_outdated_and_find_missing().await;
            let made = match missing {
                Some((name, template)) if !self.shutdown.is_cancelled() => {
                    match self.room_for_waiting().await {
                        Some(_room) => self.warm_up(&name, template).await,
                        None => false,
                    }
                }
                _ => false,
            };
            if made {
                continue;
            }
            tokio::select! {
                () = self.pool.handed_out.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Ends waiting sandboxes of outdated builds, and finds a template with too few.
    async fn drop_outdated_and_find_missing(&self) -> Option<(String, Template)> {
        let templates = template::all(&self.settings().data_dir);
        for warm in self.pool.take_outdated(&templates) {
            self.discard(&warm.sandbox).await;
        }
        let size = self.settings().pool_size;
        templates.into_iter().find(|(name, template)| {
            template.manifest.server.is_some() && self.pool.count(name, &template.version) < size
        })
    }

    /// Creates one, requests its page, and freezes it; `false` if that failed.
    async fn warm_up(&self, name: &str, template: Template) -> bool {
        let Some(server) = template.manifest.server.clone() else {
            return false;
        };
        let record = Record::new(NewSandbox::waiting(name), template.version.clone());
        let sandbox = Arc::new(self.sandbox(record));
        let making = async {
            self.make_disk(&sandbox, Origin::Template).await?;
            let container = self.boot(&sandbox, template, SHARES).await?;
            tokio::select! {
                shown = first_page::wait_for(&container, server.port) => shown?,
                () = self.shutdown.cancelled() => anyhow::bail!("the sandbox host is stopping"),
            }
            if let Some(cgroup) = self.cgroup_of(&sandbox) {
                cgroup.freeze().await?;
            }
            anyhow::Ok(container)
        };
        match making.await {
            Ok(container) => {
                tracing::info!(
                    sandbox.id = sandbox.id,
                    template = name,
                    "a sandbox waits ready"
                );
                self.pool.add(Warm { sandbox, container });
                true
            }
            Err(error) => {
                tracing::warn!(
                    template = name,
                    error = format!("{error:#}"),
                    "no sandbox could be made for the pool"
                );
                self.discard(&sandbox).await;
                false
            }
        }
    }

    /// Ends a sandbox that was never handed out.
    pub(super) async fn discard(&self, sandbox: &Sandbox) {
        self.containers.end(&sandbox.id, &sandbox.folder).await;
        sandbox.remove_files().await;
    }

    /// Ends a waiting sandbox to free its memory; `false` if there is none.
    pub(super) async fn give_up_waiting(&self) -> bool {
        let Some(warm) = self.pool.take_any() else {
            return false;
        };
        tracing::info!(
            sandbox.id = warm.sandbox.id,
            "a waiting sandbox makes room for one in use"
        );
        self.discard(&warm.sandbox).await;
        true
    }

    /// Ends all waiting sandboxes.
    pub(super) async fn empty_pool(&self) {
        for warm in self.pool.take_all() {
            self.discard(&warm.sandbox).await;
        }
    }
}
