//! Room on the machine that is reserved for sandboxes while they start.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Starts look for room one after the other, so that no two take the same.
    pub turn: tokio::sync::Mutex<()>,
    starting: Arc<AtomicU64>,
}

/// Room for one sandbox, reserved until this is dropped.
#[derive(Debug)]
pub(super) struct Reservation(Arc<AtomicU64>);

impl Reservations {
    pub(super) fn reserve(&self) -> Reservation {
        self.starting.fetch_add(1, Ordering::Relaxed);
        Reservation(self.starting.clone())
    }

    /// How many sandboxes are starting.
    pub(super) fn count(&self) -> u64 {
        self.starting.load(Ordering::Relaxed)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
