//! The machine to set up: this one, or a system in a folder.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// The machine to set up.
pub(super) struct Machine {
    root: PathBuf,
    /// The `codeflow` that is running.
    pub program: PathBuf,
}

impl Machine {
    pub fn new(root: &Path, program: PathBuf) -> anyhow::Result<Self> {
        let shown = || format!("--root {}", root.display());
        Ok(Self {
            root: root.canonicalize().with_context(shown)?,
            program: program.canonicalize()?,
        })
    }

    /// Whether this is the running machine, with its services.
    pub fn is_this_one(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The real path of the file with this absolute path.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The option that makes a system program work in the folder.
    pub fn prefix(&self) -> Vec<String> {
        if self.is_this_one() {
            return Vec::new();
        }
        vec!["--prefix".to_owned(), self.root.display().to_string()]
    }

    /// The file's text; empty where it is missing.
    pub fn read(&self, path: &str) -> anyhow::Result<String> {
        match fs::read_to_string(self.at(path)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| format!("{path} can't be read")),
        }
    }

    /// Writes the file atomically.
    pub fn write(&self, path: &str, mode: u32, content: &[u8]) -> anyhow::Result<()> {
        let (place, written) = (self.at(path), || format!("{path} can't be written"));
        let mut part = place.clone().into_os_string();
        part.push(".part");
        let work = || -> std::io::Result<()> {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            let _ = fs::remove_file(&part);
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&part)?;
            file.write_all(content)?;
            // Independent of the umask.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.sync_all()?;
            fs::rename(&part, &place)
        };
        work().with_context(written)
    }
}

/// Runs a command quietly; the error has its last output.
pub(super) fn run(program: &str, arguments: &[String]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} can't be run"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{program} failed: {}",
        said.lines().last().unwrap_or("it does not say why")
    )
}
