//! The Node.js of a machine where it is outside of `/usr`, as version managers install it.
//! Sandboxes see its binary and the folders of npm and Corepack, and nothing else: what is around
//! them may be somebody's home.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::bundle::{NODE, NodeMount};

/// What sandboxes see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    binary: PathBuf,
    /// The folders of the packages beside it, by their names.
    packages: Vec<(&'static str, PathBuf)>,
}

/// The packages that come with Node.js, each with its commands and their files in it.
const PACKAGES: [(&str, &[(&str, &str)]); 2] = [
    (
        "npm",
        &[("npm", "bin/npm-cli.js"), ("npx", "bin/npx-cli.js")],
    ),
    ("corepack", &[("corepack", "dist/corepack.js")]),
];

impl Node {
    /// The one on the PATH, unless `/usr` has it.
    pub(super) fn outside_usr() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let command = std::env::split_paths(&path)
            .map(|folder| folder.join("node"))
            .find(|node| node.is_file())?;
        if command.canonicalize().ok()?.starts_with("/usr") {
            return None;
        }
        // What version managers put on the PATH only starts the binary, which knows where it is.
        let asked = Command::new(&command)
            .args(["-p", "process.execPath"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let Some(said) = asked.ok().filter(|output| output.status.success()) else {
            tracing::warn!(node = %command.display(), "this Node.js does not start, so sandboxes do without");
            return None;
        };
        let binary = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim())
            .canonicalize()
            .ok()?;
        if binary.starts_with("/usr") {
            return None;
        }
        let node = Self::of(binary);
        if !node.packages.iter().any(|(name, _)| *name == "npm") {
            tracing::warn!(
                node = %node.binary.display(),
                "npm is not beside this Node.js, so sandboxes have none; install Node.js with npm \
                 (https://nodejs.org)"
            );
        }
        Some(node)
    }

    /// With the packages that are where a release of Node.js has them.
    fn of(binary: PathBuf) -> Self {
        let modules = binary
            .parent()
            .and_then(Path::parent)
            .map(|prefix| prefix.join("lib/node_modules"));
        let package = |&(name, commands): &(&'static str, &[(&str, &str)])| {
            let folder = modules.as_ref()?.join(name);
            let whole = commands.iter().all(|(_, file)| folder.join(file).is_file());
            // One that is a link to elsewhere is not what came with it.
            let own = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
            (own && whole).then_some((name, folder))
        };
        let packages = PACKAGES.iter().filter_map(package).collect();
        Self { binary, packages }
    }

    /// What is mounted of it.
    pub(super) fn mounts(&self) -> Vec<NodeMount> {
        let mount = |source: &Path, name: &str, inside: &str| NodeMount {
            source: source.to_owned(),
            name: format!("node-{name}"),
            inside: Path::new(NODE).join(inside),
        };
        let packages = self.packages.iter();
        let packages =
            packages.map(|(name, folder)| mount(folder, name, &format!("lib/node_modules/{name}")));
        std::iter::once(mount(&self.binary, "binary", "bin/node"))
            .chain(packages)
            .collect()
    }

    /// Makes the places for the mounts, and the packages' commands, in the sandboxes' root.
    pub(super) fn prepare(&self, rootfs: &Path) -> io::Result<()> {
        let place = rootfs.join(NODE.trim_start_matches('/'));
        fs::create_dir_all(place.join("bin"))?;
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.join("bin/node"))?;
        for (name, _) in &self.packages {
            fs::create_dir_all(place.join("lib/node_modules").join(name))?;
            let commands = PACKAGES
                .iter()
                .filter(|(package, _)| package == name)
                .flat_map(|(_, commands)| *commands);
            for (command, file) in commands {
                let (target, link) = (
                    format!("../lib/node_modules/{name}/{file}"),
                    place.join("bin").join(command),
                );
                if fs::read_link(&link).ok() != Some(PathBuf::from(&target)) {
                    let _ = fs::remove_file(&link);
                    symlink(target, link)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_with_node_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let binary = at("bin/node");
        let found = || {
            Node::of(binary.clone())
                .packages
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
        };
        // A binary in somebody's home, with whatever else is there.
        fs::create_dir_all(at("lib/node_modules/secret")).unwrap();
        assert_eq!(found(), [] as [&str; 0]);
        fs::create_dir_all(at("lib/node_modules/npm/bin")).unwrap();
        fs::write(at("lib/node_modules/npm/bin/npm-cli.js"), "").unwrap();
        assert_eq!(found(), [] as [&str; 0]);
        fs::write(at("lib/node_modules/npm/bin/npx-cli.js"), "").unwrap();
        assert_eq!(found(), ["npm"]);
        fs::create_dir_all(at("elsewhere/dist")).unwrap();
        fs::write(at("elsewhere/dist/corepack.js"), "").unwrap();
        symlink(at("elsewhere"), at("lib/node_modules/corepack")).unwrap();
        assert_eq!(found(), ["npm"]);
    }
}
