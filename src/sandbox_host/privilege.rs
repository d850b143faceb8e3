//! The privileges used to create containers: root's, or an ordinary user's inside a user namespace
//! of its own (rootless).
//!
//! Rootless, the host's user is root in that namespace and the sandbox's user in its containers, so
//! a sandbox's files belong to the host's user. All other ids are the user's subordinate ones
//! (`/etc/subuid`, `/etc/subgid`), which belong to nobody.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::chown,
    },
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, bail};
use nix::{
    sched::{CloneFlags, setns},
    unistd::{Uid, User, getegid, geteuid},
};

use super::{
    bundle::{IdMapping, USER},
    ids::{COUNT as IDS, STORED},
    user_namespace::new_namespace,
};

/// The rights of this process.
#[derive(Debug, Clone)]
pub(super) struct Privilege {
    /// The id mapping of a container without a range of its own.
    pub ids: Vec<IdMapping>,
    /// The id of the sandbox's user and group on this machine's disk, if it is not the host's own
    /// user.
    user: Option<u32>,
    /// For an ordinary user: the namespace in which containers are created.
    namespace: Option<Arc<OwnedFd>>,
}

impl Privilege {
    /// Detects this process's privileges. The error says what an ordinary user lacks.
    pub(super) fn detect() -> anyhow::Result<Self> {
        let user = geteuid();
        if user.is_root() {
            let ids = vec![IdMapping {
                inside: 0,
                outside: STORED,
                count: IDS,
            }];
            return Ok(Self {
                ids,
                user: Some(STORED + USER),
                namespace: None,
            });
        }
        Ok(Self {
            ids: rootless_ids(),
            user: None,
            namespace: Some(Arc::new(rootless_namespace(user)?)),
        })
    }

    /// Makes the sandbox's user the owner of one of the host's files or folders.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.user {
            Some(user) => chown(path, Some(user), Some(user)),
            None => Ok(()),
        }
    }

    /// Whether an ordinary user creates the containers.
    pub(super) fn is_rootless(&self) -> bool {
        self.namespace.is_some()
    }

    /// Joins the namespace. For use between fork and exec.
    pub(super) fn enter(&self) -> nix::Result<()> {
        match &self.namespace {
            Some(namespace) => setns(namespace.as_fd(), CloneFlags::CLONE_NEWUSER),
            None => Ok(()),
        }
    }
}

/// A container's ids within the namespace: its user is the host's, which is root there.
fn rootless_ids() -> Vec<IdMapping> {
    let ids = |inside, outside, count| IdMapping {
        inside,
        outside,
        count,
    };
    vec![
        ids(0, 1, 1),
        ids(1, 2, USER - 1),
        ids(USER, 0, 1),
        ids(USER + 1, USER + 1, IDS - USER),
    ]
}

/// Creates a user namespace in which the user is root and has their subordinate ids.
fn rootless_namespace(user: Uid) -> anyhow::Result<OwnedFd> {
    let name = User::from_uid(user)?
        .map(|user| user.name)
        .unwrap_or_default();
    let (users, groups) = (
        subordinate("/etc/subuid", &name, user.as_raw())?,
        subordinate("/etc/subgid", &name, user.as_raw())?,
    );
    new_namespace(None, |process| {
        map_ids(process, user.as_raw(), users, groups)
    })
}

fn map_ids(process: &str, user: u32, users: u32, groups: u32) -> anyhow::Result<()> {
    for (tool, own, first) in [
        ("newuidmap", user, users),
        ("newgidmap", getegid().as_raw(), groups),
    ] {
        let output = Command::new(tool)
            .arg(process)
            .args([
                "0",
                &own.to_string(),
                "1",
                "1",
                &first.to_string(),
                &IDS.to_string(),
            ])
            .stdin(Stdio::null())
            .output();
        let output = output.with_context(|| {
            format!("{tool} is missing (Debian's package uidmap, elsewhere shadow-utils or shadow)")
        })?;
        if !output.status.success() {
            bail!(
                "{tool} refused: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    Ok(())
}

/// The first of the user's subordinate ids in a file of lines `<name or id>:<first>:<count>`.
fn subordinate(file: &str, name: &str, id: u32) -> anyhow::Result<u32> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    first_range(&text, name, id).with_context(|| {
        format!("{name} has no {IDS} ids in {file}; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}")
    })
}

fn first_range(text: &str, name: &str, id: u32) -> Option<u32> {
    text.lines().find_map(|line| {
        let (owner, range) = line.split_once(':')?;
        let (first, count) = range.split_once(':')?;
        let owns = owner == name || owner.parse() == Ok(id);
        (owns && count.trim().parse::<u32>().ok()? >= IDS).then(|| first.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_and_by_number() {
        let text =
            "alice:100000:65536\n1001:300000:65536\nbob:200000:10\nbob:500000:65536\nbroken\n";
        assert_eq!(first_range(text, "alice", 1000), Some(100_000));
        assert_eq!(first_range(text, "carol", 1001), Some(300_000));
        assert_eq!(first_range(text, "bob", 1002), Some(500_000));
        assert_eq!(first_range(text, "dave", 1003), None);
    }

    #[test]
    fn rootless_every_id_inside_is_another_one_outside() {
        let ids = rootless_ids();
        let mut seen = std::collections::HashSet::new();
        for range in &ids {
            for index in 0..range.count {
                assert!(
                    seen.insert((range.inside + index, ())),
                    "{} twice",
                    range.inside + index
                );
                // Root, and the subordinate ids after it.
                assert!(range.outside + index <= IDS);
            }
        }
        let outside: std::collections::HashSet<u32> = ids
            .iter()
            .flat_map(|range| range.outside..range.outside + range.count)
            .collect();
        assert_eq!(outside.len(), seen.len());
        assert!(ids.contains(&IdMapping {
            inside: USER,
            outside: 0,
            count: 1
        }));
    }
}
