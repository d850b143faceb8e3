//! A Node.js outside `/usr`, as version managers install it. Sandboxes see only its binary and the
//! folders of npm and Corepack, because the surroundings may be somebody's home.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::bundle::{NODE, NodeMount};

/// The parts that sandboxes see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    binary: PathBuf,
    /// The folders of its bundled packages, by name.
    packages: Vec<(&'static str, PathBuf)>,
}

/// The packages bundled with Node.js, each with its commands and their files.
const PACKAGES: [(&str, &[(&str, &str)]); 2] = [
    (
        "npm",
        &[("npm", "bin/npm-cli.js"), ("npx", "bin/npx-cli.js")],
    ),
    ("corepack", &[("corepack", "dist/corepack.js")]),
];

impl Node {
    /// The Node.js on the PATH, unless it is in `/usr`.
    pub(super) fn outside_usr() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let command = std::env::split_paths(&path)
            .map(|folder| folder.join("node"))
            .find(|node| node.is_file())?;
        if command.canonicalize().ok()?.starts_with("/usr") {
            return None;
        }
        // A version manager's command on the PATH only starts the real binary, which knows its own
        // path.
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

    /// With the packages in the places where a release of Node.js puts them.
    fn of(binary: PathBuf) -> Self {
        let modules = binary
            .parent()
            .and_then(Path::parent)
            .map(|prefix| prefix.join("lib/node_modules"));
        let package = |&(name, commands): &(&'static str, &[(&str, &str)])| {
            let folder = modules.as_ref()?.join(name);
            let whole = commands.iter().all(|(_, file)| folder.join(file).is_file());
            // A link to elsewhere is not a bundled package.
            let own = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
            (own && whole).then_some((name, folder))
        };
        let packages = PACKAGES.iter().filter_map(package).collect();
        Self { binary, packages }
    }

    /// Its mounts.
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

    /// Creates the mount points, and the packages' commands, in the sandboxes' root.
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
        // A binary in somebody's home, among other files.
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
