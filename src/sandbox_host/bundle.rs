//! A sandbox's OCI bundle, built by one pure function, so that everything that confines a sandbox
//! can be read and tested here.

use std::path::{Path, PathBuf};

use oci_spec::{
    OciSpecError,
    runtime::{
        Capabilities, Hook, HookBuilder, HooksBuilder, LinuxBuilder, LinuxCapabilitiesBuilder,
        LinuxCpuBuilder, LinuxIdMapping, LinuxIdMappingBuilder, LinuxMemoryBuilder,
        LinuxNamespaceBuilder, LinuxNamespaceType, LinuxPidsBuilder, LinuxResources,
        LinuxResourcesBuilder, Mount, MountBuilder, PosixRlimit, PosixRlimitBuilder,
        PosixRlimitType, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
    },
};

use super::seccomp;

/// The user of a sandbox, inside of it.
pub(super) const USER: u32 = 1000;
/// The home, where the app is.
pub(super) const HOME: &str = "/home/user";
/// The caches of package managers: on the sandbox's disk, but outside the home, which is the app.
pub(super) const CACHE: &str = "/opt/cache";
/// This binary, as the sandbox sees it.
pub(super) const ENVD: &str = "/codeflow";
/// The socket to the host's egress proxy, as the sandbox sees it.
pub(super) const EGRESS_SOCKET: &str = "/run/egress.sock";
/// The socket that envd dials under a runtime that passes no listening sockets on, as the sandbox
/// sees it.
pub(super) const ENVD_SOCKET: &str = "/run/envd.sock";
/// The location of Node.js if it is outside `/usr` on the host.
pub(super) const NODE: &str = "/opt/node";
/// The file among a container's pieces with the id of its boot.
pub(super) const BOOT_ID: &str = "boot_id";
/// The period of processor quotas, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// The size of `/tmp` in MiB; its contents count as the sandbox's memory.
const TMP_MB: u64 = 512;

/// The parts of a container.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub id: String,
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub memory_mb: u64,
    pub cpus: f64,
    pub pids: u32,
    /// The folder where its pieces are mounted, in a mount namespace of its own.
    pub assembly: PathBuf,
    /// The container's control group, relative to the hierarchy's root; `None` if control groups
    /// can't be used.
    pub cgroup: Option<PathBuf>,
    /// Its share of contended processors, where 1024 is the normal one.
    pub cpu_shares: u64,
    /// The maximum number of open files per process.
    pub open_files: u64,
    /// Processes and threads of its user, if no control group limits them.
    pub processes: u64,
    /// How much earlier than others its processes are killed if the machine runs out of memory, up
    /// to 1000 (proc_pid_oom_score_adj(5)).
    pub oom_score: i32,
    /// The mapping of its users and groups.
    pub ids: Vec<IdMapping>,
    /// The user namespace to join; `None` to create one owned by the runtime's user.
    pub user_namespace: Option<PathBuf>,
    /// Host folders and files mounted read-only at the same path inside.
    pub shared: Vec<PathBuf>,
    /// A Node.js from outside `/usr`.
    pub node: Vec<NodeMount>,
    /// Whether it runs in gVisor, where envd dials the host instead of listening for it.
    pub is_gvisor: bool,
    /// Whether its boot id is among its pieces.
    pub own_boot_id: bool,
}

/// A range of ids in a container, and the ids it maps to outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IdMapping {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

/// A file or folder of the machine, mounted read-only below [`NODE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeMount {
    pub source: PathBuf,
    /// Where it is assembled.
    pub name: String,
    /// Where it is inside.
    pub inside: PathBuf,
}

/// The container's configuration, as the OCI runtime specification defines it.
pub(super) fn spec(container: &Container) -> Result<Spec, OciSpecError> {
    let no_capabilities = || Capabilities::new();
    let process = ProcessBuilder::default()
        .terminal(false)
        .user(
            UserBuilder::default()
                .uid(USER)
                .gid(USER)
                .umask(0o022u32)
                .build()?,
        )
        .args(container.args.clone())
        .env(container.env.clone())
        .cwd(HOME)
        .capabilities(
            LinuxCapabilitiesBuilder::default()
                .bounding(no_capabilities())
                .effective(no_capabilities())
                .inheritable(no_capabilities())
                .permitted(no_capabilities())
                .ambient(no_capabilities())
                .build()?,
        )
        .rlimits(rlimits(container)?)
        .oom_score_adj(container.oom_score)
        .no_new_privileges(true)
        .build()?;
    let users = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::User);
    let users = match &container.user_namespace {
        Some(path) => users.path(path.clone()),
        None => users,
    };
    let namespaces = [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Network,
        LinuxNamespaceType::Cgroup,
    ];
    let mut linux = LinuxBuilder::default()
        .uid_mappings(mappings(&container.ids)?)
        .gid_mappings(mappings(&container.ids)?)
        .namespaces(
            std::iter::once(users.build())
                .chain(namespaces.map(|typ| LinuxNamespaceBuilder::default().typ(typ).build()))
                .collect::<Result<Vec<_>, _>>()?,
        )
        .seccomp(seccomp::profile(container.is_gvisor)?)
        .masked_paths(MASKED.map(str::to_owned).to_vec())
        .readonly_paths(READ_ONLY.map(str::to_owned).to_vec());
    if let Some(cgroup) = &container.cgroup {
        linux = linux
            .cgroups_path(cgroup.clone())
            .resources(resources(container)?);
    }
    let hooks = container.own_boot_id.then(|| set_boot_id(container));
    SpecBuilder::default()
        .version("1.0.2")
        .hostname("sandbox")
        .root(
            RootBuilder::default()
                .path(container.assembly.join("rootfs"))
                .readonly(true)
                .build()?,
        )
        .process(process)
        .mounts(mounts(container)?)
        .hooks(
            HooksBuilder::default()
                .create_container(Vec::from_iter(hooks.transpose()?))
                .build()?,
        )
        .linux(linux.build()?)
        .build()
}

/// Gives the container a boot id of its own, as a machine that boots has. Runtimes mount nothing
/// else below `/proc`. Where it can't be mounted, the container has the machine's.
fn set_boot_id(container: &Container) -> Result<Hook, OciSpecError> {
    let own = container.assembly.join(BOOT_ID);
    let shown = (container.assembly.join("rootfs")).join("proc/sys/kernel/random/boot_id");
    let mount = "mount -o bind,ro,nosuid,nodev,noexec \"$0\" \"$1\" 2>/dev/null || :";
    HookBuilder::default()
        .path("/bin/sh")
        .args([
            "sh".to_owned(),
            "-c".to_owned(),
            mount.to_owned(),
            own.display().to_string(),
            shown.display().to_string(),
        ])
        .env(["PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned()])
        .timeout(10)
        .build()
}

/// The limits that the runtime sets. In a namespace that its user does not own it may not be able
/// to; there the limits are inherited.
fn rlimits(container: &Container) -> Result<Vec<PosixRlimit>, OciSpecError> {
    if container.user_namespace.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![
        limit(PosixRlimitType::RlimitCore, 0)?,
        limit(PosixRlimitType::RlimitNofile, container.open_files)?,
        // Counted within the container's user namespace; it also applies if control groups can't be
        // used.
        limit(PosixRlimitType::RlimitNproc, container.processes)?,
    ])
}

fn limit(typ: PosixRlimitType, value: u64) -> Result<PosixRlimit, OciSpecError> {
    PosixRlimitBuilder::default()
        .typ(typ)
        .hard(value)
        .soft(value)
        .build()
}

fn resources(container: &Container) -> Result<LinuxResources, OciSpecError> {
    let memory = i64::try_from(container.memory_mb << 20).unwrap_or(i64::MAX);
    LinuxResourcesBuilder::default()
        .memory(
            LinuxMemoryBuilder::default()
                .limit(memory)
                .swap(memory)
                .build()?,
        )
        .cpu(
            LinuxCpuBuilder::default()
                .period(CPU_PERIOD)
                .quota(quota(container.cpus))
                .shares(container.cpu_shares)
                .build()?,
        )
        .pids(
            LinuxPidsBuilder::default()
                .limit(i64::from(container.pids))
                .build()?,
        )
        .build()
}

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float to integer cast saturates, and the variable's range is small"
)]
fn quota(cpus: f64) -> i64 {
    (cpus * CPU_PERIOD as f64) as i64
}

fn mappings(ids: &[IdMapping]) -> Result<Vec<LinuxIdMapping>, OciSpecError> {
    let mapping = |ids: &IdMapping| {
        LinuxIdMappingBuilder::default()
            .container_id(ids.inside)
            .host_id(ids.outside)
            .size(ids.count)
            .build()
    };
    ids.iter().map(mapping).collect()
}

fn mounts(container: &Container) -> Result<Vec<Mount>, OciSpecError> {
    let special = |kind: &str, destination: &str, options: &[&str]| {
        MountBuilder::default()
            .typ(kind)
            .source(kind)
            .destination(destination)
            .options(
                options
                    .iter()
                    .map(|option| (*option).to_owned())
                    .collect::<Vec<_>>(),
            )
            .build()
    };
    let bind = |source: PathBuf, destination: &Path, options: &[&str]| {
        MountBuilder::default()
            .typ("bind")
            .source(source)
            .destination(destination)
            .options(
                ["rbind", "nosuid", "nodev"]
                    .iter()
                    .chain(options)
                    .map(|option| (*option).to_owned())
                    .collect::<Vec<_>>(),
            )
            .build()
    };
    let tmp = format!("size={TMP_MB}m");
    let mut mounts = vec![
        special("proc", "/proc", &["nosuid", "nodev", "noexec"])?,
        special(
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=64k"],
        )?,
        special(
            "devpts",
            "/dev/pts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
            ],
        )?,
        special(
            "tmpfs",
            "/dev/shm",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=64m"],
        )?,
        special("tmpfs", "/tmp", &["nosuid", "nodev", "mode=1777", &tmp])?,
    ];
    for shared in &container.shared {
        mounts.push(bind(shared.clone(), shared, &["ro"])?);
    }
    let assembled = |name: &str| container.assembly.join(name);
    for part in &container.node {
        mounts.push(bind(assembled(&part.name), &part.inside, &["ro"])?);
    }
    mounts.push(bind(assembled("envd"), Path::new(ENVD), &["ro"])?);
    mounts.push(bind(
        assembled("egress.sock"),
        Path::new(EGRESS_SOCKET),
        &[],
    )?);
    if container.is_gvisor {
        mounts.push(bind(assembled("envd.sock"), Path::new(ENVD_SOCKET), &[])?);
    }
    mounts.push(bind(assembled("home"), Path::new(HOME), &[])?);
    mounts.push(bind(assembled("cache"), Path::new(CACHE), &[])?);
    Ok(mounts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bundle_confines_everything_it_can() {
        let container = Container {
            id: "i1".to_owned(),
            args: vec!["/codeflow".to_owned(), "envd".to_owned()],
            env: vec!["A=1".to_owned()],
            memory_mb: 2048,
            cpus: 1.5,
            pids: 512,
            assembly: "/run/codeflow".into(),
            cgroup: Some("/codeflow/i1".into()),
            cpu_shares: 1024,
            open_files: 65_536,
            processes: 512,
            oom_score: 200,
            ids: vec![IdMapping {
                inside: 0,
                outside: 100_000,
                count: 65_536,
            }],
            user_namespace: None,
            shared: vec!["/usr".into()],
            node: Vec::new(),
            is_gvisor: false,
            own_boot_id: true,
        };
        let unlimited = Container {
            cgroup: None,
            ..container.clone()
        };
        let unlimited = serde_json::to_value(spec(&unlimited).unwrap()).unwrap();
        let own_ids = Container {
            user_namespace: Some("/proc/1/fd/9".into()),
            ..container.clone()
        };
        let own_ids = serde_json::to_value(spec(&own_ids).unwrap()).unwrap();
        assert_eq!(
            own_ids["linux"]["namespaces"][0],
            json!({"type": "user", "path": "/proc/1/fd/9"})
        );
        assert_eq!(own_ids["process"]["rlimits"], json!([]));
        let mut spec = serde_json::to_value(spec(&container).unwrap()).unwrap();
        // The profile has its own test.
        assert_eq!(spec["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
        spec["linux"]["seccomp"] = json!(null);
        let bind = |source: &str, destination: &str, read_only: bool| {
            let mut options = vec!["rbind", "nosuid", "nodev"];
            options.extend(read_only.then_some("ro"));
            json!({"destination": destination, "type": "bind", "source": source, "options": options})
        };
        let ids = json!([{"hostID": 100_000, "containerID": 0, "size": 65_536}]);
        assert_eq!(
            spec,
            json!({
                "ociVersion": "1.0.2",
                "annotations": {},
                "hostname": "sandbox",
                "root": {"path": "/run/codeflow/rootfs", "readonly": true},
                "process": {
                    "terminal": false,
                    "user": {"uid": 1000, "gid": 1000, "umask": 0o022},
                    "args": ["/codeflow", "envd"],
                    "env": ["A=1"],
                    "cwd": "/home/user",
                    "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
                    "rlimits": [
                        {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
                        {"type": "RLIMIT_NOFILE", "hard": 65_536, "soft": 65_536},
                        {"type": "RLIMIT_NPROC", "hard": 512, "soft": 512},
                    ],
                    "noNewPrivileges": true,
                    "oomScoreAdj": 200,
                },
                "mounts": [
                    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"]},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
                    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
                    {"destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs",
                     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"]},
                    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", "size=512m"]},
                    bind("/usr", "/usr", true),
                    bind("/run/codeflow/envd", "/codeflow", true),
                    bind("/run/codeflow/egress.sock", "/run/egress.sock", false),
                    bind("/run/codeflow/home", "/home/user", false),
                    bind("/run/codeflow/cache", "/opt/cache", false),
                ],
                "hooks": {
                    "createContainer": [{
                        "path": "/bin/sh",
                        "args": ["sh", "-c", "mount -o bind,ro,nosuid,nodev,noexec \"$0\" \"$1\" 2>/dev/null || :",
                                 "/run/codeflow/boot_id", "/run/codeflow/rootfs/proc/sys/kernel/random/boot_id"],
                        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                        "timeout": 10,
                    }],
                },
                "linux": {
                    "uidMappings": ids.clone(),
                    "gidMappings": ids,
                    "resources": {
                        "memory": {"limit": 2_147_483_648_u64, "swap": 2_147_483_648_u64},
                        "cpu": {"quota": 150_000, "period": 100_000, "shares": 1024},
                        "pids": {"limit": 512},
                    },
                    "cgroupsPath": "/codeflow/i1",
                    "namespaces": [
                        {"type": "user"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"},
                        {"type": "cgroup"},
                    ],
                    "seccomp": null,
                    "maskedPaths": MASKED,
                    "readonlyPaths": READ_ONLY,
                },
            })
        );
        // Without control groups, nothing else is different.
        assert_eq!(unlimited["linux"]["cgroupsPath"], json!(null));
        for part in ["root", "process", "mounts"] {
            assert_eq!(unlimited[part], spec[part]);
        }
    }
}
