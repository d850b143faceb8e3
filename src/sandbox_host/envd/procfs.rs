//! Information from `/proc` and the home about the sandbox's processes: which exist, which are
//! stopped, who listens on a port, and named pipes that readers wait on.

use std::{
    fs,
    fs::OpenOptions,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::libc::O_NONBLOCK;

use crate::protocol::first_chars;

/// How many entries of the home are searched for pipes, and how many pipes are reported.
const MAX_ENTRIES: usize = 50_000;
const MAX_PIPES: usize = 20;
/// The maximum length of a reported command line, in characters.
const MAX_COMMAND: usize = 200;
/// Folders with generated files, without sources.
const SKIPPED: [&str; 3] = ["node_modules", ".next", ".git"];
/// State `LISTEN` in `/proc/net/tcp` (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// A process, as `/proc/<pid>/stat` has it (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub pid: i32,
    pub name: String,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    pub threads: usize,
    /// In clock ticks since boot.
    pub started: u64,
}

impl Stat {
    /// Whether a signal stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == 'T'
    }
}

/// All processes of the sandbox.
pub(super) fn processes() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

/// `None` if the process has ended.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid pgrp session …`; the name may contain anything, even brackets.
fn parse(pid: i32, text: &str) -> Option<Stat> {
    let (name, fields) = text.split_once('(')?.1.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Stat {
        pid,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The beginning of a process's command line, on one line; `None` where it has none.
pub(super) fn command_line(pid: i32, max_chars: usize) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace(|letter: char| letter.is_control(), " ");
    let text = text.trim();
    (!text.is_empty()).then(|| first_chars(text, max_chars).to_owned())
}

/// The processes that listen on a TCP port, each with its command line.
pub(super) fn listeners(port: u16) -> Vec<(Stat, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: Vec<String> = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| listening_socket(line, port))
        .collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    let holds_one = |process: &Stat| {
        let files = fs::read_dir(format!("/proc/{}/fd", process.pid))
            .into_iter()
            .flatten()
            .flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| sockets.iter().any(|socket| target == Path::new(socket)))
    };
    let holders = processes().into_iter().filter(holds_one);
    holders
        .map(|process| {
            let line = command_line(process.pid, MAX_COMMAND).unwrap_or_default();
            (process, line)
        })
        .collect()
}

/// `socket:[<inode>]`, if the table's line describes a socket that listens on this port.
fn listening_socket(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let listens = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
}

/// Releases readers of the named pipes below the home: whoever waits for a writer now reads an
/// empty file. A dev server that reads all files of the app would otherwise wait forever.
pub(super) fn release_pipes(home: &Path) -> Vec<PathBuf> {
    let (mut pipes, mut folders, mut left) = (Vec::new(), vec![home.to_owned()], MAX_ENTRIES);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            left = left.saturating_sub(1);
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                folders.push(entry.path());
            } else if kind.is_fifo() && pipes.len() < MAX_PIPES {
                // Opening it for both reading and writing never blocks.
                let opened = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .custom_flags(O_NONBLOCK)
                    .open(entry.path());
                if opened.is_ok() {
                    pipes.push(entry.path());
                }
            }
            if left == 0 {
                return pipes;
            }
        }
    }
    pipes
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let rest = "S 1 40 41 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 11 0 98765 1000 200";
        for name in ["node", "a) R 9 9 9", "next-server (v16", "a) R 1 (b", ""] {
            let expected = Stat {
                pid: 42,
                name: name.to_owned(),
                state: 'S',
                parent: 1,
                group: 40,
                session: 41,
                threads: 11,
                started: 98_765,
            };
            let read = parse(42, &format!("42 ({name}) {rest}")).unwrap();
            assert!(!read.is_stopped());
            assert_eq!(read, expected);
        }
        let stopped = rest.replacen('S', "T", 1);
        assert!(
            parse(7, &format!("7 (node) {stopped}"))
                .unwrap()
                .is_stopped()
        );
        assert_eq!(parse(42, "42 (x) S 1 2"), None);
        assert_eq!(parse(9, "nonsense"), None);
        assert!(
            stat(i32::try_from(std::process::id()).unwrap())
                .unwrap()
                .threads
                >= 1
        );
    }

    #[test]
    fn the_listeners_on_a_port_are_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listeners(listener.local_addr().unwrap().port());
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(
            found
                .iter()
                .any(|(process, line)| process.pid == own && !line.is_empty()),
            "{found:?}"
        );
    }

    #[test]
    fn a_reader_that_waits_for_a_pipe_reads_an_empty_file() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("below/pipe");
        fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reading = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        while !reading.is_finished() {
            assert_eq!(release_pipes(home.path()), std::slice::from_ref(&pipe));
            std::thread::yield_now();
        }
        assert_eq!(reading.join().unwrap(), b"");
    }
}
