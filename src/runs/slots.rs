//! Limits how many runs work at a time, and chooses the next one. A free slot goes to the user with
//! the fewest running runs, and among their peers to the run that has waited longest, so that one
//! user's many runs don't delay another's only run. Each user has a limit of their own.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::protocol::UserId;

/// The slots, as a cheap handle.
#[derive(Clone)]
pub struct RunSlots {
    queue: Arc<Mutex<Queue>>,
}

struct Queue {
    free: usize,
    /// The maximum per user.
    of_one: usize,
    /// Running runs by user; users without any have no entry.
    at_work: HashMap<UserId, usize>,
    /// The waiting runs, longest waiting first.
    waiting: VecDeque<(UserId, oneshot::Sender<SlotPermit>)>,
}

/// A slot that a run holds. When dropped, it passes to the next run.
pub struct SlotPermit {
    slots: RunSlots,
    user: UserId,
}

impl RunSlots {
    /// `count` slots, at most `of_one` of them for one user.
    pub fn new(count: usize, of_one: usize) -> Self {
        Self {
            queue: Arc::new(Mutex::new(Queue {
                free: count,
                of_one,
                at_work: HashMap::new(),
                waiting: VecDeque::new(),
            })),
        }
    }

    /// Waits for a slot for one of the user's runs. Dropping the future gives up the wait.
    pub async fn acquire(&self, user: UserId) -> SlotPermit {
        loop {
            let (give, given) = oneshot::channel();
            self.queue.lock().waiting.push_back((user.clone(), give));
            self.hand_out();
            // Its sender is dropped only with a permit.
            if let Ok(permit) = given.await {
                return permit;
            }
        }
    }

    /// A slot for one of the user's runs, if it can begin at once.
    pub fn try_acquire(&self, user: UserId) -> Option<SlotPermit> {
        let mut queue = self.queue.lock();
        let at_work = queue.at_work.get(&user).copied().unwrap_or(0);
        // With a free slot, those that wait do so for their user's limit.
        if queue.free == 0 || at_work >= queue.of_one {
            return None;
        }
        queue.free -= 1;
        queue.at_work.insert(user.clone(), at_work + 1);
        let slots = self.clone();
        Some(SlotPermit { slots, user })
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.queue.lock().free
    }

    fn hand_out(&self) {
        loop {
            let mut queue = self.queue.lock();
            queue.waiting.retain(|(_, give)| !give.is_closed());
            if queue.free == 0 {
                return;
            }
            let at_work = |user: &UserId| queue.at_work.get(user).copied().unwrap_or(0);
            let next = queue
                .waiting
                .iter()
                .enumerate()
                .filter(|(_, (user, _))| at_work(user) < queue.of_one)
                .min_by_key(|(at, (user, _))| (at_work(user), *at));
            let Some((user, give)) = next
                .map(|(at, _)| at)
                .and_then(|at| queue.waiting.remove(at))
            else {
                return;
            };
            queue.free -= 1;
            *queue.at_work.entry(user.clone()).or_default() += 1;
            drop(queue);
            // If the other side has just given up, the permit is dropped, which hands the slot on.
            let slots = self.clone();
            let _ = give.send(SlotPermit { slots, user });
        }
    }
}

impl Drop for SlotPermit {
    fn drop(&mut self) {
        let mut queue = self.slots.queue.lock();
        queue.free += 1;
        if let Some(at_work) = queue.at_work.get_mut(&self.user) {
            *at_work -= 1;
            if *at_work == 0 {
                queue.at_work.remove(&self.user);
            }
        }
        drop(queue);
        self.slots.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn user(name: &str) -> UserId {
        UserId(name.to_owned())
    }

    #[tokio::test]
    async fn a_user_with_one_run_does_not_wait_behind_all_runs_of_another() {
        let slots = RunSlots::new(2, 2);
        let (first, second) = (
            slots.acquire(user("busy")).await,
            slots.acquire(user("busy")).await,
        );
        let mut third = Box::pin(slots.acquire(user("busy")));
        let mut other = Box::pin(slots.acquire(user("other")));
        assert!((&mut third).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let other = other.await;
        drop(second);
        let third = third.await;
        // In order of arrival among users that have as many.
        let mut one = Box::pin(slots.acquire(user("one")));
        let mut two = Box::pin(slots.acquire(user("two")));
        assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
        drop(other);
        let _one = one.await;
        drop(third);
        two.await;
    }

    #[tokio::test]
    async fn one_user_has_only_so_many_and_leaves_the_others_free() {
        let slots = RunSlots::new(3, 2);
        let first = slots.acquire(user("busy")).await;
        let _second = slots.acquire(user("busy")).await;
        let mut third = Box::pin(slots.acquire(user("busy")));
        assert!((&mut third).now_or_never().is_none());
        let _other = slots.acquire(user("other")).await;
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        third.await;
    }

    #[tokio::test]
    async fn what_does_not_wait_gets_a_slot_only_at_once_and_within_the_limits() {
        let slots = RunSlots::new(2, 1);
        let first = slots.try_acquire(user("busy"));
        assert!(first.is_some() && slots.try_acquire(user("busy")).is_none());
        assert_eq!(slots.free(), 1);
        let _other = slots.try_acquire(user("other"));
        assert!(slots.try_acquire(user("third")).is_none());
        let mut waiting = Box::pin(slots.acquire(user("third")));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        // It has gone to the one that waited.
        assert!(slots.try_acquire(user("busy")).is_none());
        waiting.await;
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_costs_no_slot() {
        let slots = RunSlots::new(1, 1);
        let permit = slots.acquire(user("a")).await;
        let mut given_up = Box::pin(slots.acquire(user("b")));
        assert!((&mut given_up).now_or_never().is_none());
        let mut next = Box::pin(slots.acquire(user("c")));
        assert!((&mut next).now_or_never().is_none());
        drop(permit);
        // The slot is on its way to the first.
        drop(given_up);
        next.await;
        assert!(slots.queue.lock().at_work.is_empty() && slots.queue.lock().waiting.is_empty());
        assert_eq!(slots.queue.lock().free, 1);
    }
}
