//! The host's user and group ids of containers. As root, each running container gets a range of its
//! own, so that per-user limits of the kernel (inotify instances, pipe buffers), and anything that
//! breaks out, concern only that container. On disk, all files, even the template's, belong to a
//! single range ([`STORED`]); mounts translate the ids, so that nothing is ever chowned.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use linux_raw_sys::general::{MOUNT_ATTR_IDMAP, mount_attr};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};
use parking_lot::Mutex;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::{bundle::IdMapping, user_namespace::new_namespace};

/// The number of ids per container.
pub(super) const COUNT: u32 = 65_536;
/// The first id of the range used on disk, and by containers if the kernel can't give each its own.
pub(super) const STORED: u32 = 100_000;
/// The first id of the containers' ranges: above those that systemd gives to containers, and below
/// 2^31, where some file systems stop (<https://systemd.io/UIDS-GIDS/>).
const FIRST: u32 = 0x7000_0000;
/// The number of ranges, and so of containers that can run on a machine at a time.
const RANGES: u32 = 4096;
/// Each byte of this file stands for a range, and is locked by the host that uses it, so that hosts
/// on the same machine use different ranges.
const LOCKS: &str = "/run/codeflow-ids";

/// The machine's ranges, and which of them this host uses.
#[derive(Debug)]
pub(super) struct Ranges {
    locks: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By container id.
    used: HashMap<String, (u32, Arc<Range>)>,
    /// Ranges that were created earlier and are unused, by number.
    idle: BTreeMap<u32, Arc<Range>>,
}

/// The ids of one container.
#[derive(Debug)]
pub(super) struct Range {
    first: u32,
    /// The container's user namespace. The range's first id owns it, so that limits on a
    /// namespace's owner apply to this range, not to root.
    users: OwnedFd,
    /// Describes how mounts translate ids on disk to those of the range.
    files: OwnedFd,
}

impl Ranges {
    /// For root only. The error says why containers can't have ids of their own.
    pub(super) fn open() -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let locks = options
            .custom_flags(libc::O_NOFOLLOW)
            .open(LOCKS)
            .with_context(|| format!("{LOCKS} can't be opened"))?;
        Ok(Self {
            locks,
            state: Mutex::default(),
        })
    }

    /// Assigns a range to a container that is about to start.
    pub(super) fn take(&self, container: &str) -> anyhow::Result<Arc<Range>> {
        let mut state = self.state.lock();
        // Its last container could not be ended.
        if let Some((_, range)) = state.used.get(container) {
            return Ok(range.clone());
        }
        let taken: Vec<u32> = state.used.values().map(|(number, _)| *number).collect();
        for number in (0..RANGES).filter(|number| !taken.contains(number)) {
            if !self.set_lock(number, libc::F_WRLCK)? {
                continue;
            }
            let range = match state.idle.remove(&number) {
                Some(range) => range,
                None => Arc::new(Range::new(FIRST + number * COUNT)?),
            };
            state
                .used
                .insert(container.to_owned(), (number, range.clone()));
            return Ok(range);
        }
        bail!(
            "all {RANGES} ranges of user ids are in use: kill or pause sandboxes that nobody needs"
        )
    }

    /// Releases the range of an ended container.
    pub(super) fn release(&self, container: &str) {
        let mut state = self.state.lock();
        if let Some((number, range)) = state.used.remove(container) {
            state.idle.insert(number, range);
            // A lock that remains costs other hosts one range of many.
            let _ = self.set_lock(number, libc::F_UNLCK);
        }
    }

    /// Locks or unlocks a range; `false` if another host has it.
    fn set_lock(&self, number: u32, kind: libc::c_int) -> nix::Result<bool> {
        #[expect(unsafe_code, reason = "the structure has padding on some platforms")]
        // SAFETY: the structure is plain numbers.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::c_short::try_from(kind).unwrap_or_default();
        lock.l_whence = libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default();
        lock.l_start = libc::off_t::from(number);
        lock.l_len = 1;
        match fcntl(&self.locks, FcntlArg::F_OFD_SETLK(&lock)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Range {
    fn new(first: u32) -> anyhow::Result<Self> {
        let map = |lines: String| {
            move |process: &str| {
                for file in ["uid_map", "gid_map"] {
                    fs::write(format!("/proc/{process}/{file}"), &lines)
                        .context("user ids can't be mapped")?;
                }
                Ok(())
            }
        };
        Ok(Self {
            first,
            users: new_namespace(Some(first), map(format!("0 {first} {COUNT}\n")))?,
            // The machine's own ids are kept: a layer's working folder belongs to root.
            files: new_namespace(
                None,
                map(format!("0 0 {STORED}\n{STORED} {first} {COUNT}\n")),
            )?,
        })
    }

    /// The mapping of the container's users and groups.
    pub(super) fn ids(&self) -> Vec<IdMapping> {
        vec![IdMapping {
            inside: 0,
            outside: self.first,
            count: COUNT,
        }]
    }

    /// The container's user namespace, valid as long as this process lives.
    pub(super) fn namespace(&self) -> PathBuf {
        Path::new("/proc")
            .join(std::process::id().to_string())
            .join("fd")
            .join(self.users.as_raw_fd().to_string())
    }

    /// Mounts a folder at another path, translating its files' ids to those of the range. For use
    /// between fork and exec.
    pub(super) fn mount(&self, folder: &Path, at: &Path) -> nix::Result<()> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(rustix::fs::CWD, folder, flags).map_err(errno)?;
        translate(tree.as_fd(), self.files.as_fd())?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&tree, "", rustix::fs::CWD, at, flags).map_err(errno)
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

/// Makes a detached mount translate ids as the namespace says.
fn translate(mount: BorrowedFd, namespace: BorrowedFd) -> nix::Result<()> {
    let attributes = mount_attr {
        attr_set: u64::from(MOUNT_ATTR_IDMAP),
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(namespace.as_raw_fd()).map_err(|_| Errno::EBADF)?,
    };
    #[expect(unsafe_code, reason = "the C library has no function for this call")]
    // SAFETY: both descriptors are open, and the text and the structure outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<mount_attr>(),
        )
    };
    Errno::result(done).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn no_two_containers_share_a_range_not_even_of_two_hosts() {
        let (one, other) = (Ranges::open().unwrap(), Ranges::open().unwrap());
        let first = |range: &Arc<Range>| range.ids()[0].outside;
        let (a, b, c) = (
            one.take("a").unwrap(),
            one.take("b").unwrap(),
            other.take("c").unwrap(),
        );
        let firsts = std::collections::BTreeSet::from([first(&a), first(&b), first(&c)]);
        assert_eq!(firsts.len(), 3);
        assert!(
            firsts
                .iter()
                .all(|first| *first >= FIRST && first.checked_add(COUNT).unwrap() <= 1 << 31)
        );
        // A released range is reused, with the same namespaces. Releasing an unknown one does
        // nothing.
        one.release("a");
        one.release("nobody");
        let again = one.take("d").unwrap();
        assert!(first(&again) <= first(&a));
        assert_eq!(Arc::ptr_eq(&again, &a), first(&again) == first(&a));
    }
}
