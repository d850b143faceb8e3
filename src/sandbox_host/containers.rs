//! The host's containers: assembling, limiting, starting and ending them. Sandboxes are containers
//! with a longer life (`sandboxes`); a template's build uses two briefly (`template`).

mod disks;
mod environment;
mod trial;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    assembly::Assembly,
    bundle::{Container, ENVD, NodeMount},
    capacity::Capacity,
    disk::Disks,
    egress::{Egress, Policy},
    envd,
    ids::{Range, Ranges},
    killed_hosts::{self, Claim},
    names::digest,
    node::Node,
    oom,
    privilege::Privilege,
    rootfs::Rootfs,
    running_container::{RunningContainer, Sockets},
    runtime::{self, Home, Pieces, Runtime},
};
use crate::{
    cgroup::{self, Cgroup},
    config,
};

pub(super) use crate::cgroup::USUAL_SHARES;

/// The maximum number of open files per process in a sandbox.
const MAX_OPEN_FILES: u64 = 65_536;

/// Creates containers.
pub(super) struct Containers {
    settings: config::SandboxHost,
    machine: Result<Machine, String>,
    rootfs: Rootfs,
    /// The name of the control group and assembly point; it differs for processes in other folders.
    name: String,
    assembly: Assembly,
    /// Proves that this host is alive.
    claim: Mutex<Option<Claim>>,
    /// Held until this is closed, because two processes in one folder would end each other's
    /// containers.
    lock: File,
}

/// The options of a container's start.
pub(super) struct Boot {
    pub home: Home,
    /// The command that its init keeps running, and the command's port.
    pub start: Option<(String, u16)>,
    /// Additional environment entries.
    pub envs: Vec<String>,
    pub policy: Policy,
    /// Its share of contended processors.
    pub shares: u64,
}

/// What the host can do on this machine.
struct Machine {
    runtime: Runtime,
    privilege: Privilege,
    disks: Disks,
    /// The containers' id ranges; `None` if all containers use the same ids.
    ranges: Option<Ranges>,
    /// The parent of the containers' control groups; `None` if they can't be used.
    cgroup: Option<PathBuf>,
    /// The limits for all containers together.
    capacity: Capacity,
    /// The limits that can't be enforced, and why.
    unenforced: Vec<String>,
    /// Whether one of them is a hard limit: missing shares only cost others time.
    lacks_bound: bool,
}

impl Containers {
    /// Finds a runtime, and ends what a killed process with the same purpose left running. Fails,
    /// leaving nothing on the machine, if limits can't be enforced and `SANDBOX_STRICT` requires
    /// them all.
    pub(super) async fn prepare(
        settings: config::SandboxHost,
        purpose: &str,
    ) -> anyhow::Result<Self> {
        config::prepare_data_folder(&settings.data_dir)?;
        let folder = settings.data_dir.join("sandbox-host");
        let state = folder.join(purpose);
        fs::create_dir_all(&state).with_context(|| format!("{} can't be made", state.display()))?;
        let lock = File::create(state.join("lock"))?;
        if lock.try_lock().is_err() {
            anyhow::bail!(
                "another codeflow works in {}; stop it, or set CODEFLOW_DATA_DIR to another folder",
                settings.data_dir.display()
            );
        }
        let rootfs =
            Rootfs::prepare(folder.join("rootfs")).context("the sandboxes' root can't be made")?;
        let name = format!(
            "codeflow-{}",
            digest([state.as_os_str().as_encoded_bytes()])
        );
        let mut host = Self {
            assembly: Assembly::new(&name),
            claim: Mutex::default(),
            name,
            settings,
            machine: Err(String::new()),
            rootfs,
            lock,
        };
        host.machine = host.look_around(&state).await;
        if let Err(error) = host.check_and_clean_up().await {
            host.close().await;
            return Err(error);
        }
        Ok(host)
    }

    async fn check_and_clean_up(&self) -> anyhow::Result<()> {
        let unenforced = self.unenforced().join("; ");
        let machine = self.machine.as_ref();
        if self.settings.strict && machine.is_ok_and(|machine| machine.lacks_bound) {
            anyhow::bail!(
                "SANDBOX_STRICT=1, and this machine can't enforce the sandboxes' limits on \
                 {unenforced}"
            );
        }
        if !unenforced.is_empty() {
            tracing::warn!("sandboxes run without limits on {unenforced}");
        }
        self.end_all().await?;
        if let Ok(machine) = &self.machine {
            if let Some(cgroup) = &machine.cgroup {
                Cgroup::new(cgroup.clone()).remove_empty_children();
            }
            killed_hosts::end_all(&machine.runtime).await;
        }
        Ok(())
    }

    /// Ends every running container: an earlier process died, or its work was abandoned.
    async fn end_all(&self) -> anyhow::Result<()> {
        let Ok(machine) = &self.machine else {
            return Ok(());
        };
        for id in machine.runtime.list().await? {
            tracing::info!(sandbox.id = id, "ending a container that was left running");
            self.delete(&id).await?;
        }
        Ok(())
    }

    fn machine(&self) -> anyhow::Result<&Machine> {
        self.machine
            .as_ref()
            .map_err(|fault| anyhow::anyhow!("{fault}"))
    }

    /// The runtime in use, or what to do to get one.
    pub(super) fn runtime(&self) -> Result<&Runtime, &str> {
        self.machine
            .as_ref()
            .map(|machine| &machine.runtime)
            .map_err(String::as_str)
    }

    /// The limits that this machine can't enforce, and why.
    pub(super) fn unenforced(&self) -> &[String] {
        self.machine
            .as_ref()
            .map_or(&[], |machine| &machine.unenforced)
    }

    pub(super) fn settings(&self) -> &config::SandboxHost {
        &self.settings
    }

    /// Makes the sandbox's user the owner of one of the host's files or folders.
    pub(super) fn give(&self, path: &Path) -> anyhow::Result<()> {
        Ok(self.machine()?.privilege.give(path)?)
    }

    /// Starts a container with this home and start command, and waits until it answers.
    pub(super) async fn start(
        &self,
        id: &str,
        folder: &Path,
        boot: Boot,
    ) -> anyhow::Result<RunningContainer> {
        let Machine {
            runtime,
            privilege,
            ranges,
            ..
        } = self.machine()?;
        self.assembly.make()?;
        let range = ranges.as_ref().map(|ranges| ranges.take(id)).transpose()?;
        let sockets = Sockets::new(&folder.join("sockets"))?;
        let is_gvisor = runtime.is_gvisor();
        let (stdin, dialled) = if is_gvisor {
            self.rootfs.prepare_for_dialling()?;
            (Stdio::null(), Some(sockets.listen_for_dialling_envd()?))
        } else {
            (runtime::socket_as_stdin(sockets.listen_for_envd()?), None)
        };
        let egress = Egress::new(id, &self.settings.egress_allow, boot.policy);
        let egress = tokio::spawn(egress.serve(sockets.listen_for_egress()?));
        let mut container = self.container(id, privilege, range.as_deref(), boot.envs);
        container.cpu_shares = boot.shares;
        container
            .env
            .push(envd::Orders { start: boot.start }.to_env()?);
        container.is_gvisor = is_gvisor;
        container.own_boot_id = !is_gvisor;
        let mut pieces = self.pieces(boot.home, folder.join("sockets/egress.sock"), range);
        pieces.envd_socket = is_gvisor.then(|| folder.join("sockets/envd.sock"));
        let started = match runtime.start(&container, &pieces, folder, stdin).await {
            Ok(()) => RunningContainer::attach(sockets, dialled, egress).await,
            Err(error) => {
                egress.abort();
                Err(error)
            }
        };
        if started.is_err() {
            let _ = self.delete(id).await;
        }
        started
    }

    /// Stops a container; its dev server gets a moment to end by itself.
    pub(super) async fn stop(&self, id: &str, folder: &Path, container: &RunningContainer) {
        container.stop().await;
        self.end(id, folder).await;
    }

    /// Ends a container at once.
    pub(super) async fn end(&self, id: &str, folder: &Path) {
        if let Err(error) = self.delete(id).await {
            tracing::error!(
                sandbox.id = id,
                error = format!("{error:#}"),
                "the sandbox's container can't be ended"
            );
        }
        let _ = fs::remove_dir_all(folder.join("sockets"));
    }

    /// Ends everything in a container, even if it is frozen.
    async fn delete(&self, id: &str) -> anyhow::Result<()> {
        if let Some(cgroup) = self.cgroup(id)
            && let Err(error) = cgroup.thaw()
        {
            tracing::warn!(sandbox.id = id, %error, "the sandbox can't be thawed, and is ended as it is");
        }
        let machine = self.machine()?;
        machine.runtime.delete(id).await?;
        if let Some(ranges) = &machine.ranges {
            ranges.release(id);
        }
        Ok(())
    }

    fn container(
        &self,
        id: &str,
        privilege: &Privilege,
        range: Option<&Range>,
        envs: Vec<String>,
    ) -> Container {
        let mut env = environment::of_all(&self.settings, &self.rootfs);
        env.extend(envs);
        Container {
            id: id.to_owned(),
            args: vec![ENVD.to_owned(), "envd".to_owned()],
            env,
            memory_mb: self.settings.memory_mb,
            cpus: self.settings.cpus,
            pids: self.settings.pids,
            assembly: self.assembly.folder().to_owned(),
            cgroup: self.cgroup_path(id),
            cpu_shares: USUAL_SHARES,
            open_files: own_limit(Resource::RLIMIT_NOFILE).min(MAX_OPEN_FILES),
            processes: own_limit(Resource::RLIMIT_NPROC).min(u64::from(self.settings.pids)),
            oom_score: oom::above_own(oom::SANDBOX),
            ids: range.map_or_else(|| privilege.ids.clone(), Range::ids),
            user_namespace: range.map(Range::namespace),
            shared: self.rootfs.shared.clone(),
            node: self.node_mounts(),
            is_gvisor: false,
            own_boot_id: false,
        }
    }

    fn pieces(&self, home: Home, egress_socket: PathBuf, range: Option<Arc<Range>>) -> Pieces {
        Pieces {
            rootfs: self.rootfs.folder.clone(),
            envd: self.settings.envd.clone(),
            boot_id: format!("{}\n", Uuid::now_v7()),
            node: self.node_mounts(),
            egress_socket,
            envd_socket: None,
            home,
            range,
        }
    }

    fn node_mounts(&self) -> Vec<NodeMount> {
        self.rootfs
            .node
            .as_ref()
            .map(Node::mounts)
            .unwrap_or_default()
    }

    fn cgroup_path(&self, id: &str) -> Option<PathBuf> {
        Some(self.machine.as_ref().ok()?.cgroup.as_ref()?.join(id))
    }

    /// The limits for all containers together, and their control group; `None` if control groups
    /// can't be used.
    pub(super) fn capacity(&self) -> Option<(Capacity, Cgroup)> {
        let machine = self.machine.as_ref().ok()?;
        Some((machine.capacity, Cgroup::new(machine.cgroup.clone()?)))
    }

    /// A container's control group; `None` where they can't be used.
    pub(super) fn cgroup(&self, id: &str) -> Option<Cgroup> {
        self.cgroup_path(id).map(Cgroup::new)
    }

    /// Ends what is still running, and removes the remaining folder and control groups if they are
    /// empty. Then another process may work here.
    pub(super) async fn close(&self) {
        if let Err(error) = self.end_all().await {
            tracing::warn!(
                error = format!("{error:#}"),
                "containers are left behind until the next start"
            );
        }
        let used = self
            .machine
            .as_ref()
            .ok()
            .and_then(|machine| machine.cgroup.clone());
        // A trial may have left one if no runtime was found to work.
        let cgroup = used.unwrap_or_else(|| cgroup::base().join(&self.name));
        Cgroup::new(cgroup).remove().await;
        if let Some(claim) = self.claim.lock().take() {
            claim.remove();
        }
        self.assembly.remove();
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the sandboxes' folder can't be unlocked");
        }
    }
}

/// How much of a resource this process may use and pass on.
fn own_limit(resource: Resource) -> u64 {
    getrlimit(resource).map_or(u64::MAX, |(_, hard)| hard)
}
