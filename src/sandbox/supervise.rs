//! Supervises a command where envd is E2B's. That envd considers a command ended only when nothing
//! holds its output open any more, and kills only a single process. The script `supervise.sh` ends
//! with the command's shell, kills everything it started at SIGTERM, and lists what it left
//! running.

use super::output::{Left, RunningProcess};

const SCRIPT: &str = include_str!("supervise.sh");

/// A command's supervisor.
pub(super) struct Supervisor {
    /// Marks the command's processes, and the list of those that it left running.
    mark: String,
}

impl Supervisor {
    pub(super) fn new() -> Self {
        Self {
            mark: format!("{:032x}", rand::random::<u128>()),
        }
    }

    /// The arguments of bash for the command.
    pub(super) fn args<'a>(&'a self, command: &'a str) -> Vec<&'a str> {
        vec!["-c", SCRIPT, "codeflow", command, &self.mark]
    }

    /// Cuts the list of remaining processes off the end of the command's stderr.
    pub(super) fn take_left(&self, stderr: &mut Vec<u8>) -> Left {
        let line = format!("\n{}\n", self.mark);
        let at = stderr
            .windows(line.len())
            .rposition(|bytes| bytes == line.as_bytes());
        let Some(at) = at else {
            return Left::default();
        };
        let list = stderr.split_off(at);
        let list = String::from_utf8_lossy(&list[line.len()..]);
        let process = |line: &str| {
            let (pid, command) = line.split_once(' ')?;
            let (pid, command) = (pid.parse().ok()?, command.trim().to_owned());
            // A process may have ended while the list was made.
            (!command.is_empty()).then_some(RunningProcess { pid, command })
        };
        Left {
            running: list.lines().filter_map(process).collect(),
            ended: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_what_still_runs_is_no_part_of_the_output() {
        let supervisor = Supervisor::new();
        let mark = &supervisor.mark;
        for (output, list, pids) in [
            ("", "", &[][..]),
            ("warning\n", "", &[]),
            (
                "warning",
                "12 sleep 300 \n7 \nodd\n13 node a b\n",
                &[12, 13],
            ),
        ] {
            let mut stderr = output.to_owned();
            if !list.is_empty() {
                stderr.push_str(&format!("\n{mark}\n{list}"));
            }
            let mut stderr = stderr.into_bytes();
            let left = supervisor.take_left(&mut stderr);
            assert_eq!(String::from_utf8_lossy(&stderr), output);
            let running: Vec<u32> = left.running.iter().map(|process| process.pid).collect();
            assert_eq!(running, pids);
        }
    }
}
