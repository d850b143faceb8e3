//! The host's containers: assembling, limiting, starting and ending them. Sandboxes are containers
//! with a longer life (`sandboxes`); a template's build uses two briefly (`template`).

mod environment;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit};
use parking_lot::Mutex;

use super::{
    assembly::Assembly,
    bundle::{Container, ENVD, HOME, NodeMount},
    capacity::Capacity,
    disk::{self, Disks, Layer},
    egress::{Egress, Policy},
    envd,
    ids::{Range, Ranges},
    killed_hosts::{self, Claim},
    names::{digest, random_id},
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

    /// Finds out what works here by running a minimal container: with all limits, or else without
    /// those that fail.
    async fn look_around(&self, state: &Path) -> Result<Machine, String> {
        let privilege = Privilege::detect()
            .map_err(|error| format!("no sandboxes: {error:#}; or start CodeFlow as root"))?;
        let cgroup = cgroup::base().join(&self.name);
        let claim = Claim::take(&self.assembly, state, &cgroup).await;
        *self.claim.lock() = Some(claim.map_err(|error| format!("no sandboxes: {error:#}"))?);
        let images = Disks::prepare(state, self.settings.disk_mb, &privilege).await;
        let ranges = if privilege.is_rootless() {
            Err("only root can give each its own".to_owned())
        } else {
            Ranges::open().map_err(|error| format!("{error:#}"))
        };
        let trial = state.join("trial");
        let try_out = async |runtime: Runtime| {
            let attempt =
                async |limits: Option<&PathBuf>, disks: &Disks, ranges: Option<&Ranges>| {
                    let limits = limits.map(PathBuf::as_path);
                    self.try_out(&runtime, &privilege, limits, disks, ranges, &trial)
                        .await
                };
            let own = ranges.as_ref().ok();
            let Err(fault) = attempt(Some(&cgroup), &images, own).await else {
                return Ok((
                    runtime,
                    Some(cgroup.clone()),
                    images.clone(),
                    own.is_some(),
                    None,
                ));
            };
            let why = format!("{fault:#}");
            let folders = images.clone().without_images(&why);
            for own in own.map(Some).into_iter().chain([None]) {
                for (limits, disks) in [
                    (Some(&cgroup), &images),
                    (Some(&cgroup), &folders),
                    (None, &images),
                    (None, &folders),
                ] {
                    if attempt(limits, disks, own).await.is_ok() {
                        return Ok((
                            runtime,
                            limits.cloned(),
                            disks.clone(),
                            own.is_some(),
                            Some(why),
                        ));
                    }
                }
            }
            Err(fault)
        };
        let (runtime, cgroup, disks, own_ids, fault) =
            Runtime::find(self.settings.runtime.as_deref(), state, &privilege, try_out).await?;
        let fault = fault.unwrap_or_default();
        let mut unenforced = Vec::new();
        if cgroup.is_none() {
            unenforced.push(format!(
                "memory and processors (no control group can be made: {fault})"
            ));
        }
        unenforced.extend(disks.fault().map(str::to_owned));
        if !own_ids {
            let why = ranges.as_ref().err().unwrap_or(&fault);
            unenforced.push(format!(
                "what the kernel counts per user (all sandboxes share one range of user ids: {why})"
            ));
        }
        let capacity = Capacity::of(&self.settings);
        if let Some(cgroup) = &cgroup
            && let Err(fault) =
                Cgroup::new(cgroup.clone()).set_limits(capacity.memory, capacity.processes)
        {
            unenforced.push(format!(
                "memory and processes of all sandboxes together (the control group above them: \
                 {fault})"
            ));
        }
        let lacks_bound = !unenforced.is_empty();
        if let Some(cgroup) = &cgroup
            && !Cgroup::new(cgroup.clone()).divides_disk()
        {
            unenforced.push("shares of the disk's time (this kernel has no weights)".to_owned());
        }
        Ok(Machine {
            runtime,
            privilege,
            disks,
            ranges: ranges.ok().filter(|_| own_ids),
            cgroup,
            capacity,
            unenforced,
            lacks_bound,
        })
    }

    /// Runs a minimal container on a disk like a sandbox's.
    async fn try_out(
        &self,
        runtime: &Runtime,
        privilege: &Privilege,
        cgroup: Option<&Path>,
        disks: &Disks,
        ranges: Option<&Ranges>,
        folder: &Path,
    ) -> anyhow::Result<()> {
        if folder.exists() {
            disk::remove(folder)?;
        }
        let lower = folder.join("lower");
        fs::create_dir_all(&lower)?;
        disks.create(folder).await?;
        let socket = folder.join("egress.sock");
        fs::write(&socket, "")?;
        let id = format!("trial{}", random_id());
        let range = ranges.map(|ranges| ranges.take(&id)).transpose()?;
        let mut container = self.container(&id, privilege, range.as_deref(), Vec::new());
        container.cgroup = cgroup.map(|cgroup| cgroup.join(&id));
        container.args = vec!["/usr/bin/touch".to_owned(), format!("{HOME}/trial")];
        let home = Home::Overlay {
            lower,
            layer: Layer::of(folder),
        };
        let tried = runtime
            .run_to_end(&container, &self.pieces(home, socket, range), folder)
            .await;
        runtime.delete(&container.id).await?;
        if let Some(ranges) = ranges {
            ranges.release(&id);
        }
        disk::remove(folder)?;
        tried
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

    /// Creates the disk of a sandbox in its folder.
    pub(super) async fn make_disk(&self, folder: &Path) -> anyhow::Result<()> {
        self.machine()?.disks.create(folder).await
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
        let stdin = runtime::socket_as_stdin(sockets.listen_for_envd()?);
        let egress = Egress::new(id, &self.settings.egress_allow, boot.policy);
        let egress = tokio::spawn(egress.serve(sockets.listen_for_egress()?));
        let mut container = self.container(id, privilege, range.as_deref(), boot.envs);
        container.cpu_shares = boot.shares;
        container
            .env
            .push(envd::Orders { start: boot.start }.to_env()?);
        let pieces = self.pieces(boot.home, folder.join("sockets/egress.sock"), range);
        let started = match runtime.start(&container, &pieces, folder, stdin).await {
            Ok(()) => RunningContainer::attach(sockets, egress).await,
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
        }
    }

    fn pieces(&self, home: Home, egress_socket: PathBuf, range: Option<Arc<Range>>) -> Pieces {
        Pieces {
            rootfs: self.rootfs.folder.clone(),
            envd: self.settings.envd.clone(),
            node: self.node_mounts(),
            egress_socket,
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
