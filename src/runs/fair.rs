//! Turns: so many runs are worked on at a time. A free place goes to the user who has the fewest
//! runs at work, and among those to the run that has waited longest, so that nobody's many runs
//! keep another one's only run waiting.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::protocol::UserId;

/// The places, as a cheap handle.
#[derive(Clone)]
pub struct Places {
    queue: Arc<Mutex<Queue>>,
}

struct Queue {
    free: usize,
    /// Runs at work by user; none has an entry of 0.
    at_work: HashMap<UserId, usize>,
    /// Those that wait, longest first.
    waiting: VecDeque<(UserId, oneshot::Sender<Place>)>,
}

/// A place at work; dropped, it goes to the next.
pub struct Place {
    places: Places,
    user: UserId,
}

impl Places {
    pub fn new(count: usize) -> Self {
        Self {
            queue: Arc::new(Mutex::new(Queue {
                free: count,
                at_work: HashMap::new(),
                waiting: VecDeque::new(),
            })),
        }
    }

    /// Waits for a place for one of the user's runs. Dropping the future gives up the wait.
    pub async fn take(&self, user: UserId) -> Place {
        loop {
            let (give, given) = oneshot::channel();
            self.lock().waiting.push_back((user.clone(), give));
            self.hand_out();
            // Its sender goes only with a place.
            if let Ok(place) = given.await {
                return place;
            }
        }
    }

    fn hand_out(&self) {
        loop {
            let mut queue = self.lock();
            // Those that gave up leave.
            queue.waiting.retain(|(_, give)| !give.is_closed());
            if queue.free == 0 {
                return;
            }
            let at_work = |user: &UserId| queue.at_work.get(user).copied().unwrap_or(0);
            let turn = queue
                .waiting
                .iter()
                .enumerate()
                .min_by_key(|(at, (user, _))| (at_work(user), *at));
            let Some((user, give)) = turn
                .map(|(at, _)| at)
                .and_then(|at| queue.waiting.remove(at))
            else {
                return;
            };
            queue.free -= 1;
            *queue.at_work.entry(user.clone()).or_default() += 1;
            drop(queue);
            // One that gave up this moment drops the place, which hands it on.
            let places = self.clone();
            let _ = give.send(Place { places, user });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.places.lock();
        queue.free += 1;
        if let Some(at_work) = queue.at_work.get_mut(&self.user) {
            *at_work -= 1;
            if *at_work == 0 {
                queue.at_work.remove(&self.user);
            }
        }
        drop(queue);
        self.places.hand_out();
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
        let places = Places::new(2);
        let (first, second) = (
            places.take(user("busy")).await,
            places.take(user("busy")).await,
        );
        let mut third = Box::pin(places.take(user("busy")));
        let mut other = Box::pin(places.take(user("other")));
        assert!((&mut third).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let other = other.await;
        drop(second);
        let third = third.await;
        // In order of arrival among users that have as many.
        let mut one = Box::pin(places.take(user("one")));
        let mut two = Box::pin(places.take(user("two")));
        assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
        drop(other);
        let _one = one.await;
        drop(third);
        two.await;
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_costs_no_place() {
        let places = Places::new(1);
        let place = places.take(user("a")).await;
        let mut given_up = Box::pin(places.take(user("b")));
        assert!((&mut given_up).now_or_never().is_none());
        let mut next = Box::pin(places.take(user("c")));
        assert!((&mut next).now_or_never().is_none());
        drop(place);
        // The place is on its way to the first.
        drop(given_up);
        next.await;
        assert!(places.lock().at_work.is_empty() && places.lock().waiting.is_empty());
        assert_eq!(places.lock().free, 1);
    }
}
