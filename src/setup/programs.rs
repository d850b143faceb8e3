//! System requirements: programs from the package manager, and control groups.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::check::{Check, State};
use crate::config;

/// The oldest Node.js that apps run with (Next.js 16).
const OLDEST_NODE: u32 = 20;

/// The first line that the program prints; `None` if it doesn't start.
fn said(program: &str) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The OCI runtime that makes containers.
pub(super) struct Runtime;

impl Check for Runtime {
    fn subject(&self) -> String {
        "OCI runtime".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        // Includes folders that an administrator's PATH may lack.
        let places = ["runc", "crun", "/usr/sbin/runc", "/usr/sbin/crun"];
        Ok(match places.into_iter().find_map(said) {
            Some(version) => State::Is(version),
            None => State::ByHand("install runc or crun: apt-get install runc".to_owned()),
        })
    }
}

/// Node.js, which runs apps.
pub(super) struct Node;

impl Check for Node {
    fn subject(&self) -> String {
        "Node.js".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let how = format!(
            "install Node.js {OLDEST_NODE} or newer, with npm: apt-get install nodejs npm, or \
             where that is older, from https://nodejs.org"
        );
        let Some(version) = said("node") else {
            return Ok(State::ByHand(how));
        };
        let major = version.trim_start_matches('v').split('.').next();
        let is_new =
            major.is_some_and(|major| major.parse().is_ok_and(|it: u32| it >= OLDEST_NODE));
        Ok(match (is_new, said("npm")) {
            (true, Some(npm)) => State::Is(format!("{version}, npm {npm}")),
            (true, None) => State::ByHand(format!("{version} has no npm beside it; {how}")),
            (false, _) => State::ByHand(format!("{version} is too old; {how}")),
        })
    }
}

/// `mkfs.ext4`, which formats sandboxes' disks.
pub(super) struct Mkfs;

impl Check for Mkfs {
    fn subject(&self) -> String {
        "mkfs.ext4".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let folders = ["/usr/sbin", "/sbin"].map(Path::new);
        let is_there = which::which("mkfs.ext4").is_ok()
            || folders
                .iter()
                .any(|folder| folder.join("mkfs.ext4").exists());
        Ok(if is_there {
            State::Is("installed".to_owned())
        } else {
            State::ByHand("install e2fsprogs: apt-get install e2fsprogs".to_owned())
        })
    }
}

/// Chromium, which loads apps before they count as done.
pub(super) struct Chromium;

impl Check for Chromium {
    fn subject(&self) -> String {
        "Chromium".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        // The service's variables count, not this command's.
        let none = config::Env::of(Vec::<(String, String)>::new(), "");
        Ok(match config::Browser::from_env(&none)?.program {
            Some(program) => State::Is(program.display().to_string()),
            None => State::Advice(
                "apps are called done without their pages having been loaded; apt-get install \
                 chromium"
                    .to_owned(),
            ),
        })
    }
}

/// Control groups, which limit sandboxes.
pub(super) struct ControlGroups;

impl Check for ControlGroups {
    fn subject(&self) -> String {
        "control groups".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let root = Path::new("/sys/fs/cgroup");
        let found = std::fs::read_to_string(root.join("cgroup.controllers"));
        let found = found.unwrap_or_default();
        let found: Vec<&str> = found.split_whitespace().collect();
        // Version 1 has a hierarchy for each.
        let missing: Vec<&str> = ["cpu", "memory", "pids"]
            .into_iter()
            .filter(|controller| !found.contains(controller) && !root.join(controller).is_dir())
            .collect();
        Ok(if missing.is_empty() {
            State::Is("cpu, memory and pids".to_owned())
        } else {
            State::Advice(format!(
                "sandboxes have no limits of {}; boot with \
                 systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory",
                missing.join(", ")
            ))
        })
    }
}
