//! The folder with all of CodeFlow's data. Only its own user may enter it, because it contains
//! conversations, keys and apps.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use super::ConfigError;

/// Folders of the system (Filesystem Hierarchy Standard 3.0), which must stay open to others.
const OF_THE_SYSTEM: [&str; 27] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/opt",
    "/var/spool",
    "/var/tmp",
];

/// Creates the data folder, or closes an existing one to other users. A folder that another user
/// owns and shares stays as it is. Fails if others use the folder too.
pub fn prepare_data_folder(folder: &Path) -> Result<(), ConfigError> {
    let wrong =
        |what: String| ConfigError::new("CODEFLOW_DATA_DIR", folder.display().to_string(), what);
    let failed = |error: std::io::Error| wrong(format!("the folder can't be created ({error})"));
    if !folder.exists() {
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above).map_err(failed)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map_err(failed),
        }
    }
    let place = folder.canonicalize().map_err(failed)?;
    let found = place.metadata().map_err(failed)?;
    if !found.is_dir() {
        return Err(wrong("this is a file; name a folder".to_owned()));
    }
    if found.mode() & 0o077 == 0 || found.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    if found.mode() & 0o1000 != 0 || is_shared(&place) {
        let own = folder.join("codeflow");
        let what = format!(
            "others use this folder; name one of CodeFlow's own, such as {}",
            own.display()
        );
        return Err(wrong(what));
    }
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).map_err(failed)
}

/// Whether it belongs to the system, or contains home directories.
fn is_shared(place: &Path) -> bool {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let homes = users
        .lines()
        .filter_map(|line| line.split(':').nth(5))
        .map(str::to_owned);
    let mut homes = homes.chain(std::env::var("HOME"));
    OF_THE_SYSTEM
        .iter()
        .any(|folder| Path::new(folder) == place)
        || homes.any(|home| is_above(place, Path::new(&home)))
}

fn is_above(place: &Path, other: &Path) -> bool {
    other != place && other.starts_with(place)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn mode(folder: &Path) -> u32 {
        folder.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn only_its_user_may_enter_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        prepare_data_folder(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        // One of an earlier version.
        fs::write(data.join("codeflow.sqlite"), "kept").unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        prepare_data_folder(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        assert_eq!(fs::read(data.join("codeflow.sqlite")).unwrap(), b"kept");
        // Opened through a link, which remains a link.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o711)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&data, &link).unwrap();
        prepare_data_folder(&link).unwrap();
        assert_eq!(mode(&data), 0o700);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(
            prepare_data_folder(&file)
                .unwrap_err()
                .to_string()
                .contains("CODEFLOW_DATA_DIR")
        );
    }

    #[test]
    fn what_others_share_is_refused_and_left_as_it_is() {
        let shared = tempfile::tempdir().unwrap();
        fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let refused = prepare_data_folder(shared.path()).unwrap_err().to_string();
        assert!(
            refused.contains("such as") && !refused.contains('\n'),
            "{refused}"
        );
        assert_eq!(mode(shared.path()), 0o1777);
        for place in ["/", "/usr", "/var/lib", "/home", "/tmp"] {
            assert!(is_shared(Path::new(place)), "{place}");
        }
        assert!(is_above(Path::new("/srv"), Path::new("/srv/app")));
        assert!(!is_above(Path::new("/srv/app"), Path::new("/srv/app")));
        assert!(!is_above(Path::new("/srv/ap"), Path::new("/srv/app")));
    }
}
