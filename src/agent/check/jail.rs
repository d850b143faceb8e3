//! `codeflow browser-jail`: the process that becomes the checking browser. It joins its control
//! group, makes a network namespace with a loopback device and no way out, hands a listener of that
//! namespace to the server, whose `relay` is the one way out, gives up its rights, and executes the
//! browser. It runs before any thread is started: a user namespace is for processes with one.

use std::{
    ffi::OsString,
    fs, io,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use nix::{
    sched::{CloneFlags, unshare},
    unistd::{getegid, geteuid},
};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::devices;

/// Where the relay listens in the browser's namespace: nothing else does there.
pub const PORT: u16 = 3000;
/// The browser goes first when memory runs out; 1000 is the most (proc_pid_oom_score_adj(5)).
const OOM_SCORE: &str = "800";
/// The longest reason, in bytes.
const MAX_REASON: usize = 1024;

/// The process's arguments. Its standard input is a socket of the server's.
#[derive(Debug, clap::Args)]
pub struct Jail {
    /// Files of the control group to join
    #[arg(long)]
    join: Vec<PathBuf>,
    /// The user that the browser runs as, where this process is root
    #[arg(long)]
    user: Option<u32>,
    /// That user's group
    #[arg(long)]
    group: Option<u32>,
    /// The browser and its arguments
    #[arg(last = true, required = true)]
    browser: Vec<OsString>,
}

impl Jail {
    /// The arguments that parse to this jail, without the browser's.
    pub fn arguments(join: &[PathBuf], user: Option<(u32, u32)>) -> Vec<OsString> {
        let mut arguments = vec!["browser-jail".into()];
        for file in join {
            arguments.extend(["--join".into(), file.into()]);
        }
        if let Some((user, group)) = user {
            arguments.extend(
                ["--user", &user.to_string(), "--group", &group.to_string()].map(OsString::from),
            );
        }
        arguments.push("--".into());
        arguments
    }

    /// Becomes the browser. Returns only when that fails, and sends the reason to the server.
    pub fn run(self) -> anyhow::Result<()> {
        let listener = self.enclose();
        let server = io::stdin();
        match &listener {
            Ok(listener) => hand_over(&server, b"", Some(listener))?,
            Err(error) => hand_over(&server, format!("{error:#}").as_bytes(), None)?,
        }
        drop(listener?);
        let mut browser = self.browser.iter();
        let program = browser.next().context("no browser is named")?;
        let mut command = Command::new(program);
        command.args(browser).stdin(Stdio::null());
        if let (Some(user), Some(group)) = (self.user, self.group) {
            command.uid(user).gid(group);
        }
        Err(command.exec()).with_context(|| format!("{} can't be executed", program.display()))
    }

    /// Enters a network namespace of its own.
    fn enclose(&self) -> anyhow::Result<TcpListener> {
        // Only Linux has it, and the browser works without.
        let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
        for file in &self.join {
            fs::write(file, "0")
                .with_context(|| format!("its control group {} can't be joined", file.display()))?;
        }
        let (user, group) = (geteuid(), getegid());
        if user.is_root() {
            if self.user.is_none() {
                bail!("as root it needs another user to run the browser as");
            }
            unshare(CloneFlags::CLONE_NEWNET)
                .context("root may make none here (it takes CAP_SYS_ADMIN)")?;
        } else {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
                .context("ordinary users may make none here")?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
            fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        }
        devices::set_up().context("its loopback device can't be used")?;
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))?)
    }
}

/// Sends the listener, or the reason that there is none.
fn hand_over(server: &impl AsFd, reason: &[u8], listener: Option<&TcpListener>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let listeners = listener.map(|listener| [listener.as_fd()]);
    if let Some(listeners) = &listeners {
        control.push(SendAncillaryMessage::ScmRights(listeners));
    }
    // A message carries at least one byte.
    let text = [b"-", &reason[..reason.len().min(MAX_REASON)]].concat();
    sendmsg(
        server,
        &[IoSlice::new(&text)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Receives, through the socket to a jail, the listener of its namespace. The error says why there
/// is none.
pub fn listener(jail: &UnixStream) -> anyhow::Result<TcpListener> {
    let mut text = [0; MAX_REASON + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        jail,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut listeners: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            listeners.extend(sent);
        }
    }
    if let Some(listener) = listeners.pop() {
        return Ok(listener.into());
    }
    let reason =
        String::from_utf8_lossy(text.get(1..received.bytes).unwrap_or_default()).into_owned();
    bail!(
        "{}",
        if reason.is_empty() {
            "it ended"
        } else {
            &reason
        }
    );
}
