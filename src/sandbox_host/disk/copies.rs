//! Copies of layers, for snapshots and forks. They share their blocks with the original where the
//! machine's file system can.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use rustix::fs::{Mode, OFlags};
use tokio::process::Command;

use super::{CACHE_FOLDER, Disks, FOLDER, IMAGE, Layer, check_free, done, is_attached};
use crate::sandbox_host::bundle::CACHE;

/// How long the mounts of an ended container may hold its image.
const MAX_WAIT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(25);

impl Disks {
    /// Copies the layer in one folder to another one, which has none. Nothing may write to it
    /// meanwhile, and an image must have been [flushed](flush) or [released](Layer::released).
    pub(in crate::sandbox_host) async fn copy(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let layer = Layer::of(from);
        check_free(to, layer.used())?;
        let mut copy = Command::new("cp");
        copy.arg("--reflink=auto");
        match layer {
            Layer::Image(image) => {
                copy.arg("--sparse=auto").arg(image).arg(to.join(IMAGE));
            }
            Layer::Folder(layer) => {
                let folder = to.join(FOLDER);
                for name in ["", "work"] {
                    fs::create_dir(folder.join(name))?;
                }
                // Overlays keep in the attributes which folders hide the template's.
                copy.args(["-dR", "--preserve=mode,ownership,timestamps,links,xattr"])
                    .args([layer.join("upper"), layer.join(CACHE_FOLDER)])
                    .arg(folder);
                let privilege = self.privilege.clone();
                #[expect(
                    unsafe_code,
                    reason = "an ordinary user's files inside belong to several ids"
                )]
                // SAFETY: between fork and exec one system call is made.
                unsafe {
                    copy.pre_exec(move || Ok(privilege.enter()?));
                }
            }
        }
        done(&mut copy).await
    }
}

impl Layer {
    /// Waits until no container holds the image.
    pub(in crate::sandbox_host) async fn released(&self) -> io::Result<()> {
        let Self::Image(image) = self else {
            return Ok(());
        };
        let image = image.canonicalize()?;
        let waiting = async {
            while is_attached(&image) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        Ok(tokio::time::timeout(MAX_WAIT, waiting).await?)
    }

    /// Stores a copy safely: it outlives a sudden power-off.
    pub(in crate::sandbox_host) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Image(image) => File::open(image)?.sync_all(),
            Self::Folder(folder) => Ok(rustix::fs::syncfs(File::open(folder)?)?),
        }
    }
}

/// Writes to its image all that these frozen processes of a container have written. The path has no
/// part that the sandbox could exchange: the root is read-only inside.
pub(in crate::sandbox_host) fn flush(processes: impl IntoIterator<Item = i32>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut fault = io::ErrorKind::NotFound.into();
    for process in processes {
        // A process that has ended, and waits for its parent, has no root any more.
        match rustix::fs::open(format!("/proc/{process}/root{CACHE}"), flags, Mode::empty()) {
            Ok(folder) => return Ok(rustix::fs::syncfs(folder)?),
            Err(error) => fault = error.into(),
        }
    }
    Err(fault)
}
