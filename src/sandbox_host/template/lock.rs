//! The lock for changes to a data folder's templates: one build or removal at a time; a second
//! process fails with what is in progress.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, bail};

/// The right to change the templates, until it is dropped or its process ends.
pub(super) struct TemplatesLock {
    _file: File,
}

impl TemplatesLock {
    /// `work` describes what this process is about to do, such as `building template nextjs`. Fails
    /// if another process holds the lock.
    pub(super) fn acquire(data_dir: &Path, work: &str) -> anyhow::Result<Self> {
        let folder = data_dir.join("templates");
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
        let path = folder.join(".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("{} can't be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                let _ = file.read_to_string(&mut other);
                let other = if other.is_empty() {
                    "changing templates"
                } else {
                    other.trim()
                };
                bail!(
                    "another codeflow is {other} in {}; try again when it has ended",
                    data_dir.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} can't be locked", path.display()));
            }
        }
        file.set_len(0)?;
        file.write_all(work.as_bytes())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_says_what_the_first_one_does() {
        let data = tempfile::tempdir().unwrap();
        let first = TemplatesLock::acquire(data.path(), "building template nextjs").unwrap();
        let refusal = TemplatesLock::acquire(data.path(), "removing template base")
            .err()
            .unwrap()
            .to_string();
        assert!(
            refusal.starts_with("another codeflow is building template nextjs in")
                && refusal.lines().count() == 1,
            "{refusal}"
        );
        drop(first);
        drop(TemplatesLock::acquire(data.path(), "removing template base").unwrap());
        let third = TemplatesLock::acquire(data.path(), "x");
        assert!(third.is_ok());
    }
}
