//! The OCI runtime: finds one that works, and starts, lists and ends containers with it.
//!
//! A container's pieces are mounted in a mount namespace of the runtime's own, created between fork
//! and exec. Nothing is ever mounted on the machine itself, so nothing can be left behind there,
//! and a data folder that only its owner may enter is no obstacle.

use std::{
    env, fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        resource::{Resource, setrlimit},
        stat::{Mode, fchmod, stat},
    },
    unistd::{Gid, Uid, chown, mkdir, write},
};
use serde::Deserialize;
use tokio::process::Command;

use super::{
    bundle::{self, BOOT_ID, Container, NodeMount},
    disk::{CACHE_FOLDER, Layer, LoopDevice},
    ids::Range,
    privilege::Privilege,
};

/// Starting a container takes about 50 ms; one that takes this long never will.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Only loopback inside, connections to the sockets that the bundle mounts, and the bundle's filter
/// of system calls (runsc's `config/flags.go`).
const GVISOR_FLAGS: [&str; 3] = ["--network=none", "--host-uds=open", "--oci-seccomp"];

/// A runtime that works on this machine.
#[derive(Debug, Clone)]
pub(super) struct Runtime {
    command: PathBuf,
    /// The folder with its containers' state.
    state: PathBuf,
    privilege: Privilege,
}

/// A sandbox's home.
#[derive(Debug, Clone)]
pub(super) enum Home {
    /// The sandbox's own layer over an unchanged template.
    Overlay { lower: PathBuf, layer: Layer },
    /// The folder itself.
    Folder(PathBuf),
}

/// The host's parts of a container.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    pub rootfs: PathBuf,
    pub envd: PathBuf,
    /// What its kernel says about this boot.
    pub boot_id: String,
    pub node: Vec<NodeMount>,
    pub egress_socket: PathBuf,
    /// The socket that envd dials; `None` if it listens itself.
    pub envd_socket: Option<PathBuf>,
    pub home: Home,
    /// The range that the home's files are shown with; `None` for their ids on disk.
    pub range: Option<Arc<Range>>,
}

impl Runtime {
    /// The result of `try_out` with the configured runtime, else with the first of runc and crun
    /// for which it succeeds. The error says what to do.
    pub(super) async fn find<T>(
        configured: Option<&str>,
        state: &Path,
        privilege: &Privilege,
        try_out: impl AsyncFn(Runtime) -> anyhow::Result<T>,
    ) -> Result<T, String> {
        let candidates = match configured {
            Some(name) => vec![name],
            None => vec!["runc", "crun"],
        };
        let mut faults = Vec::new();
        for name in candidates {
            let Some(command) = find_command(name) else {
                faults.push(format!("{name} is not installed"));
                continue;
            };
            let runtime = Self {
                command,
                state: state.to_owned(),
                privilege: privilege.clone(),
            };
            match try_out(runtime).await {
                Ok(found) => return Ok(found),
                Err(error) => faults.push(format!("{name} does not work here ({error:#})")),
            }
        }
        let faults = faults.join("; ");
        Err(match configured {
            Some(_) => format!(
                "no sandboxes: {faults}; set SANDBOX_RUNTIME to an OCI runtime such as runc, or \
                 unset it"
            ),
            None => format!(
                "no sandboxes: {faults}; install runc (script/setup does, or your system's package \
                 manager)"
            ),
        })
    }

    /// The same runtime for another state folder's containers.
    pub(super) fn at(&self, state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn name(&self) -> String {
        self.command.display().to_string()
    }

    /// Starts the container in the background. `stdin` becomes its init's standard input; its
    /// bundle goes to `folder`.
    pub(super) async fn start(
        &self,
        container: &Container,
        pieces: &Pieces,
        folder: &Path,
        stdin: Stdio,
    ) -> anyhow::Result<()> {
        self.run(container, pieces, folder, stdin, true).await
    }

    /// Runs the container to its end; fails if it does.
    pub(super) async fn run_to_end(
        &self,
        container: &Container,
        pieces: &Pieces,
        folder: &Path,
    ) -> anyhow::Result<()> {
        self.run(container, pieces, folder, Stdio::null(), false)
            .await
    }

    async fn run(
        &self,
        container: &Container,
        pieces: &Pieces,
        folder: &Path,
        stdin: Stdio,
        detach: bool,
    ) -> anyhow::Result<()> {
        let spec = bundle::spec(container)?;
        fs::write(folder.join("config.json"), serde_json::to_vec(&spec)?)?;
        let log = folder.join("runtime.log");
        let _ = fs::remove_file(&log);

        let mut command = self.command();
        command
            .arg("--log")
            .arg(&log)
            .args(["--log-format", "json", "run"]);
        if detach {
            command.arg("--detach");
        }
        command.arg("--bundle").arg(folder).arg(&container.id);
        command
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // Kept open until the container has mounted it; after that it ends with the container.
        let disk = match &pieces.home {
            Home::Overlay {
                layer: Layer::Image(image),
                ..
            } => Some(LoopDevice::attach(image).await?),
            Home::Overlay { .. } | Home::Folder(_) => None,
        };
        let points = MountPoints::below(
            &container.assembly,
            pieces,
            disk.as_ref(),
            self.privilege.is_rootless(),
        );
        let pieces = pieces.clone();
        let inherited = container.user_namespace.is_some().then_some([
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_NOFILE, container.open_files),
            (Resource::RLIMIT_NPROC, container.processes),
        ]);
        #[expect(
            unsafe_code,
            reason = "the mounts must be made by the runtime's process before it becomes the runtime"
        )]
        // SAFETY: between fork and exec only system calls are made; the paths were built before.
        unsafe {
            command.pre_exec(move || {
                for (resource, limit) in inherited.iter().flatten() {
                    setrlimit(*resource, *limit, *limit)?;
                }
                Ok(assemble(&pieces, &points)?)
            });
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} can't be started", self.command.display()))?;
        // The container owns its standard input now.
        drop(command);
        let status = tokio::time::timeout(START_TIMEOUT, child.wait())
            .await
            .context("the container did not start in time")??;
        if !status.success() {
            bail!(
                "{}",
                last_error(&log).unwrap_or_else(|| format!("the runtime ended with {status}"))
            );
        }
        Ok(())
    }

    /// Ends the container and everything in it; a missing one is no error.
    pub(super) async fn delete(&self, id: &str) -> anyhow::Result<()> {
        let output = self.output(&["delete", "--force", id]).await?;
        if !output.status.success() && self.list().await?.iter().any(|found| found == id) {
            bail!(
                "container {id} can't be ended: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// The ids of all containers in this state folder.
    pub(super) async fn list(&self) -> anyhow::Result<Vec<String>> {
        let output = self.output(&["list", "--quiet"]).await?;
        if !output.status.success() {
            bail!(
                "the containers can't be listed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .map(str::to_owned)
            .collect())
    }

    async fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.command();
        command.args(arguments).kill_on_drop(true);
        let output = tokio::time::timeout(START_TIMEOUT, command.output()).await;
        Ok(output.with_context(|| format!("{} did not end in time", self.command.display()))??)
    }

    /// Whether it is gVisor, whose kernel runs as an ordinary process. It connects to sockets of
    /// the host if they are mounted, and can't accept connections on one that it was given.
    pub(super) fn is_gvisor(&self) -> bool {
        self.command.file_name().is_some_and(|name| name == "runsc")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.command);
        if self.is_gvisor() {
            command.args(GVISOR_FLAGS);
        }
        command.arg("--root").arg(&self.state).stdin(Stdio::null());
        let privilege = self.privilege.clone();
        #[expect(
            unsafe_code,
            reason = "the runtime must be where its containers were made"
        )]
        // SAFETY: between fork and exec one system call is made.
        unsafe {
            command.pre_exec(move || Ok(privilege.enter()?));
        }
        command
    }
}

/// The mount points of the pieces. Built before the fork, after which allocating memory is unsafe.
struct MountPoints {
    root: PathBuf,
    rootfs: PathBuf,
    envd: PathBuf,
    boot_id: PathBuf,
    egress_socket: PathBuf,
    envd_socket: PathBuf,
    node: Vec<PathBuf>,
    home: PathBuf,
    cache: PathBuf,
    lower: PathBuf,
    layer: PathBuf,
    /// The mount point of an image, with the ids that files have on disk.
    image: PathBuf,
    /// The layer's folders for package managers' downloads and for changes to the home, as on disk.
    disk_cache: PathBuf,
    disk_upper: PathBuf,
    /// The downloads' folder as the sandbox sees it.
    layer_cache: PathBuf,
    /// The layer's block device, if it is an image.
    disk: Option<PathBuf>,
    overlay: String,
}

impl MountPoints {
    fn below(root: &Path, pieces: &Pieces, disk: Option<&LoopDevice>, rootless: bool) -> Self {
        let below = |name: &str| root.join(name);
        let on_disk = match &pieces.home {
            Home::Overlay {
                layer: Layer::Folder(path),
                ..
            } => path.clone(),
            Home::Overlay { .. } | Home::Folder(_) => below("image"),
        };
        let shown = root.display();
        Self {
            root: root.to_owned(),
            rootfs: below("rootfs"),
            envd: below("envd"),
            boot_id: below(BOOT_ID),
            egress_socket: below("egress.sock"),
            envd_socket: below("envd.sock"),
            node: pieces.node.iter().map(|part| below(&part.name)).collect(),
            home: below("home"),
            cache: below("cache"),
            lower: below("lower"),
            layer: below("layer"),
            image: below("image"),
            disk_cache: on_disk.join(CACHE_FOLDER),
            disk_upper: on_disk.join("upper"),
            layer_cache: below("layer").join(CACHE_FOLDER),
            disk: disk.map(|disk| disk.path.clone()),
            overlay: format!(
                "lowerdir={shown}/lower,upperdir={shown}/layer/upper,workdir={shown}/layer/work{}",
                // An ordinary user may not write the attributes that overlays use by default.
                if rootless { ",userxattr" } else { "" }
            ),
        }
    }
}

/// Mounts the pieces at the assembly point, in a new mount namespace.
fn assemble(pieces: &Pieces, points: &MountPoints) -> nix::Result<()> {
    let none = None::<&str>;
    let folder = Mode::from_bits_truncate(0o755);
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(
        Some("tmpfs"),
        &points.root,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=755"),
    )?;
    let bind = |source: &Path, at: &Path| {
        mount(
            Some(source),
            at,
            none,
            MsFlags::MS_BIND | MsFlags::MS_REC,
            none,
        )
    };
    let bind_folder = |source: &Path, at: &Path| mkdir(at, folder).and_then(|()| bind(source, at));
    let bind_file = |source: &Path, at: &Path| {
        open(
            at,
            OFlag::O_CREAT | OFlag::O_CLOEXEC,
            Mode::from_bits_truncate(0o644),
        )
        .map(drop)
        .and_then(|()| bind(source, at))
    };
    bind_folder(&pieces.rootfs, &points.rootfs)?;
    bind_file(&pieces.envd, &points.envd)?;
    let boot_id = open(
        &points.boot_id,
        OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::from_bits_truncate(0o444),
    )?;
    // Readable inside whatever this process's umask is.
    fchmod(&boot_id, Mode::from_bits_truncate(0o444))?;
    write(&boot_id, pieces.boot_id.as_bytes())?;
    bind_file(&pieces.egress_socket, &points.egress_socket)?;
    if let Some(socket) = &pieces.envd_socket {
        bind_file(socket, &points.envd_socket)?;
    }
    for (part, at) in pieces.node.iter().zip(&points.node) {
        if part.source.is_dir() {
            bind_folder(&part.source, at)?;
        } else {
            bind_file(&part.source, at)?;
        }
    }
    // Mounts what belongs to the sandbox's user.
    let show = |source: &Path, at: &Path| match &pieces.range {
        Some(range) => mkdir(at, folder).and_then(|()| range.mount(source, at)),
        None => bind_folder(source, at),
    };
    match &pieces.home {
        Home::Folder(path) => {
            show(path, &points.home)?;
            make_folder_like(&points.cache, &points.home)
        }
        Home::Overlay { lower, layer } => {
            // Under names of our own, so that no path can contain characters that are special in
            // overlay options.
            show(lower, &points.lower)?;
            match (layer, &points.disk) {
                (Layer::Image(_), Some(disk)) => {
                    mkdir(&points.image, folder)?;
                    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
                    mount(
                        Some(disk),
                        &points.image,
                        Some("ext4"),
                        flags,
                        // An image's tables of inodes are holes, and stay such.
                        Some("discard,noinit_itable"),
                    )?;
                    make_folder_like(&points.disk_cache, &points.disk_upper)?;
                    show(&points.image, &points.layer)?;
                }
                (Layer::Image(path) | Layer::Folder(path), _) => {
                    make_folder_like(&points.disk_cache, &points.disk_upper)?;
                    show(path, &points.layer)?;
                }
            }
            bind_folder(&points.layer_cache, &points.cache)?;
            mkdir(&points.home, folder)?;
            mount(
                Some("overlay"),
                &points.home,
                Some("overlay"),
                MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
                Some(points.overlay.as_str()),
            )
        }
    }
}

/// Creates the folder with another one's owner, unless it exists, as on disks created with it.
fn make_folder_like(folder: &Path, other: &Path) -> nix::Result<()> {
    match mkdir(folder, Mode::from_bits_truncate(0o755)) {
        Ok(()) => {}
        Err(Errno::EEXIST) => return Ok(()),
        Err(error) => return Err(error),
    }
    let owner = stat(other)?;
    chown(
        folder,
        Some(Uid::from_raw(owner.st_uid)),
        Some(Gid::from_raw(owner.st_gid)),
    )
}

/// The message of the last error in the runtime's log.
fn last_error(log: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        level: String,
        msg: String,
    }
    let text = fs::read_to_string(log).ok()?;
    text.lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .find(|line| line.level == "error")
        .map(|line| line.msg)
}

/// Also searches the usual folders of runtimes, in case the user's PATH lacks them.
fn find_command(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    let folders = env::join_paths(folders).ok()?;
    which::which_in(name, Some(folders), env::current_dir().ok()?).ok()
}

/// The socket for a container's init, passed as its standard input.
pub(super) fn socket_as_stdin(listener: std::os::unix::net::UnixListener) -> Stdio {
    Stdio::from(OwnedFd::from(listener))
}
