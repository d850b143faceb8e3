//! Control groups, on cgroup v2 and on the older hierarchies: what one uses, its share, and its
//! freezer. The sandbox host's containers and the browser that checks pages run in them; this
//! module depends on nothing.

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

/// The controllers that groups below one need, as `cgroup.subtree_control` takes them.
const CONTROLLERS: &str = "+cpu +memory +pids";
/// The controller of disks, which not every kernel has: one write would fail for all of them.
const DISK_CONTROLLER: &str = "+io";
/// A usual share of what is short.
pub const USUAL_SHARES: u64 = 1024;
/// How many times to try to freeze or remove a group, whose processes may take a moment to stop or
/// to end, and the pauses between.
const MAX_ATTEMPTS: u32 = 40;
const FREEZE_RETRY_DELAY: Duration = Duration::from_millis(5);
const REMOVE_RETRY_DELAY: Duration = Duration::from_millis(50);

/// A control group, which may or may not exist.
#[derive(Debug, Clone)]
pub struct Cgroup {
    /// Below the hierarchies' roots.
    path: PathBuf,
}

/// What the processes of a group may take together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In bytes; there is no swap beyond it.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Processors.
    pub processors: u32,
}

/// What a group uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time in nanoseconds.
    pub cpu: u64,
    /// Memory in use, in bytes.
    pub memory: u64,
    /// Memory that only caches files, in bytes.
    pub cache: u64,
}

/// Where this process may make control groups, below the hierarchies' roots.
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

    /// Makes the group, which is not there yet, with these limits. Errors where one of them can't
    /// be set; nothing is left then.
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
        // Missing where the kernel doesn't count swap.
        let _ = self.write(&[hierarchies.no_swap(limits.memory)]);
        Ok(())
    }

    /// Makes it where it is missing, and bounds what it and all below it use together: bytes of
    /// memory, processes and threads.
    pub fn set_limits(&self, memory: u64, processes: u64) -> io::Result<()> {
        let hierarchies = self.prepare();
        let settings = hierarchies.memory_and_processes(memory, processes);
        for setting in &settings {
            fs::create_dir_all(self.below(setting.controller))?;
        }
        self.write(&settings)
    }

    /// Lets groups beside it have limits, which cgroup v2 wants said in the group above.
    fn prepare(&self) -> Hierarchies {
        let hierarchies = Hierarchies::of_machine();
        if let (Hierarchies::Unified, Some(above)) = (hierarchies, self.below("").parent()) {
            // It is no error to say it again. Where it can't be said, the limits' files are missing
            // below.
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

    /// The files that a process writes `0` to in order to be in the group.
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.everywhere()
            .into_iter()
            .map(|group| group.join("cgroup.procs"))
            .collect()
    }

    /// How many of its processes were ended because it had no memory left.
    pub fn memory_kills(&self) -> u64 {
        let kills = match self.unified() {
            Some(group) => field(&group.join("memory.events"), "oom_kill"),
            None => field(&self.below("memory").join("memory.oom_control"), "oom_kill"),
        };
        kills.unwrap_or(0)
    }

    /// Ends all of its processes at once.
    pub fn kill(&self) {
        let processes = self
            .entrances()
            .into_iter()
            .filter_map(|file| fs::read_to_string(file).ok());
        let processes: HashSet<i32> = processes
            .flat_map(|ids| ids.lines().flat_map(str::parse).collect::<Vec<_>>())
            .collect();
        // Zero stands for a process of another namespace.
        for process in processes.into_iter().filter(|process| *process > 0) {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }

    /// Removes it; whether it is gone. It stays while something is in it.
    pub fn is_removed(&self) -> bool {
        let left = self.everywhere();
        left.iter()
            .filter(|group| fs::remove_dir(group).is_err() && group.is_dir())
            .count()
            == 0
    }

    /// The groups in it whose name begins with this.
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

    /// The one group of cgroup v2, where controllers are there.
    fn unified(&self) -> Option<PathBuf> {
        Some(self.below("")).filter(|group| group.join("cgroup.controllers").exists())
    }

    /// What it uses; `None` when it is gone.
    pub fn usage(&self) -> Option<Usage> {
        // What is in a file system in memory counts as the files' cache, and can't be given up like
        // that.
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

    /// Processor time that it has used, in nanoseconds; `None` when it is gone.
    pub fn processor_time(&self) -> Option<u64> {
        match self.unified() {
            Some(group) => Some(field(&group.join("cpu.stat"), "usage_usec")? * 1000),
            None => number(&self.below("cpuacct").join("cpuacct.usage")),
        }
    }

    /// Processes and threads in it and below; `None` when it is gone.
    pub fn processes(&self) -> Option<u64> {
        let group = self.unified().unwrap_or_else(|| self.below("pids"));
        number(&group.join("pids.current"))
    }

    /// The most memory that it may use, in bytes; `None` where there is no bound.
    pub fn memory_limit(&self) -> Option<u64> {
        match self.unified() {
            Some(group) => number(&group.join("memory.max")),
            None => number(&self.below("memory").join("memory.limit_in_bytes")),
        }
    }

    /// Gives it this share of processors that are short, where [`USUAL_SHARES`] is a usual one, and
    /// of the disk where the kernel has weights for that.
    pub fn set_shares(&self, shares: u64) -> io::Result<()> {
        self.set_disk_shares(shares);
        self.write(&[Hierarchies::of_machine().shares(shares)])
    }

    /// Lets the groups in it have shares of the disk. Whether the kernel has weights for that.
    pub fn divides_disk(&self) -> bool {
        // Unless the runtime has said so.
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

    /// Stops all of its processes where they are; they use no processor then.
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

    /// Lets its processes go on. One that is gone is no error.
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

    /// Where it is, in every hierarchy that has it.
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

    /// Removes the groups in it that nothing is in: a host that died between making one and using
    /// it left them.
    pub fn remove_empty_children(&self) {
        for group in self.everywhere() {
            for child in fs::read_dir(group).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(child.path());
            }
        }
    }

    /// Ends what is in the groups in it, frozen or not, and removes them and it.
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

    /// Removes it, and the empty groups in it, from every hierarchy; a container in it that is
    /// ending this moment is waited for, a little.
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

/// A file that is open while its group is removed fails with `ENODEV`.
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

/// This process's control group, made ready to hold others: on cgroup v2, where it was delegated to
/// its user (as `systemd-run --user --scope -p Delegate=yes` does). A group with children must not
/// have processes itself, so this one, and whatever else is in it (the shell that started it),
/// moves into a child.
fn delegated() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))?
        .to_owned();
    let group = Path::new(CGROUPS).join(own.trim_start_matches('/'));
    let host = group.join("codeflow-host");
    // Moved already, by an earlier call.
    if own.ends_with("/codeflow-host") {
        return Some(Path::new(&own).parent()?.to_owned());
    }
    fs::create_dir_all(&host).ok()?;
    for process in fs::read_to_string(group.join("cgroup.procs")).ok()?.lines() {
        // One that ends this moment need not move.
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
        // A limit that is not set is `max`.
        fs::write(&file, "max\n").unwrap();
        assert_eq!(number(&file), None);
    }
}
