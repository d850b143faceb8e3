//! Reservations of the machine's resources for starting sandboxes.

use std::sync::Arc;

use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(super) struct Reservations {
    /// Serialises starts, so that no two take the same room.
    pub turn: tokio::sync::Mutex<()>,
    /// The expected memory of each starting sandbox, in bytes.
    starting: Arc<Mutex<Vec<u64>>>,
}

/// Reserved room for one sandbox, until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: u64,
    starting: Arc<Mutex<Vec<u64>>>,
}

/// The total of all reservations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reserved {
    /// How many sandboxes are starting.
    pub count: u64,
    /// In bytes.
    pub memory: u64,
}

impl Reservations {
    /// Reserves this many bytes of memory.
    pub(super) fn reserve(&self, memory: u64) -> Reservation {
        self.starting.lock().push(memory);
        Reservation {
            memory,
            starting: self.starting.clone(),
        }
    }

    /// The total, counting each sandbox with at most `most` bytes.
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
