//! The folder where a container's pieces are mounted together: only this user may enter it, and
//! nobody else can have created it. The mounts are visible only to the container's own processes.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nix::unistd::geteuid;

/// How many times to create the folders, in case another host of the user removes them meanwhile.
const ATTEMPTS: usize = 5;

/// The assembly point of a host's containers.
#[derive(Debug, Clone)]
pub(super) struct Assembly {
    /// The user's folder in `/tmp`, for users without a runtime directory.
    above: Option<PathBuf>,
    folder: PathBuf,
}

impl Assembly {
    /// In `/run` for root; for others in the user's `XDG_RUNTIME_DIR`, else in a folder of theirs
    /// in `/tmp`.
    pub(super) fn new(name: &str) -> Self {
        let user = geteuid().as_raw();
        if user == 0 {
            return Self::below(None, Path::new("/run"), name);
        }
        let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        match given.filter(|folder| is_plain(folder) && is_private(folder, user)) {
            Some(folder) => Self::below(None, &folder, name),
            None => Self::in_tmp(Path::new("/tmp"), user, name),
        }
    }

    fn in_tmp(tmp: &Path, user: u32, name: &str) -> Self {
        let above = tmp.join(format!("codeflow-{user}"));
        Self::below(Some(above.clone()), &above, name)
    }

    fn below(above: Option<PathBuf>, folder: &Path, name: &str) -> Self {
        Self {
            above,
            folder: folder.join(name),
        }
    }

    /// The assembly points of all of this user's hosts.
    pub(super) fn all() -> Vec<PathBuf> {
        let (own, user) = (Self::new("codeflow-"), geteuid().as_raw());
        let entries = own
            .folder
            .parent()
            .and_then(|folder| fs::read_dir(folder).ok());
        let is_one = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name.as_encoded_bytes().starts_with(b"codeflow-") && is_private(&entry.path(), user)
        };
        let entries = entries.into_iter().flatten().flatten();
        entries.filter(is_one).map(|entry| entry.path()).collect()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates the folder. If it belongs to another user, the error says so.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let made = self
                .above
                .iter()
                .chain([&self.folder])
                .try_for_each(|folder| make_private(folder));
            let vanished = |error: &anyhow::Error| {
                let error = error.downcast_ref::<io::Error>();
                error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
            };
            match made {
                Err(error) if vanished(&error) && left > 0 => {}
                made => return made,
            }
        }
    }

    /// Removes the folder if it is empty.
    pub(super) fn remove(&self) {
        for folder in [Some(&self.folder), self.above.as_ref()]
            .into_iter()
            .flatten()
        {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Whether the path contains no character that is special in overlay options.
fn is_plain(folder: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    folder.is_absolute() && folder.as_os_str().as_encoded_bytes().iter().all(plain)
}

/// Whether it is a folder, not a link to one, that only this user may enter.
fn is_private(folder: &Path, user: u32) -> bool {
    let found = folder.symlink_metadata();
    found.is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0)
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.with_context(|| format!("{shown} can't be made")),
    }
    let user = geteuid().as_raw();
    let found = folder
        .symlink_metadata()
        .with_context(|| format!("{shown} can't be looked at"))?;
    if !found.is_dir() || found.uid() != user {
        bail!(
            "{shown} is another user's, or no folder: have it removed, or set XDG_RUNTIME_DIR to a folder that only you may enter"
        );
    }
    if found.mode() & 0o077 != 0 {
        // Nobody else can have created it, so an earlier version did.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_made_first_is_refused_and_ones_own_is_closed() {
        let tmp = tempfile::tempdir().unwrap();
        let user = geteuid().as_raw();
        let assembly = Assembly::in_tmp(tmp.path(), user, "codeflow-0123");
        let above = assembly.above.clone().unwrap();
        let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o777;
        assembly.make().unwrap();
        assert_eq!((mode(&above), mode(assembly.folder())), (0o700, 0o700));
        fs::set_permissions(&above, fs::Permissions::from_mode(0o777)).unwrap();
        assembly.make().unwrap();
        assert_eq!(mode(&above), 0o700);
        assembly.remove();
        assert!(!above.exists());

        let refused = || assembly.make().unwrap_err().to_string();
        fs::create_dir(tmp.path().join("elsewhere")).unwrap();
        symlink(tmp.path().join("elsewhere"), &above).unwrap();
        assert!(refused().contains("XDG_RUNTIME_DIR"), "{}", refused());
        fs::remove_file(&above).unwrap();
        fs::write(&above, "").unwrap();
        assert!(
            refused().contains(&above.display().to_string()),
            "{}",
            refused()
        );
        fs::remove_file(&above).unwrap();
        if user == 0 {
            fs::create_dir(&above).unwrap();
            chown(&above, Some(65_534), None).unwrap();
            assert!(refused().contains("another user's"), "{}", refused());
        }
    }

    #[test]
    fn a_runtime_folder_is_taken_when_only_its_user_may_enter_it() {
        let folder = tempfile::tempdir().unwrap();
        let user = geteuid().as_raw();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(is_private(folder.path(), user) && is_plain(folder.path()));
        assert!(!is_private(folder.path(), user + 1));
        assert!(!is_private(&folder.path().join("none"), user));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!is_private(folder.path(), user));
        for odd in ["run", "/run/a,b", "/run/a:b", "/run/a\\b"] {
            assert!(!is_plain(Path::new(odd)), "{odd}");
        }
    }
}
