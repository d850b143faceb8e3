//! Sandboxes that wait to be handed out, their page compiled: frozen where control groups can be
//! used, so that they cost no processor, and without a record, so that a host that dies leaves none
//! behind.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{NewSandbox, Sandbox, Sandboxes};
use crate::sandbox_host::{
    containers::USUAL_SHARES,
    live::Live,
    network::Network,
    record::Record,
    template::{self, Template},
};

/// The share of a processor of a sandbox that is being made for the pool: what is left by those in
/// use.
const SHARES: u64 = 2;
/// After a sandbox could not be made, and between two looks for templates that were built
/// meanwhile.
const PAUSE: Duration = Duration::from_secs(30);

/// The sandboxes that wait.
#[derive(Default)]
pub(super) struct Pool {
    warm: Mutex<Vec<Warm>>,
    taken: Notify,
}

struct Warm {
    sandbox: Arc<Sandbox>,
    live: Arc<Live>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait that were made from this build.
    fn count(&self, name: &str, version: &str) -> usize {
        self.lock()
            .iter()
            .filter(|warm| warm.is_of(name, version))
            .count()
    }
}

impl Warm {
    fn is_of(&self, name: &str, version: &str) -> bool {
        let record = self.sandbox.record();
        record.template == name && record.version == version && !self.live.ended.is_cancelled()
    }
}

impl Sandboxes {
    /// A sandbox that waited, which is the caller's from here on; `None` when none fits.
    pub(super) async fn take_warm(
        &self,
        template: &Template,
        new: &NewSandbox,
    ) -> Option<(Arc<Sandbox>, Arc<Live>)> {
        // Variables are given to a container as it starts.
        if !new.envs.is_empty() {
            return None;
        }
        loop {
            let warm = {
                let mut warm = self.pool.lock();
                let index = warm
                    .iter()
                    .position(|warm| warm.is_of(&new.template, &template.version))?;
                warm.swap_remove(index)
            };
            self.pool.taken.notify_one();
            let cgroup = self.cgroup_of(&warm.sandbox);
            let awake = cgroup.map_or(Ok(()), |cgroup| {
                cgroup.set_shares(USUAL_SHARES).and_then(|()| cgroup.thaw())
            });
            match awake {
                Ok(()) => return Some((warm.sandbox, warm.live)),
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
            let missing = self.drop_old_and_find_missing().await;
            let made = match missing {
                Some((name, template)) if !self.shutdown.is_cancelled() => {
                    match self.room_for_waiting().await {
                        Some(_place) => self.warm_up(&name, template).await,
                        None => false,
                    }
                }
                _ => false,
            };
            if made {
                continue;
            }
            tokio::select! {
                () = self.pool.taken.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Ends waiting sandboxes of builds that are not the newest, and finds a template that has too
    /// few.
    async fn drop_old_and_find_missing(&self) -> Option<(String, Template)> {
        let templates = template::all(&self.settings().data_dir);
        let old: Vec<Warm> = {
            let mut warm = self.pool.lock();
            let is_old = |warm: &mut Warm| {
                !templates
                    .iter()
                    .any(|(name, template)| warm.is_of(name, &template.version))
            };
            warm.extract_if(.., is_old).collect()
        };
        for warm in old {
            self.discard(&warm.sandbox).await;
        }
        let size = self.settings().pool_size;
        templates.into_iter().find(|(name, template)| {
            template.manifest.server.is_some() && self.pool.count(name, &template.version) < size
        })
    }

    /// Makes one, asks for its page, and freezes it; false when that failed.
    async fn warm_up(&self, name: &str, template: Template) -> bool {
        let Some(server) = template.manifest.server.clone() else {
            return false;
        };
        let record = Record::new(NewSandbox::waiting(name), template.version.clone());
        let sandbox = Arc::new(self.sandbox(record));
        let making = async {
            self.make_disk(&sandbox).await?;
            let live = self.boot(&sandbox, template, SHARES).await?;
            tokio::select! {
                shown = template::first_page(&live, server.port) => shown?,
                () = self.shutdown.cancelled() => anyhow::bail!("the sandbox host is stopping"),
            }
            if let Some(cgroup) = self.cgroup_of(&sandbox) {
                cgroup.freeze().await?;
            }
            anyhow::Ok(live)
        };
        match making.await {
            Ok(live) => {
                tracing::info!(
                    sandbox.id = sandbox.id,
                    template = name,
                    "a sandbox waits ready"
                );
                self.pool.lock().push(Warm { sandbox, live });
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

    /// Ends one that waits, for the memory that it holds; false when none does.
    pub(super) async fn give_up_waiting(&self) -> bool {
        let Some(warm) = self.pool.lock().pop() else {
            return false;
        };
        tracing::info!(
            sandbox.id = warm.sandbox.id,
            "a waiting sandbox makes room for one in use"
        );
        self.discard(&warm.sandbox).await;
        true
    }

    /// The containers that wait.
    pub(super) fn waiting(&self) -> Vec<(Arc<Sandbox>, Arc<Live>)> {
        let warm = self.pool.lock();
        warm.iter()
            .map(|warm| (warm.sandbox.clone(), warm.live.clone()))
            .collect()
    }

    /// Ends all that wait.
    pub(super) async fn empty_pool(&self) {
        let warm = std::mem::take(&mut *self.pool.lock());
        for warm in warm {
            self.discard(&warm.sandbox).await;
        }
    }
}

impl NewSandbox {
    /// Nobody's yet.
    fn waiting(template: &str) -> Self {
        Self {
            template: template.to_owned(),
            timeout: 0,
            metadata: Default::default(),
            envs: Default::default(),
            secure: false,
            auto_pause: false,
            auto_resume: false,
            network: Network::default(),
        }
    }
}
