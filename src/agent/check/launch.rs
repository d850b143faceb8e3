//! Starts the checking browser in confinement (`jail`), with a folder and a control group of its
//! own, and removes both.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Once,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use tokio::{
    net::unix::pipe,
    process::{Child, Command},
};

use super::{
    jail::{self, Jail},
    relay::Relay,
};
use crate::{
    cgroup::{self, Cgroup, Limits},
    config,
    sandbox::PageAddress,
};

/// What the folders' and control groups' names begin with; the server's process id follows.
const NAME: &str = "codeflow-browser-";
/// Processes and threads of one browser: it starts with some 150.
const PROCESSES: u32 = 1024;
/// Processors that one browser may use.
const PROCESSORS: u32 = 2;
/// How many times removing its folder is attempted, and the pause in between.
const REMOVALS: usize = 40;
const REMOVE_AGAIN: Duration = Duration::from_millis(250);
/// This program, even if its file was replaced in the meantime (proc_pid_exe(5)).
const PROGRAM: &str = "/proc/self/exe";
/// How long the jail may take to hand over its listener, on a busy machine.
const HAND_OVER: Duration = Duration::from_secs(20);

/// Why the browser failed.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// There is none, or it has no way to the app: no page can be loaded.
    #[error("{0}")]
    Unusable(String),
    /// It refused.
    #[error("{0}")]
    Failed(String),
    /// It did not answer in time. A page that computes for ever keeps its tab from answering.
    #[error("the browser did not answer in time")]
    Silent,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running browser, and what belongs to it alone.
pub struct Launched {
    pub child: Child,
    /// The pipe to it, and the one from it.
    pub to: pipe::Sender,
    pub from: pipe::Receiver,
    pub relay: Relay,
    pub leftovers: Leftovers,
}

/// What a browser leaves behind: its folder, and its control group if it has one. Its processes may
/// write into the folder for a moment after they were signalled, so the removal is repeated until
/// both are gone.
pub struct Leftovers {
    pub folder: PathBuf,
    pub group: Option<Cgroup>,
}

impl Leftovers {
    /// Removes all of it, and waits for processes that are still ending.
    pub fn remove(&self) {
        remove_until_gone(&self.folder, self.group.as_ref());
    }

    /// Whether the kernel killed one of the browser's processes because memory ran out.
    pub fn ran_out_of_memory(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|group| group.memory_kills() > 0)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let (folder, group) = (std::mem::take(&mut self.folder), self.group.take());
        if !are_removed(&folder, group.as_ref()) {
            std::thread::spawn(move || remove_until_gone(&folder, group.as_ref()));
        }
    }
}

/// Ends what runs in the group, and removes it and the folder; whether both are gone.
fn are_removed(folder: &Path, group: Option<&Cgroup>) -> bool {
    if let Some(group) = group {
        group.kill();
    }
    let removed = std::fs::remove_dir_all(folder);
    let is_removed =
        removed.is_ok() || removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    group.is_none_or(Cgroup::is_removed) && is_removed
}

fn remove_until_gone(folder: &Path, group: Option<&Cgroup>) {
    for _ in 0..REMOVALS {
        if are_removed(folder, group) {
            break;
        }
        std::thread::sleep(REMOVE_AGAIN);
    }
}

/// Removes the leftovers of browsers whose servers were killed in the middle of a check. Call it
/// before this process starts one: in a container, the previous server may have had the same
/// process id.
pub fn sweep(temporary: &Path) {
    let is_left = |name: &str| {
        let server = name
            .strip_prefix(NAME)
            .and_then(|name| name.split_once('-')?.0.parse().ok());
        let own = i32::try_from(std::process::id()).ok();
        let is_gone = |server| {
            Some(server) == own
                || nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), None)
                    == Err(nix::errno::Errno::ESRCH)
        };
        server.is_some_and(is_gone)
    };
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    for (_, group) in Cgroup::new(cgroup::base())
        .children(NAME)
        .into_iter()
        .filter(|(name, _)| is_left(name))
    {
        group.kill();
        group.is_removed();
    }
}

/// Starts the browser with these arguments and what it needs to be driven and confined.
pub async fn launch(
    settings: &config::Browser,
    address: &PageAddress,
    arguments: &[&str],
) -> Result<Launched, BrowserError> {
    let Some(program) = &settings.program else {
        return Err(BrowserError::Unusable("there is no Chromium".to_owned()));
    };
    let name = format!("{NAME}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&name).tempdir()?.keep();
    let group = folder
        .file_name()
        .and_then(|name| group(settings, &cgroup::base().join(name)));
    let leftovers = Leftovers { folder, group };
    let folder = &leftovers.folder;
    let user = if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").ok().flatten();
        let nobody = nobody.ok_or_else(|| {
            BrowserError::Unusable("there is no user “nobody” to run the browser as".to_owned())
        })?;
        nix::unistd::chown(folder, Some(nobody.uid), Some(nobody.gid)).map_err(io::Error::from)?;
        Some((nobody.uid.as_raw(), nobody.gid.as_raw()))
    } else {
        None
    };
    let (from_us, to_browser) = io::pipe()?;
    let (from_browser, to_us) = io::pipe()?;
    let (jail, jailed) = UnixStream::pair()?;
    let join = leftovers
        .group
        .as_ref()
        .map(Cgroup::entrances)
        .unwrap_or_default();
    let mut command = Command::new(PROGRAM);
    command
        .args(Jail::arguments(&join, user))
        .arg(program)
        .args(arguments)
        .arg(format!(
            "--host-resolver-rules={}",
            resolver_rules(address.host())
        ))
        .arg(format!("--user-data-dir={}", folder.display()))
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::from(OwnedFd::from(jailed)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .fd_mappings(vec![
            mapping(OwnedFd::from(from_us), 3),
            mapping(OwnedFd::from(to_us), 4),
        ])
        .map_err(|error| BrowserError::Unusable(error.to_string()))?;
    let child = command.spawn()?;
    // Only the child holds its ends: when it ends, so do the pipes.
    drop(command);
    jail.set_read_timeout(Some(HAND_OVER))?;
    let listener = tokio::task::spawn_blocking(move || jail::listener(&jail))
        .await
        .map_err(io::Error::from)?;
    let listener = listener.map_err(|error| {
        BrowserError::Unusable(format!(
            "the page check needs a network namespace of its own, and has none: {error:#}"
        ))
    })?;
    Ok(Launched {
        child,
        to: pipe::Sender::from_owned_fd(OwnedFd::from(to_browser))?,
        from: pipe::Receiver::from_owned_fd(OwnedFd::from(from_browser))?,
        relay: Relay::start(listener, address.server.clone())?,
        leftovers,
    })
}

/// A control group of this name for one browser; `None`, with one warning, if this machine doesn't
/// allow us to create any.
fn group(settings: &config::Browser, path: &Path) -> Option<Cgroup> {
    static WARNED: Once = Once::new();
    let limits = Limits {
        memory: settings.memory_mb << 20,
        processes: PROCESSES,
        processors: PROCESSORS,
    };
    match Cgroup::create(path.to_owned(), limits) {
        Ok(group) => Some(group),
        Err(error) => {
            WARNED.call_once(|| {
                tracing::warn!("the browser that checks pages runs without limits on memory, processes and processors: no control group can be made ({error})");
            });
            None
        }
    }
}

fn mapping(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping {
        parent_fd,
        child_fd,
    }
}

/// Maps host names: the app's to the relay, on any port, and all others nowhere.
fn resolver_rules(host: &str) -> String {
    format!("MAP {host} 127.0.0.1:{}, MAP * ~NOTFOUND", jail::PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_app_s_own_host_leads_anywhere() {
        assert_eq!(
            resolver_rules("3000-a.localhost"),
            "MAP 3000-a.localhost 127.0.0.1:3000, MAP * ~NOTFOUND"
        );
    }

    #[test]
    fn folders_of_servers_that_are_gone_are_removed_and_no_others() -> io::Result<()> {
        let temporary = tempfile::tempdir()?;
        let gone = std::process::Command::new("true")
            .spawn()
            .and_then(|mut child| {
                child.wait()?;
                Ok(child.id())
            })?;
        let kept = [
            format!("{NAME}{}-a", std::os::unix::process::parent_id()),
            format!("{NAME}x-a"),
            format!("other-{gone}-a"),
        ];
        let left = [gone, std::process::id()].map(|server| format!("{NAME}{server}-a"));
        for name in kept.iter().chain(&left) {
            std::fs::create_dir_all(temporary.path().join(name).join("Default"))?;
        }
        sweep(temporary.path());
        assert!(
            left.iter()
                .all(|name| !temporary.path().join(name).exists())
        );
        assert!(kept.iter().all(|name| temporary.path().join(name).is_dir()));
        Ok(())
    }
}
