//! The program as an ordinary user runs it: without root's rights, with subordinate ids.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, lchown},
    path::Path,
    process::Command,
};

use super::in_own_mounts;

/// An ordinary user that every machine has.
pub const NOBODY: u32 = 65_534;

fn give(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

/// Copies the program, by a process of its own: a file that this one had open for writing can't be
/// executed while another test's child, forked meanwhile, has not begun its program yet.
pub fn copy_program(to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_codeflow")).arg(to);
    assert!(copy.status().unwrap().success());
}

/// A command of the program as that user, who has subordinate ids for as long as the process runs.
/// The folder gets the program, where the user can execute it.
pub fn as_nobody(folder: &Path, data: &Path, arguments: &str) -> Command {
    for file in ["/etc/subuid", "/etc/subgid"] {
        // What the test's own ids are mounted over.
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
    }
    lchown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (program, ids) = (folder.join("codeflow"), folder.join("ids"));
    if !program.exists() {
        copy_program(&program);
    }
    fs::write(&ids, "nobody:300000:65536\n").unwrap();
    give(data);
    let mut command = in_own_mounts();
    command.arg(format!(
        "mount --bind {ids} /etc/subuid && mount --bind {ids} /etc/subgid && \
         exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {program} {arguments}",
        ids = ids.display(),
        program = program.display(),
    ));
    command.env("CODEFLOW_DATA_DIR", data);
    command
}
