//! User namespaces: they map each container's ids, and contain the containers of an ordinary user.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use anyhow::Context;
use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid, setegid, seteuid},
};
use rustix::thread::{CapabilitySets, capabilities, set_capabilities};

/// Creates a user namespace with this owner instead of this process's user; `map` gets the id of a
/// process in it. It exists as long as it is open.
pub(super) fn new_namespace(
    owner: Option<u32>,
    map: impl FnOnce(&str) -> anyhow::Result<()>,
) -> anyhow::Result<OwnedFd> {
    let mut command = Command::new("cat");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[expect(
        unsafe_code,
        reason = "the namespace is made by a process that then waits in it"
    )]
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        use std::os::unix::process::CommandExt;
        command.pre_exec(move || {
            if let Some(owner) = owner {
                become_owner(owner)?;
            }
            Ok(unshare(CloneFlags::CLONE_NEWUSER)?)
        });
    }
    let mut child = command
        .spawn()
        .context("this machine does not let this user make user namespaces")?;
    let process = child.id().to_string();
    let opened =
        map(&process).and_then(|()| Ok(File::open(format!("/proc/{process}/ns/user"))?.into()));
    // With its standard input closed, it ends.
    drop(child.stdin.take());
    child.wait()?;
    opened
}

/// Switches to this effective user and group, keeping root's capabilities.
fn become_owner(owner: u32) -> io::Result<()> {
    setegid(Gid::from_raw(owner))?;
    seteuid(Uid::from_raw(owner))?;
    let sets = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: sets.permitted,
            ..sets
        },
    )?;
    Ok(())
}
