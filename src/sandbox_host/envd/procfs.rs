//! What `/proc` and the home say of the sandbox's processes: which are stopped, who listens on a
//! port, and named pipes that readers wait on.

use std::{
    fs,
    fs::OpenOptions,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::libc::O_NONBLOCK;

/// Entries of the home that are looked at for pipes, and pipes that are named.
const MAX_ENTRIES: usize = 50_000;
const MAX_PIPES: usize = 20;
/// Folders that hold what tools made, and no source.
const SKIPPED: [&str; 3] = ["node_modules", ".next", ".git"];
/// State `LISTEN` in `/proc/net/tcp` (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// A process, as its `stat` has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub id: i32,
    pub group: i32,
    pub is_stopped: bool,
}

/// All processes of the sandbox.
pub(super) fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter_map(|id| parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?))
        .collect()
}

/// The name is in brackets and may hold anything; after it come the state, the parent and the group
/// (proc_pid_stat(5)).
fn parse(id: i32, stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    Some(Process {
        id,
        group,
        is_stopped: state == "T",
    })
}

/// The processes that listen on a TCP port, each with its command line.
pub(super) fn listeners(port: u16) -> Vec<(Process, String)> {
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
    let holds_one = |process: &Process| {
        let files = fs::read_dir(format!("/proc/{}/fd", process.id))
            .into_iter()
            .flatten()
            .flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| sockets.iter().any(|socket| target == Path::new(socket)))
    };
    let holders = processes().into_iter().filter(holds_one);
    holders
        .map(|process| (command_line(process.id), process))
        .map(|(line, process)| (process, line))
        .collect()
}

/// `socket:[<inode>]`, when the table's line is of a socket that listens on this port.
fn listening_socket(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let listens = u16::from_str_radix(local_port, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
}

fn command_line(process: i32) -> String {
    let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&words).replace('\0', " ");
    line.trim().chars().take(200).collect()
}

/// Named pipes below the home. Who waits there for a writer reads an empty file from here on: a dev
/// server that reads all files of the app would wait for ever.
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
                // Opened for reading and writing, it never waits.
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
        let process = |id, group, is_stopped| Process {
            id,
            group,
            is_stopped,
        };
        assert_eq!(
            parse(7, "7 (node) S 1 5 5 0 -1"),
            Some(process(7, 5, false))
        );
        assert_eq!(
            parse(8, "8 (a) R 1 (b) T 1 9 9 0 -1"),
            Some(process(8, 9, true))
        );
        assert_eq!(parse(9, "nonsense"), None);
    }

    #[test]
    fn who_listens_on_a_port_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listeners(listener.local_addr().unwrap().port());
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(
            found
                .iter()
                .any(|(process, line)| process.id == own && !line.is_empty()),
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
