//! A command's descendants, found in `/proc`: by a mark in their environment, which children
//! inherit, and by group, session and descent. The mark also finds a process that moved to a
//! session of its own or whose parent has ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::Serialize;

use crate::sandbox_host::envd::procfs::{self, Stat};

/// The variable that marks everything a command starts.
pub(in crate::sandbox_host::envd) const MARK: &str = "CODEFLOW_COMMAND";
/// How many rounds of stopping processes to make: each process may have started others before.
const MAX_ROUNDS: usize = 20;
/// The maximum length of a reported command line, in characters.
const MAX_COMMAND: usize = 100;

/// The processes that a command started, including itself; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// The command's own process, the leader of its group.
    root: i32,
    mark: String,
    /// Its start time, in clock ticks since boot.
    since: u64,
}

/// A process, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Process {
    pid: i32,
    command: String,
}

/// A mark unique to one command.
pub(super) fn new_mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

impl Tree {
    /// The tree of a process that was just started with the mark in its environment.
    pub(super) fn new(root: u32, mark: String) -> Self {
        let root = i32::try_from(root).unwrap_or(i32::MAX);
        Self {
            root,
            mark,
            since: procfs::stat(root).map_or(u64::MAX, |stat| stat.started),
        }
    }

    /// The running ones, and the number of their threads.
    pub(super) fn running(&self) -> (Vec<Process>, usize) {
        let members = self.members();
        let threads = members.values().map(|stat| stat.threads).sum();
        (members.values().map(Process::of).collect(), threads)
    }

    pub(super) fn is_running(&self) -> bool {
        !self.members().is_empty()
    }

    /// The processes outside the command's group.
    pub(super) fn away(&self) -> Vec<Process> {
        let members = self.members();
        let away = members.values().filter(|stat| stat.group != self.root);
        away.map(Process::of).collect()
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        let mut stopped: BTreeSet<i32> = BTreeSet::new();
        // Kills the group at once. Processes outside it may start others while we search, so we
        // stop them first.
        let _ = killpg(Pid::from_raw(self.root), Signal::SIGKILL);
        for _ in 0..MAX_ROUNDS {
            let found: Vec<i32> = self
                .members()
                .into_keys()
                .filter(|pid| stopped.insert(*pid))
                .collect();
            if found.is_empty() {
                break;
            }
            for pid in found {
                let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            }
        }
        for pid in stopped {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn members(&self) -> BTreeMap<i32, Stat> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let mut others: BTreeMap<i32, Stat> = procfs::processes()
            .into_iter()
            .filter(|stat| stat.pid != 1 && stat.pid != own && !matches!(stat.state, 'Z' | 'X'))
            .map(|stat| (stat.pid, stat))
            .collect();
        let mut members = BTreeMap::new();
        let mut found: Vec<i32> = others
            .iter()
            .filter(|(_, stat)| self.is_member(stat))
            .map(|(pid, _)| *pid)
            .collect();
        while !found.is_empty() {
            for pid in &found {
                members.extend(others.remove_entry(pid));
            }
            let children = others
                .iter()
                .filter(|(_, stat)| found.contains(&stat.parent));
            found = children.map(|(pid, _)| *pid).collect();
        }
        members
    }

    fn is_member(&self, stat: &Stat) -> bool {
        if stat.pid == self.root || stat.group == self.root || stat.session == self.root {
            return true;
        }
        match mark(stat.pid) {
            Some(mark) => mark == self.mark,
            // It emptied its environment and lost its parent after the command began, so it belongs
            // to no other.
            None => stat.parent == 1 && stat.started >= self.since,
        }
    }
}

impl Process {
    fn of(stat: &Stat) -> Self {
        let command = procfs::command_line(stat.pid, MAX_COMMAND);
        Self {
            pid: stat.pid,
            command: command.unwrap_or_else(|| format!("[{}]", stat.name)),
        }
    }
}

/// The mark in the process's environment; `None` if there is none, or it can't be read.
fn mark(pid: i32) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environ.split(|byte| *byte == 0);
    let value =
        entries.find_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}
