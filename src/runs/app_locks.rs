//! The lock of a project's app, which a run or a restore holds while it changes the app. Within
//! this server it is a lock; where several servers share the database it is also a lease, which
//! this server keeps renewing.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::ProjectLocks;
use crate::{
    protocol::ProjectId,
    store::{LEASE_TIME, Lease, Store, StoreError},
};

/// The time between two renewals.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(4);
/// The time since the last renewal after which the work stops, because another server may soon
/// take it.
const RENEWAL_LIMIT: Duration = Duration::from_secs(12);
/// The wait before a lease that another server has is asked for again.
const LEASE_WAIT: Duration = Duration::from_millis(250);
/// The wait before the database is asked again.
pub(super) const DATABASE_WAIT: Duration = Duration::from_secs(1);

const _: () = assert!(RENEWAL_LIMIT.as_secs() < LEASE_TIME.as_secs());

/// The locks of projects' apps, as a cheap handle.
#[derive(Clone)]
pub struct AppLocks {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    local: ProjectLocks,
    /// The leases that this server has.
    held: Mutex<HashMap<ProjectId, Lease>>,
    shutdown: CancellationToken,
}

/// The project's lock, until it is dropped.
pub struct AppLock {
    lease: Option<HeldLease>,
    _local: OwnedMutexGuard<()>,
}

/// A lease that is renewed until it is dropped, and then given back.
struct HeldLease {
    lease: Lease,
    locks: AppLocks,
}

impl AppLocks {
    /// Leases that are held at the shutdown are given back by [`AppLocks::stopped`].
    pub fn new(store: Store, shutdown: CancellationToken) -> Self {
        let inner = Arc::new(Inner {
            store,
            local: ProjectLocks::default(),
            held: Mutex::default(),
            shutdown,
        });
        if inner.store.node().is_some() {
            tokio::spawn(keep_renewed(Arc::downgrade(&inner)));
        }
        Self { inner }
    }

    /// Waits for the project's lock.
    pub async fn lock(&self, project: ProjectId) -> AppLock {
        loop {
            if let Some(lock) = self.lock_unless_elsewhere(project).await {
                return lock;
            }
            tokio::time::sleep(LEASE_WAIT).await;
        }
    }

    /// Waits for the project's lock within this server; `None` if another server has it.
    pub async fn lock_unless_elsewhere(&self, project: ProjectId) -> Option<AppLock> {
        let local = self.inner.local.lock(project).await;
        let lease = match self.inner.store.node() {
            Some(_) => Some(self.lease(project).await?),
            None => None,
        };
        Some(AppLock {
            lease,
            _local: local,
        })
    }

    /// Gives the leases back, after all work has stopped.
    pub async fn stopped(&self) {
        if self.inner.store.node().is_some()
            && let Err(error) = self.inner.store.give_back_all().await
        {
            tracing::warn!(%error, "other servers can continue this one's work a little later");
        }
    }

    /// The project's lease; `None` if another server has it.
    async fn lease(&self, project: ProjectId) -> Option<HeldLease> {
        loop {
            let locks = self.clone();
            // In a task of its own: what is taken for a caller who is gone is given back.
            let taking = async move {
                let taken = locks.inner.store.take_lease(project).await?;
                Ok::<_, StoreError>(taken.map(|lease| {
                    locks.inner.held.lock().insert(project, lease.clone());
                    HeldLease { lease, locks }
                }))
            };
            match tokio::spawn(taking).await {
                Ok(Ok(taken)) => return taken,
                Ok(Err(error)) => {
                    tracing::error!(project.id = %project, %error, "the lease can't be taken; retrying");
                }
                Err(_) => {}
            }
            tokio::time::sleep(DATABASE_WAIT).await;
        }
    }
}

impl AppLock {
    /// The database as the lock's holder uses it: nothing is written once the lock is lost.
    pub fn guard(&self, store: &Store) -> Store {
        match &self.lease {
            Some(held) => store.under(held.lease.clone()),
            None => store.clone(),
        }
    }

    /// Does work that is of no use, and may fail, once another server may have the lock; `None`
    /// then.
    pub async fn unless_lost<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        tokio::select! {
            () = self.lost() => None,
            done = work => (done.is_ok() || !self.is_lost()).then_some(done),
        }
    }

    /// Whether another server may have the lock.
    pub fn is_lost(&self) -> bool {
        let held = self.lease.as_ref();
        held.is_some_and(|held| held.lease.lost.is_cancelled())
    }

    /// Returns when another server may have the lock, because this one could not renew it.
    pub async fn lost(&self) {
        match &self.lease {
            Some(held) => held.lease.lost.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        let inner = self.locks.inner.clone();
        inner.held.lock().remove(&self.lease.project);
        if inner.shutdown.is_cancelled() {
            return;
        }
        let lease = self.lease.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.store.give_back(&lease).await {
                tracing::warn!(project.id = %lease.project, %error, "the lease ends by itself");
            }
        });
    }
}

/// Renews what is held, as long as the locks are there.
async fn keep_renewed(locks: Weak<Inner>) {
    let mut renewed_at = Instant::now();
    loop {
        tokio::time::sleep(RENEWAL_INTERVAL).await;
        let Some(inner) = locks.upgrade() else {
            return;
        };
        let held: Vec<Lease> = inner.held.lock().values().cloned().collect();
        let renewal = inner.store.renew_leases(&held);
        let begun = Instant::now();
        let kept = match tokio::time::timeout(RENEWAL_INTERVAL, renewal).await {
            Ok(Ok(kept)) => {
                renewed_at = begun;
                kept
            }
            failed => {
                let reason = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "the database does not answer".to_owned(),
                };
                tracing::warn!(reason, "leases can't be renewed");
                if renewed_at.elapsed() + RENEWAL_INTERVAL < RENEWAL_LIMIT {
                    continue;
                }
                Vec::new()
            }
        };
        // What was given back meanwhile is not lost.
        let is_held = |lease: &Lease| {
            let held = inner.held.lock();
            held.get(&lease.project)
                .is_some_and(|held| held.epoch == lease.epoch)
        };
        let lost = held.iter().filter(|lease| !kept.contains(&lease.project));
        for lease in lost.filter(|lease| is_held(lease)) {
            tracing::warn!(project.id = %lease.project, "another server may work on the project now");
            lease.lost.cancel();
        }
    }
}
