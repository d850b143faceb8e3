//! Leftovers while no host is running, for `codeflow doctor`: sandbox folders, files of interrupted
//! work, and what a killed host left running.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

pub use super::killed_hosts::KilledHost;
use super::{clock::now, disk, record::Record, snapshots};

/// A template's build takes minutes; an older one was abandoned.
const OLD_BUILD: Duration = Duration::from_secs(24 * 3600);

/// A sandbox's folder.
pub struct SandboxFolder {
    pub path: PathBuf,
    /// `None` if the sandbox was never finished.
    pub sandbox: Option<StoredSandbox>,
}

/// A sandbox, as recorded on disk.
pub struct StoredSandbox {
    pub id: String,
    /// The metadata it was created with.
    pub metadata: HashMap<String, String>,
    pub age: Duration,
}

/// The sandboxes' folders, except those with an unreadable record: their files may be somebody's
/// work.
pub fn folders(data_dir: &Path) -> io::Result<Vec<SandboxFolder>> {
    let mut folders = Vec::new();
    for path in entries(&data_dir.join("sandboxes"))? {
        let Ok(record) = Record::read(&path) else {
            continue;
        };
        let sandbox = record.map(|record| StoredSandbox {
            age: Duration::from_millis(now().saturating_sub(record.started_at)),
            id: record.id,
            metadata: record.metadata,
        });
        folders.push(SandboxFolder { path, sandbox });
    }
    Ok(folders)
}

/// Files and folders of interrupted work: half-written records, unfinished snapshots, and template
/// builds over a day old.
pub fn stale_files(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut stale = snapshots::unfinished(data_dir);
    for folder in entries(&data_dir.join("sandboxes"))? {
        stale.push(folder.join("sandbox.json.part"));
    }
    for folder in entries(&data_dir.join("templates"))? {
        let build = folder.join(".building");
        if is_old(&build) {
            stale.push(build);
        }
    }
    stale.retain(|path| path.exists());
    Ok(stale)
}

/// Removes a sandbox's folder, or a stale file or folder.
pub fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        disk::remove(path)
    } else {
        fs::remove_file(path)
    }
}

fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|changed| {
        let age = SystemTime::now().duration_since(changed);
        age.is_ok_and(|age| age > OLD_BUILD)
    })
}

/// The folder's entries, sorted by name; empty if it is missing.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found?,
    };
    let mut entries = found
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.retain(|path| path.is_dir());
    entries.sort();
    Ok(entries)
}
