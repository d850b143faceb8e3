//! A file as envd describes it: E2B's `EntryInfo`.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::metadata;

/// The entry at the path, in protobuf's JSON. A symbolic link is described by its target's
/// properties, with the target's absolute path added.
pub(super) fn info(path: &Path) -> io::Result<Value> {
    let own = fs::symlink_metadata(path)?;
    let link = own.is_symlink();
    // A dangling link is described as itself.
    let meant = if link {
        fs::metadata(path).unwrap_or_else(|_| own.clone())
    } else {
        own.clone()
    };
    let kind = if meant.is_dir() {
        "FILE_TYPE_DIRECTORY"
    } else if meant.is_symlink() {
        "FILE_TYPE_SYMLINK"
    } else if meant.is_file() {
        "FILE_TYPE_FILE"
    } else {
        // A pipe, a socket or a device.
        "FILE_TYPE_UNSPECIFIED"
    };
    let mode = own.permissions().mode() & 0o7777;
    let modified: DateTime<Utc> = own.modified()?.into();
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let mut entry = json!({
        "name": name,
        "type": kind,
        "path": path.to_string_lossy(),
        "size": own.len().to_string(),
        "mode": mode,
        "permissions": permissions(mode, own.is_dir(), link),
        "owner": owner(own.uid()),
        "group": owner(own.gid()),
        "modifiedTime": modified.to_rfc3339_opts(SecondsFormat::Nanos, true),
    });
    if link {
        entry["symlinkTarget"] = json!(target(path)?.to_string_lossy());
    }
    let metadata = metadata::read(path);
    if !metadata.is_empty() {
        entry["metadata"] = json!(metadata);
    }
    Ok(entry)
}

/// The absolute path that a link leads to; that of a dangling one is what it names.
fn target(link: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(link) {
        Ok(target) => Ok(target),
        Err(_) => Ok(link.parent().unwrap_or(link).join(fs::read_link(link)?)),
    }
}

/// The permissions as `ls -l` shows them, but with Go's letter for a link.
fn permissions(mode: u32, folder: bool, link: bool) -> String {
    let kind = if link {
        'L'
    } else if folder {
        'd'
    } else {
        '-'
    };
    let bits = (0..9).map(|bit| {
        if mode & (0o400 >> bit) != 0 {
            ['r', 'w', 'x'][bit % 3]
        } else {
            '-'
        }
    });
    std::iter::once(kind).chain(bits).collect()
}

fn owner(id: u32) -> String {
    match id {
        1000 => "user".to_owned(),
        // The machine's own files have no owner inside.
        65_534 => "nobody".to_owned(),
        id => id.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_what_it_is_and_a_link_what_it_points_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "hello").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let entry = info(&file).unwrap();
        assert_eq!(
            (entry["type"].as_str(), entry["size"].as_str()),
            (Some("FILE_TYPE_FILE"), Some("5"))
        );
        assert_eq!(
            (entry["mode"].as_u64(), entry["permissions"].as_str()),
            (Some(0o640), Some("-rw-r-----"))
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let entry = info(&link).unwrap();
        assert_eq!(entry["type"], "FILE_TYPE_DIRECTORY");
        assert_eq!(entry["symlinkTarget"], folder.path().to_str().unwrap());
        assert!(entry["permissions"].as_str().unwrap().starts_with('L'));
        for (name, names) in [("relative", "a.txt"), ("dangling", "none")] {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(names, &link).unwrap();
            let target = folder.path().join(names);
            assert_eq!(info(&link).unwrap()["symlinkTarget"], json!(target));
        }
        assert!(info(&folder.path().join("none")).is_err());
    }
}
