//! What a command has started, found in `/proc`: by the mark that its environment passes on, by
//! group, session and descent. A process that moved to a session of its own, or whose parent has
//! ended, still carries the mark.

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

/// The variable that marks whatever a command starts.
pub(in crate::sandbox_host::envd) const MARK: &str = "CODEFLOW_COMMAND";
/// How many times the processes are looked for anew while they are stopped: each may have started
/// others before it was.
const MAX_ROUNDS: usize = 20;
/// The longest command line that is reported, in characters.
const MAX_COMMAND: usize = 100;

/// The processes that a command started, itself included, as a cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// The command's own process, which leads a group.
    root: i32,
    mark: String,
    /// When it was started, in clock ticks since the machine was.
    since: u64,
}

/// A process, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Process {
    pid: i32,
    command: String,
}

/// A process as `/proc/<pid>/stat` has it (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    threads: usize,
    /// In clock ticks since the machine was started.
    started: u64,
}

/// A mark that no other command has.
pub(super) fn new_mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

impl Tree {
    /// Of a process that was just started with the mark in its environment.
    pub(super) fn new(root: u32, mark: String) -> Self {
        let root = i32::try_from(root).unwrap_or(i32::MAX);
        Self {
            root,
            mark,
            since: stat(root).map_or(u64::MAX, |stat| stat.started),
        }
    }

    /// Those that run, by their ids; and the number of their threads.
    pub(super) fn running(&self) -> (Vec<Process>, usize) {
        let members = self.members();
        let threads = members.values().map(|stat| stat.threads).sum();
        (members.iter().map(Process::of).collect(), threads)
    }

    pub(super) fn is_running(&self) -> bool {
        !self.members().is_empty()
    }

    /// Those that have left the command's group.
    pub(super) fn away(&self) -> Vec<Process> {
        let members = self.members();
        let away = members.iter().filter(|(_, stat)| stat.group != self.root);
        away.map(Process::of).collect()
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        let mut stopped: BTreeSet<i32> = BTreeSet::new();
        // The group at once. What left it may start others while it is looked for, so it is stopped
        // first.
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
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut others: BTreeMap<i32, Stat> = pids
            .filter(|pid| *pid != 1 && *pid != own)
            .filter_map(|pid| Some((pid, stat(pid)?)))
            .filter(|(_, stat)| !matches!(stat.state, 'Z' | 'X'))
            .collect();
        let mut members = BTreeMap::new();
        let mut found: Vec<i32> = others
            .iter()
            .filter(|(pid, stat)| self.is_member(**pid, stat))
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

    fn is_member(&self, pid: i32, stat: &Stat) -> bool {
        if pid == self.root || stat.group == self.root || stat.session == self.root {
            return true;
        }
        match mark(pid) {
            Some(mark) => mark == self.mark,
            // Nobody else's: it emptied its environment, and its parent has ended since the command
            // began.
            None => stat.parent == 1 && stat.started >= self.since,
        }
    }
}

impl Process {
    fn of((pid, stat): (&i32, &Stat)) -> Self {
        Self {
            pid: *pid,
            command: command_line(*pid).unwrap_or_else(|| format!("[{}]", stat.name)),
        }
    }
}

/// The mark in the process's environment; `None` where there is none, or it may not be read.
fn mark(pid: i32) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environ.split(|byte| *byte == 0);
    let value =
        entries.find_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid pgrp session …`; the name may hold anything, brackets too.
fn parse(text: &str) -> Option<Stat> {
    let (name, fields) = text.split_once('(')?.1.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The command line on one line.
fn command_line(pid: i32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace(|letter: char| letter.is_control(), " ");
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(MAX_COMMAND).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let rest = "S 1 40 41 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 11 0 98765 1000 200";
        for name in ["node", "a) R 9 9 9", "next-server (v16", ""] {
            let read = parse(&format!("42 ({name}) {rest}")).unwrap();
            let expected = Stat {
                name: name.to_owned(),
                state: 'S',
                parent: 1,
                group: 40,
                session: 41,
                threads: 11,
                started: 98_765,
            };
            assert_eq!(read, expected);
        }
        assert_eq!(parse("42 (x) S 1 2"), None);
        assert!(
            stat(i32::try_from(std::process::id()).unwrap())
                .unwrap()
                .threads
                >= 1
        );
    }
}
