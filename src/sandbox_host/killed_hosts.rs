//! Hosts that were killed: what they left running on the machine is found and removed by the next
//! host that starts, whichever data folder it works in, and by `codeflow doctor`. A host's
//! assembly point holds a file that says what there is of it, and that it locks while it lives.

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
/// How many times the file is asked for, and the pause between: another host may be removing what
/// an earlier one left here.
const MAX_ATTEMPTS: usize = 100;
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// What a host may leave behind.
#[derive(Debug, Serialize, Deserialize)]
struct Remains {
    /// Where the runtime keeps what it knows of the host's containers.
    state: PathBuf,
    /// What the containers' control groups are in.
    cgroup: PathBuf,
}

/// The mark of a living host, until this is dropped or its process is killed.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    path: PathBuf,
}

/// A host whose process is gone, and which nobody else removes meanwhile.
pub struct KilledHost {
    claim: Claim,
    folder: PathBuf,
    remains: Remains,
}

impl Claim {
    /// Makes the assembly point, and marks it as that of a living host, whose runtime has this
    /// state folder and whose containers are in this control group.
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

    /// `None` when another process has it, or has just removed it.
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

    /// Removes it: nothing is left of the host.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_same(found: &fs::Metadata, file: &File) -> bool {
    let id = |found: &fs::Metadata| (found.dev(), found.ino());
    file.metadata().is_ok_and(|file| id(&file) == id(found))
}

/// The hosts of this user that were killed. Those that live, or that an earlier version started,
/// are not among them.
fn find() -> Vec<KilledHost> {
    let folders = Assembly::all().into_iter();
    let hosts = folders.filter_map(|folder| {
        let claim = Claim::lock(&folder.join(CLAIM), false).ok()??;
        let remains: Remains = serde_json::from_reader(&claim.file).ok()?;
        // The group has the folder's name: no other one is ever ended.
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
    /// Those that worked in this data folder.
    pub fn of(data_dir: &Path) -> Vec<Self> {
        let mut hosts = find();
        hosts.retain(|host| host.remains.state.starts_with(data_dir));
        hosts
    }

    /// Where its containers were put together.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends its containers, and removes all that is left of it outside of its data folder.
    pub async fn remove(self) -> anyhow::Result<()> {
        let privilege = Privilege::detect()?;
        let state = &self.remains.state;
        let runtime = Runtime::find(None, state, &privilege, async |found| Ok(found)).await;
        self.end(runtime.ok().as_ref()).await;
        Ok(())
    }

    async fn end(self, runtime: Option<&Runtime>) {
        Cgroup::new(self.remains.cgroup).end().await;
        // What the runtime knows of them; also containers that had no control group.
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
