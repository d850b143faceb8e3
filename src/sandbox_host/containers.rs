//! The containers of this host: what each is assembled from and limited to, started and ended. Sandboxes are these with a life of
//! their own (`sandboxes`); a template's build uses two for a moment (`template`).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{
    bundle::{Container, ENVD, HOME},
    egress::{Egress, Policy},
    envd,
    live::{Live, Sockets},
    record::random_id,
    rootfs::Rootfs,
    runtime::{self, Home, Pieces, Runtime},
    template,
};
use crate::config;

/// What containers are made with.
pub(super) struct Containers {
    settings: config::SandboxHost,
    runtime: Result<Runtime, String>,
    rootfs: Rootfs,
    /// What control group and assembly point are called: another process's in another folder are others.
    name: String,
    /// Held until this is closed: two processes in one folder would end each other's containers.
    lock: File,
}

impl Containers {
    /// Finds a runtime and ends what a process of the same purpose left running when it died.
    pub(super) async fn prepare(settings: config::SandboxHost, purpose: &str) -> anyhow::Result<Self> {
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
        let rootfs = Rootfs::prepare(folder.join("rootfs")).context("the sandboxes' root can't be made")?;
        let mut host = Self {
            name: format!("codeflow-{}", template::digest([state.as_os_str().as_encoded_bytes()])),
            settings,
            runtime: Err(String::new()),
            rootfs,
            lock,
        };
        host.runtime = Runtime::find(host.settings.runtime.as_deref(), &state, |runtime| {
            host.try_out(runtime, state.join("trial"))
        })
        .await;
        if let Ok(runtime) = &host.runtime {
            for id in runtime.list().await? {
                tracing::info!(sandbox.id = id, "ending a container that an earlier process left running");
                runtime.delete(&id).await?;
            }
        }
        Ok(host)
    }

    /// Runs the smallest container there is.
    async fn try_out(&self, runtime: Runtime, folder: PathBuf) -> anyhow::Result<()> {
        let home = folder.join("home");
        fs::create_dir_all(&home)?;
        let socket = folder.join("egress.sock");
        fs::write(&socket, "")?;
        let mut container = self.container(&format!("trial{}", random_id()), Vec::new());
        container.args = vec!["/usr/bin/true".to_owned()];
        let pieces = self.pieces(Home::Folder(home), socket);
        let tried = runtime.run_to_end(&container, &pieces, &folder).await;
        runtime.delete(&container.id).await?;
        fs::remove_dir_all(&folder)?;
        tried
    }

    /// Which runtime is used, or what to do to have one.
    pub(super) fn runtime(&self) -> Result<&Runtime, &str> {
        self.runtime.as_ref().map_err(String::as_str)
    }

    pub(super) fn settings(&self) -> &config::SandboxHost {
        &self.settings
    }

    /// Starts a container with this home and start command, and waits until it answers.
    pub(super) async fn start(
        &self,
        id: &str,
        folder: &Path,
        home: Home,
        start: Option<String>,
        envs: Vec<String>,
        policy: Policy,
    ) -> anyhow::Result<Live> {
        let runtime = self.runtime().map_err(|fault| anyhow::anyhow!("{fault}"))?;
        let sockets = Sockets::new(&folder.join("sockets"))?;
        let stdin = runtime::socket_as_stdin(sockets.listen_for_envd()?);
        let egress = Egress::new(id, &self.settings.egress_allow, policy);
        let egress = tokio::spawn(egress.serve(sockets.listen_for_egress()?));
        let mut container = self.container(id, envs);
        container.env.push(envd::Orders { start }.to_env()?);
        let pieces = self.pieces(home, folder.join("sockets/egress.sock"));
        let started = match runtime.start(&container, &pieces, folder, stdin).await {
            Ok(()) => Live::attach(sockets, egress).await,
            Err(error) => {
                egress.abort();
                Err(error)
            }
        };
        if started.is_err() {
            let _ = runtime.delete(id).await;
        }
        started
    }

    /// Ends a container: its dev server gets a moment to end by itself when `gently`.
    pub(super) async fn stop(&self, id: &str, folder: &Path, live: &Live, gently: bool) {
        if gently {
            live.stop().await;
        }
        if let Ok(runtime) = self.runtime()
            && let Err(error) = runtime.delete(id).await
        {
            tracing::error!(
                sandbox.id = id,
                error = format!("{error:#}"),
                "the sandbox's container can't be ended"
            );
        }
        let _ = fs::remove_dir_all(folder.join("sockets"));
    }

    fn container(&self, id: &str, envs: Vec<String>) -> Container {
        let proxy = format!("http://127.0.0.1:{}", envd::PROXY_PORT);
        let mut env = vec![
            format!("PATH={}", self.rootfs.path()),
            format!("HOME={HOME}"),
            format!("SANDBOX_DOMAIN={}", self.settings.domain),
        ];
        env.extend(
            [
                "USER=user",
                "LOGNAME=user",
                "SHELL=/bin/bash",
                "LANG=C.UTF-8",
                "TMPDIR=/tmp",
                "E2B_SANDBOX=true",
            ]
            .map(str::to_owned),
        );
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            env.push(format!("{name}={proxy}"));
        }
        env.extend(["NO_PROXY", "no_proxy"].map(|name| format!("{name}=localhost,127.0.0.1,::1")));
        // What asks the network for nothing that the user wants.
        env.extend(
            [
                "NEXT_TELEMETRY_DISABLED=1",
                "npm_config_update_notifier=false",
                "npm_config_fund=false",
                "npm_config_audit=false",
                // The home is the app: what programs note for themselves is elsewhere.
                "npm_config_cache=/tmp/.npm",
                "XDG_CACHE_HOME=/tmp/.cache",
                "XDG_CONFIG_HOME=/tmp/.config",
            ]
            .map(str::to_owned),
        );
        env.extend(Rootfs::certificates().map(|path| format!("NODE_EXTRA_CA_CERTS={path}")));
        env.extend(envs);
        Container {
            id: id.to_owned(),
            args: vec![ENVD.to_owned(), "envd".to_owned()],
            env,
            memory_mb: self.settings.memory_mb,
            cpus: self.settings.cpus,
            pids: self.settings.pids,
            assembly: self.assembly(),
            cgroup: self.cgroup(id),
            shared: self.rootfs.shared.clone(),
            own_node: self.rootfs.node.is_some(),
        }
    }

    fn pieces(&self, home: Home, egress_socket: PathBuf) -> Pieces {
        Pieces {
            rootfs: self.rootfs.folder.clone(),
            envd: self.settings.envd.clone(),
            node: self.rootfs.node.clone(),
            egress_socket,
            home,
        }
    }

    /// A container's control group, below the hierarchies' roots.
    pub(super) fn cgroup(&self, id: &str) -> PathBuf {
        PathBuf::from(format!("/{}/{id}", self.name))
    }

    /// In a folder that everybody may enter, as the sandbox's user must.
    fn assembly(&self) -> PathBuf {
        Path::new("/run").join(&self.name)
    }

    /// Removes what is left on the machine when the last container has ended, and lets another process work here.
    pub(super) async fn close(&self) {
        runtime::remove_leftovers(&self.name, &self.assembly()).await;
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the sandboxes' folder can't be unlocked");
        }
    }
}
