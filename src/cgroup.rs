//! Control groups, on cgroup v2 and on the older hierarchies: a group's usage, its share, and its
//! freezer. The sandbox host's containers and the page-checking browser run in them; this module
//! depends on nothing else.

mod settings;

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use settings::{CGROUPS, Hierarchies, Setting};

/// The controllers that child groups need, as `cgroup.subtree_control` takes them.
const CONTROLLERS: &str = "+cpu +memory +pids";
/// The disk controller, which some kernels lack: a combined write would then fail for all.
const DISK_CONTROLLER: &str = "+io";
/// The normal share of a contended resource.
pub const USUAL_SHARES: u64 = 1024;
/// How many times freezing or removing a group is attempted, and the pauses in between: its
/// processes may take a moment to stop or end.
const MAX_ATTEMPTS: u32 = 40;
const FREEZE_RETRY_DELAY: Duration = Duration::from_millis(5);
const REMOVE_RETRY_DELAY: Duration = Duration::from_millis(50);

/// A control group, which may or may not exist.
#[derive(Debug, Clone)]
pub struct Cgroup {
    /// Relative to the hierarchies' roots.
    path: PathBuf,
}

/// Limits for the processes of a group together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In bytes; without additional swap.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Processors.
    pub processors: u32,
}

/// A group's usage.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time in nanoseconds.
    pub cpu: u64,
    /// Memory in use, in bytes.
    pub memory: u64,
    /// Memory used for cached files only, in bytes.
    pub cache: u64,
}

/// Where this process may create control groups, relative to the hierarchies' roots.
pub fn base() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/");
    }
    delegated().unwrap_or_else(|| PathBuf::from("/"))
}

impl Cgroup {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Creates a new group with these limits. If one of them can't be set, it fails and leaves
    /// nothing behind.
    pub fn create(path: PathBuf, limits: Limits) -> io::Result<Self> {
        let group = Self { path };
        group.make(limits).inspect_err(|_| _ = group.is_removed())?;
        Ok(group)
    }

    fn make(&self, limits: Limits) -> io::Result<()> {
        let hierarchies = self.prepare();
        for controller in hierarchies.folders() {
            fs::create_dir(self.below(controller))?;
        }
        self.write(&hierarchies.processors(limits.processors))?;
        self.write(&hierarchies.memory_and_processes(limits.memory, limits.processes.into()))?;
        // The file is missing if the kernel doesn't account swap.
        let _ = self.write(&[hierarchies.no_swap(limits.memory)]);
        Ok(())
    }

    /// Creates the group if it is missing, and limits its total usage, including child groups:
    /// bytes of memory, processes and threads.
    pub fn set_limits(&self, memory: u64, processes: u64) -> io::Result<()> {
        let hierarchies = self.prepare();
        let settings = hierarchies.memory_and_processes(memory, processes);
        for setting in &settings {
            fs::create_dir_all(self.below(setting.controller))?;
        }
        self.write(&settings)
    }

    /// Enables limits for its sibling groups; on cgroup v2 their parent must do that.
    fn prepare(&self) -> Hierarchies {
        let hierarchies = Hierarchies::of_machine();
        if let (Hierarchies::Unified, Some(above)) = (hierarchies, self.below("").parent()) {
            // Repeating it is no error. If it is not possible, the limits' files are missing below.
            for controllers in [CONTROLLERS, DISK_CONTROLLER] {
                let _ = fs::write(above.join("cgroup.subtree_control"), controllers);
            }
        }
        hierarchies
    }

    fn write(&self, settings: &[Setting]) -> io::Result<()> {
        settings.iter().try_for_each(|setting| {
            fs::write(
                self.below(setting.controller).join(setting.file),
                &setting.value,
            )
        })
    }

    /// The files to write `0` to in order to enter the group.
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.everywhere()
            .into_iter()
            .map(|group| group.join("cgroup.procs"))
            .collect()
    }

    /// How many of its processes were killed for lack of memory.
    pub fn memory_kills(&self) -> u64 {
        let kills = match self.unified() {
            Some(group) => field(&group.join("memory.events"), "oom_kill"),
            None => field(&self.below("memory").join("memory.oom_control"), "oom_kill"),
        };
        kills.unwrap_or(0)
    }

    /// Its processes.
    pub fn members(&self) -> HashSet<i32> {
        let processes = self
            .entrances()
            .into_iter()
            .filter_map(|file| fs::read_to_string(file).ok());
        processes
            .flat_map(|ids| ids.lines().flat_map(str::parse).collect::<Vec<_>>())
            // Zero stands for a process of another namespace.
            .filter(|process| *process > 0)
            .collect()
    }

    /// Kills all of its processes at once.
    pub fn kill(&self) {
        for process in self.members() {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }

    /// Tries to remove it; returns whether it is gone. A group with processes stays.
    pub fn is_removed(&self) -> bool {
        let left = self.everywhere();
        left.iter()
            .filter(|group| fs::remove_dir(group).is_err() && group.is_dir())
            .count()
            == 0
    }

    /// The child groups whose names begin with this.
    pub fn children(&self, prefix: &str) -> Vec<(String, Self)> {
        let entries = self
            .everywhere()
            .into_iter()
            .filter_map(|group| fs::read_dir(group).ok())
            .flatten()
            .flatten();
        let names: HashSet<String> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names
            .into_iter()
            .map(|name| (name.clone(), Self::new(self.path.join(name))))
            .collect()
    }

    fn below(&self, hierarchy: &str) -> PathBuf {
        let path = self.path.strip_prefix("/").unwrap_or(&self.path);
        Path::new(CGROUPS).join(hierarchy).join(path)
    }

    /// The group in cgroup v2, if that has the controllers.
    fn unified(&self) -> Option<PathBuf> {
        Some(self.below("")).filter(|group| group.join("cgroup.controllers").exists())
    }

    /// Its usage; `None` if it is gone.
    pub fn usage(&self) -> Option<Usage> {
        // Files in tmpfs count as file cache, but can't be reclaimed like it.
        if let Some(group) = self.unified() {
            let stat = group.join("memory.stat");
            let cache = field(&stat, "file")?.saturating_sub(field(&stat, "shmem").unwrap_or(0));
            return Some(Usage {
                cpu: self.processor_time()?,
                memory: number(&group.join("memory.current"))?.saturating_sub(cache),
                cache,
            });
        }
        let memory = self.below("memory");
        let stat = memory.join("memory.stat");
        let cache =
            field(&stat, "total_cache")?.saturating_sub(field(&stat, "total_shmem").unwrap_or(0));
        Some(Usage {
            cpu: self.processor_time()?,
            memory: number(&memory.join("memory.usage_in_bytes"))?.saturating_sub(cache),
            cache,
        })
    }

    /// The processor time it has used, in nanoseconds; `None` if it is gone.
    pub fn processor_time(&self) -> Option<u64> {
        match self.unified() {
            Some(group) => Some(field(&group.join("cpu.stat"), "usage_usec")? * 1000),
            None => number(&self.below("cpuacct").join("cpuacct.usage")),
        }
    }

    /// The processes and threads in it and below; `None` if it is gone.
    pub fn processes(&self) -> Option<u64> {
        let group = self.unified().unwrap_or_else(|| self.below("pids"));
        number(&group.join("pids.current"))
    }

    /// Its memory limit in bytes; `None` if there is none.
    pub fn memory_limit(&self) -> Option<u64> {
        match self.unified() {
            Some(group) => number(&group.join("memory.max")),
            None => number(&self.below("memory").join("memory.limit_in_bytes")),
        }
    }

    /// Sets its share of contended processors, where [`USUAL_SHARES`] is the normal one, and of the
    /// disk if the kernel supports disk weights.
    pub fn set_shares(&self, shares: u64) -> io::Result<()> {
        self.set_disk_shares(shares);
        self.write(&[Hierarchies::of_machine().shares(shares)])
    }

    /// Enables disk shares for its child groups. Returns whether the kernel supports disk weights.
    pub fn divides_disk(&self) -> bool {
        // The runtime may have enabled it already.
        let _ = fs::write(
            self.below("").join("cgroup.subtree_control"),
            DISK_CONTROLLER,
        );
        self.set_disk_shares(USUAL_SHARES)
    }

    fn set_disk_shares(&self, shares: u64) -> bool {
        let files = Hierarchies::of_machine().disk_shares(shares);
        let set = files.iter().filter(|setting| {
            let file = self.below(setting.controller).join(setting.file);
            file.exists() && fs::write(file, &setting.value).is_ok()
        });
        set.count() > 0
    }

    /// Freezes all of its processes, so that they use no processor time.
    pub async fn freeze(&self) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            let frozen = match self.unified() {
                Some(group) => {
                    fs::write(group.join("cgroup.freeze"), "1")?;
                    field(&group.join("cgroup.events"), "frozen") == Some(1)
                }
                None => {
                    let state = self.below("freezer").join("freezer.state");
                    fs::write(&state, "FROZEN")?;
                    fs::read_to_string(state)?.trim() == "FROZEN"
                }
            };
            if frozen {
                return Ok(());
            }
            tokio::time::sleep(FREEZE_RETRY_DELAY).await;
        }
        self.thaw()?;
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "its processes can't be frozen",
        ))
    }

    /// Thaws its processes. A group that is gone is no error.
    pub fn thaw(&self) -> io::Result<()> {
        let written = match self.unified() {
            Some(group) => fs::write(group.join("cgroup.freeze"), "0"),
            None => fs::write(self.below("freezer").join("freezer.state"), "THAWED"),
        };
        match written {
            Err(error) if is_gone(&error) => Ok(()),
            written => written,
        }
    }

    /// Its folders, in every hierarchy that has it.
    fn everywhere(&self) -> Vec<PathBuf> {
        if Hierarchies::of_machine() == Hierarchies::Unified {
            return Vec::from_iter(Some(self.below("")).filter(|group| group.is_dir()));
        }
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
        let groups = hierarchies
            .filter_map(|hierarchy| Some(self.below(hierarchy.file_name().to_str()?)))
            .filter(|group| group.is_dir());
        groups.collect()
    }

    /// Removes empty child groups, left behind by a host that died between creating and using them.
    pub fn remove_empty_children(&self) {
        for group in self.everywhere() {
            for child in fs::read_dir(group).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(child.path());
            }
        }
    }

    /// Kills everything in its child groups, frozen or not, and removes them and the group itself.
    pub async fn end(&self) {
        for _ in 0..MAX_ATTEMPTS {
            for (_, child) in self.children("") {
                child.kill();
                let _ = child.thaw();
            }
            self.remove_empty_children();
            if self.is_removed() {
                return;
            }
            tokio::time::sleep(REMOVE_RETRY_DELAY).await;
        }
        tracing::warn!(cgroup = %self.path.display(), "control groups can't be removed");
    }

    /// Removes it and its empty child groups from every hierarchy. Waits a little for a container
    /// in it that is just ending.
    pub async fn remove(&self) {
        for _ in 0..MAX_ATTEMPTS {
            self.remove_empty_children();
            if self.is_removed() {
                return;
            }
            tokio::time::sleep(REMOVE_RETRY_DELAY).await;
        }
        tracing::warn!(cgroup = %self.path.display(), "control groups are left behind until the next stop");
    }
}

/// An open file fails with `ENODEV` if its group is removed.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The value of a line `<name> <number>`.
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// This process's control group, prepared to hold others: on cgroup v2, if it was delegated to its
/// user (as `systemd-run --user --scope -p Delegate=yes` does). A group with children must not
/// contain processes itself, so this process moves into a child, with whatever else is in the group
/// (such as the shell that started it).
fn delegated() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))?
        .to_owned();
    let group = Path::new(CGROUPS).join(own.trim_start_matches('/'));
    let host = group.join("codeflow-host");
    // An earlier call has already moved it.
    if own.ends_with("/codeflow-host") {
        return Some(Path::new(&own).parent()?.to_owned());
    }
    fs::create_dir_all(&host).ok()?;
    for process in fs::read_to_string(group.join("cgroup.procs")).ok()?.lines() {
        // A process that is just ending need not move.
        let _ = fs::write(host.join("cgroup.procs"), process);
    }
    fs::write(group.join("cgroup.subtree_control"), CONTROLLERS).ok()?;
    let _ = fs::write(group.join("cgroup.subtree_control"), DISK_CONTROLLER);
    Some(PathBuf::from(own))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_below_the_hierarchies_root_however_its_path_begins() {
        for path in ["/codeflow/i1", "codeflow/i1"] {
            let group = Cgroup::new(path.into());
            assert_eq!(group.below(""), Path::new("/sys/fs/cgroup/codeflow/i1"));
            assert_eq!(
                group.below("pids"),
                Path::new("/sys/fs/cgroup/pids/codeflow/i1")
            );
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        fs::write(&file, "oom 3\noom_kill 2\noom_group_kill 1\n").unwrap();
        assert_eq!(field(&file, "oom"), Some(3));
        assert_eq!(field(&file, "oom_kill"), Some(2));
        assert_eq!(field(&file, "high"), None);
        // An unset limit is `max`.
        fs::write(&file, "max\n").unwrap();
        assert_eq!(number(&file), None);
    }
}
