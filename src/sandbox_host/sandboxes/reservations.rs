//! Room on the machine that is reserved for sandboxes while they start.

use std::sync::Arc;

use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Starts look for room one after the other, so that no two take the same.
    pub turn: tokio::sync::Mutex<()>,
    /// The memory that each sandbox that is starting is expected to use, in bytes.
    starting: Arc<Mutex<Vec<u64>>>,
}

/// Room for one sandbox, reserved until this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: u64,
    starting: Arc<Mutex<Vec<u64>>>,
}

/// What is reserved in all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reserved {
    /// How many sandboxes are starting.
    pub count: u64,
    /// In bytes.
    pub memory: u64,
}

impl Reservations {
    /// Reserves so many bytes of memory.
    pub(super) fn reserve(&self, memory: u64) -> Reservation {
        self.starting.lock().push(memory);
        Reservation {
            memory,
            starting: self.starting.clone(),
        }
    }

    /// All that is reserved, each sandbox counted with `most` bytes at most.
    pub(super) fn total(&self, most: u64) -> Reserved {
        let starting = self.starting.lock();
        Reserved {
            count: starting.len() as u64,
            memory: starting.iter().map(|memory| memory.min(&most)).sum(),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut starting = self.starting.lock();
        if let Some(at) = starting.iter().position(|memory| *memory == self.memory) {
            starting.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_ends_when_it_is_dropped_and_no_other_with_it() {
        let reservations = Reservations::default();
        let small = reservations.reserve(10);
        let large = reservations.reserve(500);
        let _other = reservations.reserve(10);
        assert_eq!(
            reservations.total(100),
            Reserved {
                count: 3,
                memory: 120
            }
        );
        drop(small);
        drop(large);
        assert_eq!(
            reservations.total(100),
            Reserved {
                count: 1,
                memory: 10
            }
        );
    }
}
