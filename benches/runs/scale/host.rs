//! A pretended sandbox host: E2B's protocol and `GET /host/capacity` as our own host has them, with
//! its accounting of memory, its waiting sandbox, its times and its refusals, but no containers. A
//! sandbox is a map of files. Times of waiting are a hundredth of the real ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::protocol;

/// The memory that a sandbox is expected to use while it is young, as the real host assumes, and
/// what it then uses.
const EXPECTED: u64 = 768 << 20;
const USES: std::ops::Range<u64> = (300 << 20)..(1100 << 20);
/// How long it is young; after how long without requests it sleeps, and may be made to.
const YOUNG: Duration = Duration::from_millis(300);
const SLEEPS: Duration = Duration::from_secs(9);
const MAY_SLEEP: Duration = Duration::from_millis(600);
/// How long a start waits for room.
const ROOM_WAIT: Duration = Duration::from_millis(500);
/// How long a start takes from the template, from the pool, and from sleep, in milliseconds.
const START_MS: std::ops::Range<u64> = 150..450;
const POOLED_MS: std::ops::Range<u64> = 10..30;
const WAKE_MS: std::ops::Range<u64> = 30..120;
/// How many of a hundred starts fail.
const FAILURES: u32 = 2;

/// A host, as a cheap handle.
#[derive(Clone)]
pub struct Host {
    pub url: String,
    number: u64,
    memory: u64,
    seed: u64,
    lost: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub sandboxes: HashMap<String, Sandbox>,
    /// How many are being started or woken.
    starting: u64,
    /// Whether one waits.
    pooled: bool,
    pub draining: bool,
    pub made: u64,
    pub failed: u64,
    pub refused: u64,
    /// How many times each mark was made, in sandboxes that are gone too.
    pub marks: HashMap<String, usize>,
}

pub struct Sandbox {
    pub project: String,
    pub files: BTreeMap<String, Bytes>,
    memory: u64,
    began: Instant,
    used: Instant,
    awake: bool,
}

/// Why no sandbox was started.
pub enum Refusal {
    Full,
    Draining,
    Failed,
}

/// A host's figures at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub awake: usize,
    pub all: usize,
    /// In bytes.
    pub memory: u64,
}

impl Host {
    /// Starts it with this much memory, in bytes.
    pub async fn start(number: u64, memory: u64, seed: u64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            number,
            memory,
            seed,
            lost: Arc::default(),
            state: Arc::default(),
        };
        host.state().pooled = true;
        let (router, lost) = (protocol::router(host.clone()), host.lost.clone());
        tokio::spawn(async move {
            let until_lost = async {
                while !lost.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = until_lost => {}
            }
        });
        let sleeping = host.clone();
        tokio::spawn(async move {
            while !sleeping.is_lost() {
                tokio::time::sleep(SLEEPS / 20).await;
                sleeping.put_to_sleep(SLEEPS, usize::MAX);
            }
        });
        host
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// It does not answer any more, and its sandboxes are gone.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.state().sandboxes.clear();
    }

    pub fn figures(&self) -> Figures {
        let state = self.state();
        Figures {
            awake: state.sandboxes.values().filter(|one| one.awake).count(),
            all: state.sandboxes.len(),
            memory: state.used(),
        }
    }

    pub fn free_memory(&self) -> u64 {
        self.memory.saturating_sub(self.state().used())
    }

    pub fn is_pooled(&self) -> bool {
        self.state().pooled
    }

    /// Makes a sandbox for the project, as slowly as a real one, and returns its id.
    pub async fn create(&self, project: String) -> Result<String, Refusal> {
        if self.state().draining {
            return Err(Refusal::Draining);
        }
        let pooled = std::mem::take(&mut self.state().pooled);
        if !pooled && !self.make_room().await {
            self.state().refused += 1;
            return Err(Refusal::Full);
        }
        let number = {
            let mut state = self.state();
            // The waiting one has its memory already, and is one of the sandboxes in a moment.
            state.starting += u64::from(pooled);
            state.made += 1;
            state.made
        };
        let mut chance =
            StdRng::seed_from_u64(self.seed ^ (self.number << 40) ^ number.wrapping_mul(7919));
        let took = chance.random_range(if pooled { POOLED_MS } else { START_MS });
        tokio::time::sleep(Duration::from_millis(took)).await;
        let fails = !pooled && chance.random_range(0..100) < FAILURES;
        if pooled {
            let host = self.clone();
            tokio::spawn(async move { host.refill(chance.random_range(START_MS)).await });
        }
        let mut state = self.state();
        state.starting -= 1;
        if fails {
            state.failed += 1;
            return Err(Refusal::Failed);
        }
        let id = format!("pretend{}n{number}", self.number);
        let page = ("/home/user/app/page.tsx".to_owned(), Bytes::new());
        let sandbox = Sandbox {
            project,
            files: BTreeMap::from([page]),
            memory: StdRng::seed_from_u64(self.seed ^ number).random_range(USES),
            began: Instant::now(),
            used: Instant::now(),
            awake: true,
        };
        state.sandboxes.insert(id.clone(), sandbox);
        Ok(id)
    }

    /// Another sandbox waits after a while, if there is room for it and one more.
    async fn refill(&self, took: u64) {
        tokio::time::sleep(Duration::from_millis(took)).await;
        let mut state = self.state();
        state.pooled |= state.used() + 2 * EXPECTED <= self.memory;
    }

    /// Wakes the sandbox if it sleeps, and notes its use. `None` if there is no such sandbox; else
    /// whether it was asleep.
    pub async fn wake(&self, id: &str) -> Result<Option<bool>, Refusal> {
        let noted = {
            let mut state = self.state();
            let Some(sandbox) = state.sandboxes.get_mut(id) else {
                return Ok(None);
            };
            sandbox.used = Instant::now();
            sandbox.awake
        };
        if noted {
            return Ok(Some(false));
        }
        if !self.make_room().await {
            self.state().refused += 1;
            return Err(Refusal::Full);
        }
        let took = StdRng::seed_from_u64(self.seed ^ self.state().made).random_range(WAKE_MS);
        tokio::time::sleep(Duration::from_millis(took)).await;
        let mut state = self.state();
        state.starting -= 1;
        let Some(sandbox) = state.sandboxes.get_mut(id) else {
            return Ok(None);
        };
        (sandbox.awake, sandbox.used) = (true, Instant::now());
        Ok(Some(true))
    }

    /// Reserves the memory of one more; sandboxes that nobody uses are put to sleep for it.
    async fn make_room(&self) -> bool {
        let begun = Instant::now();
        loop {
            {
                let mut state = self.state();
                if state.used() + EXPECTED <= self.memory {
                    state.starting += 1;
                    return true;
                }
                // The waiting one goes first.
                if std::mem::take(&mut state.pooled) {
                    continue;
                }
            }
            if self.put_to_sleep(MAY_SLEEP, 1) > 0 {
                continue;
            }
            if begun.elapsed() > ROOM_WAIT {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Puts at most so many sandboxes to sleep that were not used for this time, the longest unused
    /// first. Returns how many.
    fn put_to_sleep(&self, unused: Duration, most: usize) -> usize {
        let mut state = self.state();
        let idle = state
            .sandboxes
            .values_mut()
            .filter(|one| one.awake && one.used.elapsed() >= unused);
        let mut idle: Vec<&mut Sandbox> = idle.collect();
        idle.sort_by_key(|one| one.used);
        idle.truncate(most);
        idle.iter_mut().for_each(|one| one.awake = false);
        idle.len()
    }
}

impl State {
    /// The memory that is used or promised, in bytes.
    fn used(&self) -> u64 {
        let awake = self.sandboxes.values().filter(|one| one.awake);
        let own = awake.map(|one| match one.began.elapsed() < YOUNG {
            true => one.memory.max(EXPECTED),
            false => one.memory,
        });
        own.sum::<u64>() + (self.starting + u64::from(self.pooled)) * EXPECTED
    }
}
