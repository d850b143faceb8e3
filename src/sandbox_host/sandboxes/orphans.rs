//! Sandbox folders with an unreadable record. Their files may be somebody's work, so they stay for
//! a month.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Sandboxes;
use crate::sandbox_host::{disk, record::Record};

/// How long such a folder stays after its last change.
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The interval between two checks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

impl Sandboxes {
    /// Removes old ones, until the host stops.
    pub(super) async fn remove_orphans(self: Arc<Self>) {
        let root = self.settings().data_dir.join("sandboxes");
        loop {
            let root = root.clone();
            let removed =
                tokio::task::spawn_blocking(move || remove_old(&root, SystemTime::now())).await;
            match removed {
                Ok(Ok(removed)) => {
                    for folder in removed {
                        tracing::warn!(folder = %folder.display(), "removed a sandbox whose record could not be read for a month");
                    }
                }
                Ok(Err(error)) => tracing::warn!(%error, "the sandboxes' folders can't be read"),
                Err(error) => {
                    tracing::warn!(%error, "the sandboxes' folders can't be looked through")
                }
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }
}

/// Returns the removed folders.
fn remove_old(root: &Path, now: SystemTime) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(root)? {
        let folder = entry?.path();
        let is_unreadable = folder.is_dir() && Record::read(&folder).is_err();
        if is_unreadable
            && last_change(&folder)
                .is_some_and(|at| now.duration_since(at).is_ok_and(|age| age > AGE))
        {
            match disk::remove(&folder) {
                Ok(()) => removed.push(folder),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "a sandbox's folder can't be removed")
                }
            }
        }
    }
    Ok(removed)
}

/// The last change of the folder or of something directly in it, such as its layer's image.
fn last_change(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let changes = entries
        .chain([folder.to_owned()])
        .map(|path| fs::symlink_metadata(path)?.modified());
    changes.filter_map(Result::ok).max()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_record_can_not_be_read_goes_after_a_month_and_no_other_does() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, record: Option<&str>| {
            let folder = root.path().join(name);
            fs::create_dir_all(folder.join("layer/upper")).unwrap();
            if let Some(record) = record {
                fs::write(folder.join("sandbox.json"), record).unwrap();
            }
            folder
        };
        let (broken, unfinished) = (folder("ibroken", Some("{")), folder("iunfinished", None));
        let soon = SystemTime::now() + AGE / 2;
        assert_eq!(remove_old(root.path(), soon).unwrap(), [] as [PathBuf; 0]);
        let late = SystemTime::now() + AGE * 2;
        assert_eq!(
            remove_old(root.path(), late).unwrap(),
            std::slice::from_ref(&broken)
        );
        assert!(!broken.exists() && unfinished.exists());
    }
}
