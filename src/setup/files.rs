//! The files that setup installs: the program, folders, a user, the unit, and the proxy's
//! configuration.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use super::{
    check::{Check, State},
    machine::{Machine, run},
    settings::Wanted,
};
use crate::sandbox_host::FILE_IDS;

/// Where the Debian package installs the program, and where setup installs others.
const OF_PACKAGE: &str = "/usr/bin/codeflow";
const INSTALLED: &str = "/usr/local/bin/codeflow";

fn is_of_package(machine: &Machine) -> bool {
    machine.is_this_one() && machine.program == Path::new(OF_PACKAGE)
}

/// The program, at a path that the service can read.
pub(super) struct Program<'a>(pub &'a Machine);

impl Check for Program<'_> {
    fn subject(&self) -> String {
        "program".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let installed = self.0.at(INSTALLED);
        Ok(if is_of_package(self.0) {
            State::Is(OF_PACKAGE.to_owned())
        } else if installed.exists() && is_same(&self.0.program, &installed)? {
            State::Is(INSTALLED.to_owned())
        } else {
            State::Missing(format!("copy this one to {INSTALLED}"))
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        let place = self.0.at(INSTALLED);
        let part = place.with_extension("part");
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&self.0.program, &part)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755))?;
        // A running server keeps its old file.
        Ok(fs::rename(part, place)?)
    }
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path| io::Result::Ok(BufReader::with_capacity(1 << 20, File::open(path)?));
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] || left.is_empty() != right.is_empty() {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// A folder that only root may enter.
pub(super) struct Folder<'a>(pub &'a Machine, pub &'static str);

impl Check for Folder<'_> {
    fn subject(&self) -> String {
        self.1.to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let found = match self.0.at(self.1).metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(State::Missing("create it, for root alone".to_owned()));
            }
            found => found?,
        };
        Ok(if !found.is_dir() {
            State::ByHand("this is a file; move it away".to_owned())
        } else if found.permissions().mode() & 0o077 != 0 {
            State::Missing("close it to others than root".to_owned())
        } else {
            State::Is("for root alone".to_owned())
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        let folder = self.0.at(self.1);
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(fs::set_permissions(
                &folder,
                fs::Permissions::from_mode(0o700),
            )?),
        }
    }
}

/// The user `codeflow`. Nothing runs as it: it reserves the ids of sandboxes' files, so that the
/// system gives them to no other containers.
pub(super) struct User<'a>(pub &'a Machine);

const USER: &str = "codeflow";
const RESERVED: [&str; 2] = ["/etc/subuid", "/etc/subgid"];

impl User<'_> {
    fn exists(&self) -> anyhow::Result<bool> {
        let users = self.0.read("/etc/passwd")?;
        Ok(users
            .lines()
            .any(|line| line.split(':').next() == Some(USER)))
    }
}

impl Check for User<'_> {
    fn subject(&self) -> String {
        format!("user {USER}")
    }

    fn look(&self) -> anyhow::Result<State> {
        let (first, count) = FILE_IDS;
        let ids = format!("{first} to {}", first + count - 1);
        if !self.exists()? {
            return Ok(State::Missing(format!(
                "create it, with the ids {ids} of sandboxes' files in its name"
            )));
        }
        for file in RESERVED {
            if !is_reserved(&self.0.read(file)?, first, count) {
                return Ok(State::Missing(format!("reserve the ids {ids} in {file}")));
            }
        }
        Ok(State::Is(format!("the ids {ids} are reserved")))
    }

    fn make(&self) -> anyhow::Result<()> {
        if !self.exists()? {
            let mut arguments = self.0.prefix();
            let home = "--system --no-create-home --home-dir /var/lib/codeflow";
            let shell = "--shell /usr/sbin/nologin codeflow";
            let words = home.split(' ').chain(shell.split(' '));
            arguments.extend(words.map(str::to_owned));
            run("useradd", &arguments)?;
        }
        let (first, count) = FILE_IDS;
        for file in RESERVED {
            let text = self.0.read(file)?;
            if !is_reserved(&text, first, count) {
                let end = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                let text = format!("{text}{end}{USER}:{first}:{count}\n");
                self.0.write(file, 0o644, text.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Whether one of the ids is taken, so that nobody new gets it.
fn is_reserved(text: &str, first: u32, count: u32) -> bool {
    let range = |line: &str| -> Option<(u32, u32)> {
        let mut parts = line.split(':').skip(1);
        Some((
            parts.next()?.parse().ok()?,
            parts.next()?.trim().parse().ok()?,
        ))
    };
    text.lines()
        .filter_map(range)
        .any(|(begin, length)| begin < first + count && first < begin.saturating_add(length))
}

/// The service's unit.
pub(super) struct Unit<'a>(pub &'a Machine);

const UNIT: &str = "/etc/systemd/system/codeflow.service";
const UNITS_OF_PACKAGES: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

impl Unit<'_> {
    fn text(&self) -> String {
        let unit = include_str!("../../packaging/codeflow.service");
        if is_of_package(self.0) {
            unit.replace(INSTALLED, OF_PACKAGE)
        } else {
            unit.to_owned()
        }
    }
}

impl Check for Unit<'_> {
    fn subject(&self) -> String {
        "unit codeflow.service".to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let found = self.0.read(UNIT)?;
        let of_package = UNITS_OF_PACKAGES
            .into_iter()
            .find(|folder| self.0.at(folder).join("codeflow.service").exists());
        Ok(match of_package {
            Some(folder) if found.is_empty() && is_of_package(self.0) => {
                State::Is(format!("{folder}/codeflow.service"))
            }
            _ if found.is_empty() => State::Missing(format!("write {UNIT}")),
            _ if found == self.text() => State::Is(UNIT.to_owned()),
            _ => State::Advice(format!(
                "{UNIT} is not this version's, and is kept; remove it and run codeflow setup again \
                 for this version's (systemctl edit codeflow keeps changes apart)"
            )),
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        self.0.write(UNIT, 0o644, self.text().as_bytes())?;
        if self.0.is_this_one() && Path::new("/run/systemd/system").is_dir() {
            run("systemctl", &["daemon-reload".to_owned()])?;
        }
        Ok(())
    }
}

/// The proxy's configuration.
pub(super) struct Caddyfile<'a> {
    pub machine: &'a Machine,
    pub wanted: &'a Wanted,
}

const CADDYFILE: &str = "/etc/codeflow/Caddyfile";
const OF_CADDY: &str = "/etc/caddy/Caddyfile";

impl Check for Caddyfile<'_> {
    fn subject(&self) -> String {
        CADDYFILE.to_owned()
    }

    fn look(&self) -> anyhow::Result<State> {
        let Some((domain, _)) = self.wanted.domains(self.machine)? else {
            return Ok(State::Advice("there are no names yet".to_owned()));
        };
        let is_used = self.machine.read(OF_CADDY)?.contains(&domain);
        Ok(if is_used {
            State::Is(format!("{OF_CADDY} has {domain}"))
        } else if self.machine.at(CADDYFILE).exists() {
            State::Advice(format!(
                "apt-get install caddy, copy it to {OF_CADDY}, and systemctl reload caddy; or let \
                 another proxy with TLS lead both names to 127.0.0.1:3000"
            ))
        } else {
            State::Missing("write it, with the names".to_owned())
        })
    }

    fn make(&self) -> anyhow::Result<()> {
        let Some((domain, previews)) = self.wanted.domains(self.machine)? else {
            return Ok(());
        };
        let text = include_str!("../../packaging/Caddyfile")
            .replace("build.example.com", &domain)
            .replace("preview.example.net", &previews);
        self.machine.write(CADDYFILE, 0o644, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_reserved_once() {
        let (first, count) = FILE_IDS;
        for text in [
            "",
            "me:1000:10\n",
            "me:165536:65536\nbroken\n",
            "me:99990:10\n",
        ] {
            assert!(!is_reserved(text, first, count), "{text}");
        }
        for text in [
            "codeflow:100000:65536\n",
            "a:1:2\nme:165535:1\n",
            "me:99990:11",
        ] {
            assert!(is_reserved(text, first, count), "{text}");
        }
    }
}
