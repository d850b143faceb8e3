//! Killed hosts: what they left running on the machine is found and removed by the next host that
//! starts, in whatever data folder, and by `codeflow doctor`. A host's assembly point contains a
//! file that lists what belongs to it, which it keeps locked while it lives.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

use super::{assembly::Assembly, privilege::Privilege, runtime::Runtime};
use crate::cgroup::Cgroup;

/// The file in a host's assembly point.
const CLAIM: &str = "host.json";
/// How many times the file is tried, and the pause in between: another host may be cleaning up
/// here.
const MAX_ATTEMPTS: usize = 100;
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// The possible leftovers of a host.
#[derive(Debug, Serialize, Deserialize)]
struct Remains {
    /// The folder with the runtime's state of the host's containers.
    state: PathBuf,
    /// The parent of the containers' control groups.
    cgroup: PathBuf,
}

/// The mark of a living host, until it is dropped or its process is killed.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    path: PathBuf,
}

/// A host whose process is gone, and that nobody else is removing.
pub struct KilledHost {
    claim: Claim,
    folder: PathBuf,
    remains: Remains,
}

impl Claim {
    /// Creates the assembly point, and marks it as that of a living host with this runtime state
    /// folder and this control group.
    pub(super) async fn take(
        assembly: &Assembly,
        state: &Path,
        cgroup: &Path,
    ) -> anyhow::Result<Self> {
        let path = assembly.folder().join(CLAIM);
        let remains = Remains {
            state: state.to_owned(),
            cgroup: cgroup.to_owned(),
        };
        for _ in 0..MAX_ATTEMPTS {
            assembly.make()?;
            if let Some(claim) = Self::lock(&path, true)? {
                claim.file.set_len(0)?;
                serde_json::to_writer(&claim.file, &remains)?;
                return Ok(claim);
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        bail!("{} is locked by another process", path.display())
    }

    /// `None` if another process holds it, or has just removed it.
    fn lock(path: &Path, create: bool) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).mode(0o600);
        let file = match options.custom_flags(O_NOFOLLOW).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let is_there = || fs::symlink_metadata(path).is_ok_and(|found| is_same(&found, &file));
        let locked = file.try_lock().is_ok() && is_there();
        let path = path.to_owned();
        Ok(locked.then_some(Self { file, path }))
    }

    /// Removes the mark: nothing of the host is left.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_same(found: &fs::Metadata, file: &File) -> bool {
    let id = |found: &fs::Metadata| (found.dev(), found.ino());
    file.metadata().is_ok_and(|file| id(&file) == id(found))
}

/// The killed hosts of this user. Living hosts, and those that an earlier version started, are not
/// included.
fn find() -> Vec<KilledHost> {
    let folders = Assembly::all().into_iter();
    let hosts = folders.filter_map(|folder| {
        let claim = Claim::lock(&folder.join(CLAIM), false).ok()??;
        let remains: Remains = serde_json::from_reader(&claim.file).ok()?;
        // The group has the folder's name, so that no other group is ever ended.
        let is_its_own = remains.cgroup.file_name() == folder.file_name();
        is_its_own.then_some(KilledHost {
            claim,
            folder,
            remains,
        })
    });
    hosts.collect()
}

/// Ends what killed hosts left running.
pub(super) async fn end_all(runtime: &Runtime) {
    for host in find() {
        tracing::info!(folder = %host.folder.display(), "removing what a killed server left");
        host.end(Some(runtime)).await;
    }
}

impl KilledHost {
    /// The killed hosts that used this data folder.
    pub fn of(data_dir: &Path) -> Vec<Self> {
        let mut hosts = find();
        hosts.retain(|host| host.remains.state.starts_with(data_dir));
        hosts
    }

    /// The folder where its containers were assembled.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends its containers, and removes everything of it outside its data folder.
    pub async fn remove(self) -> anyhow::Result<()> {
        let privilege = Privilege::detect()?;
        let state = &self.remains.state;
        let runtime = Runtime::find(None, state, &privilege, async |found| Ok(found)).await;
        self.end(runtime.ok().as_ref()).await;
        Ok(())
    }

    async fn end(self, runtime: Option<&Runtime>) {
        Cgroup::new(self.remains.cgroup).end().await;
        // Also ends containers without a control group, which only the runtime knows of.
        if let Some(runtime) = runtime
            && self.remains.state.is_dir()
        {
            let runtime = runtime.at(&self.remains.state);
            for id in runtime.list().await.unwrap_or_default() {
                if let Err(error) = runtime.delete(&id).await {
                    tracing::warn!(
                        sandbox.id = id,
                        error = format!("{error:#}"),
                        "it can't be ended"
                    );
                }
            }
        }
        self.claim.remove();
        let _ = fs::remove_dir(self.folder);
    }
}
