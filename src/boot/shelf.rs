//! The blobs of a backup: one file each, named by its hash. A blob never changes, so another backup
//! into the same folder only adds new ones.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::store::BlobShelf;

/// A folder of blobs, with a subfolder for each hash prefix.
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(super) fn of(backup: &Path) -> Self {
        Self {
            folder: backup.join("blobs"),
        }
    }

    fn place(&self, hash: &str) -> PathBuf {
        let beginning = hash.get(..2).unwrap_or("-");
        self.folder.join(beginning).join(hash)
    }

    /// Removes all files except these. Returns how many.
    pub(super) fn keep_only(&self, hashes: &[String]) -> io::Result<u64> {
        let kept: HashSet<&str> = hashes.iter().map(String::as_str).collect();
        let mut removed = 0;
        for folder in read_dir(&self.folder)? {
            for file in read_dir(&folder)? {
                let name = file.file_name().and_then(|name| name.to_str());
                if name.is_none_or(|name| !kept.contains(name)) {
                    fs::remove_file(&file)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// The folder's entries; empty if it is missing.
fn read_dir(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl BlobShelf for Shelf {
    fn has(&self, hash: &str) -> bool {
        self.place(hash).exists()
    }

    fn put(&mut self, hash: &str, content: &[u8]) -> io::Result<()> {
        let place = self.place(hash);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        let part = place.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(content)?;
        file.sync_data()?;
        fs::rename(part, place)
    }

    fn get(&self, hash: &str) -> io::Result<Vec<u8>> {
        let content = fs::read(self.place(hash))?;
        if hex::encode(Sha256::digest(&content)) == hash {
            Ok(content)
        } else {
            Err(io::Error::other("its content is not what its name says"))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_kept_whole_and_one_that_was_changed_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::of(folder.path());
        let hash = hex::encode(Sha256::digest(b"content"));
        assert!(!shelf.has(&hash));
        assert_eq!(shelf.keep_only(&[]).unwrap(), 0);
        shelf.put(&hash, b"content").unwrap();
        assert!(shelf.has(&hash));
        assert_eq!(shelf.get(&hash).unwrap(), b"content");
        assert_eq!(shelf.keep_only(std::slice::from_ref(&hash)).unwrap(), 0);
        fs::write(shelf.place(&hash), "contenT").unwrap();
        assert!(shelf.get(&hash).is_err());
        assert_eq!(shelf.keep_only(&[]).unwrap(), 1);
        assert!(!shelf.has(&hash));
    }
}
