//! Snapshots: copies of sandboxes' layers, from which others start. Each is a folder
//! `snapshots/<id>`, and complete once it has its record.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{disk, record};

const RECORD: &str = "snapshot.json";
/// The maximum length of a name, in characters.
const MAX_NAME: usize = 128;

/// A snapshot, as stored in `snapshot.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub id: String,
    pub name: Option<String>,
    /// The sandbox it was taken of.
    pub sandbox: String,
    /// The template and its build that the files are layered over.
    pub template: String,
    pub version: String,
    /// Unix time in milliseconds.
    pub created_at: u64,
}

impl Snapshot {
    /// Completes the snapshot in this folder. Blocks until the record is on disk.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        record::replace(folder, RECORD, self)
    }

    /// Whether the text is its id or its name.
    pub(super) fn is_called(&self, text: &str) -> bool {
        self.id == text || self.name.as_deref() == Some(text)
    }
}

/// The folder with the snapshots' folders.
pub(super) fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("snapshots")
}

/// All snapshots, the youngest first. Those whose record can't be read are left out.
pub(super) fn all(data_dir: &Path) -> Vec<Snapshot> {
    let folders = folders(data_dir).into_iter();
    let mut snapshots: Vec<Snapshot> = folders
        .filter_map(|folder| serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok())
        .collect();
    snapshots.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    snapshots
}

/// The snapshot with this id, or the youngest with this name.
pub(super) fn find(data_dir: &Path, id_or_name: &str) -> Option<Snapshot> {
    let mut snapshots = all(data_dir).into_iter();
    snapshots.find(|snapshot| snapshot.is_called(id_or_name))
}

/// Folders of snapshots that were never finished, or whose removal was interrupted.
pub(super) fn unfinished(data_dir: &Path) -> Vec<PathBuf> {
    let mut folders = folders(data_dir);
    folders.retain(|folder| !folder.join(RECORD).exists());
    folders
}

fn folders(data_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root(data_dir)).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Removes a snapshot's folder, the record first: the remains of an interrupted removal are no
/// snapshot.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(RECORD)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk::remove(folder),
    }
}

/// The name in lower case, as E2B has it. The error says what a name is.
pub(super) fn checked_name(name: &str) -> Result<String, String> {
    let name = name.to_lowercase();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(name);
    }
    Err(format!(
        "validation error: a snapshot's name has 1 to {MAX_NAME} letters, digits, dashes and underscores"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_found_by_its_id_and_the_youngest_by_its_name() {
        let data = tempfile::tempdir().unwrap();
        assert!(all(data.path()).is_empty());
        let add = |id: &str, name: Option<&str>, created_at| {
            let folder = root(data.path()).join(id);
            fs::create_dir_all(&folder).unwrap();
            let snapshot = Snapshot {
                id: id.to_owned(),
                name: name.map(str::to_owned),
                sandbox: "ibox".to_owned(),
                template: "base".to_owned(),
                version: "v1".to_owned(),
                created_at,
            };
            snapshot.write(&folder).unwrap();
        };
        add("iold", Some("mine"), 1);
        add("iyoung", Some("mine"), 2);
        add("inameless", None, 3);
        let unfinished_one = root(data.path()).join("ihalf");
        fs::create_dir_all(&unfinished_one).unwrap();

        let ids = |snapshots: Vec<Snapshot>| {
            let ids = snapshots.into_iter().map(|snapshot| snapshot.id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(all(data.path())), ["inameless", "iyoung", "iold"]);
        for (called, found) in [
            ("mine", Some("iyoung")),
            ("iold", Some("iold")),
            ("ihalf", None),
            ("", None),
            ("../sandboxes/ibox", None),
        ] {
            let id = find(data.path(), called).map(|snapshot| snapshot.id);
            assert_eq!(id.as_deref(), found, "{called}");
        }
        assert_eq!(unfinished(data.path()), [unfinished_one]);
        remove(&root(data.path()).join("iyoung")).unwrap();
        assert_eq!(find(data.path(), "mine").unwrap().id, "iold");
    }

    #[test]
    fn a_name_is_plain() {
        assert_eq!(checked_name("My-Snap_1").as_deref(), Ok("my-snap_1"));
        for odd in ["", "a/b", "a:b", "ä", "..", "a b", &"x".repeat(129)] {
            assert!(checked_name(odd).is_err(), "{odd}");
        }
    }
}
