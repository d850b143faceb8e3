//! The app: the project's files and pages in its sandbox.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    AppPath, Probe, RunError,
    path::{GENERATED_FOLDERS, HOME},
    probe::Answer,
};
use crate::sandbox::{CommandOutput, EntryKind, Notice, PageAddress, RunOptions, Sandbox, SandboxError};

/// The dev server's port.
const PORT: u16 = 3000;
/// How many files are read or written at once.
const PARALLEL: usize = 8;
/// An app has no more files than this; more is a mistake of the agent's, such as unpacked archives.
const MAX_FILES: usize = 5000;
/// Files made by tools, which belong to no version.
const GENERATED_FILES: [&str; 1] = ["next-env.d.ts"];
/// The names of files that are being written, until they are whole.
const PART_PREFIX: &str = ".codeflow-";
/// All files of a version together are no larger, in bytes.
const MAX_BYTES: usize = 100 << 20;
/// What names the app's packages, and how long their installation may take.
const MANIFEST: &str = "package.json";
const INSTALL_TIMEOUT: Duration = Duration::from_secs(150);
/// How much of a page or stylesheet is read when it is probed, in bytes.
const PROBE_BYTES: usize = 1 << 20;

/// The app in its sandbox, as a cheap handle.
#[derive(Debug, Clone)]
pub struct App {
    sandbox: Sandbox,
}

impl App {
    pub(super) fn new(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }

    /// The sandbox's id.
    pub fn id(&self) -> &str {
        self.sandbox.id()
    }

    /// Where the app is seen from a browser.
    pub fn url(&self) -> String {
        self.sandbox.preview_url(PORT)
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Writes the files, each as a whole.
    pub async fn write_files(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), RunError> {
        stream::iter(files)
            .map(|(path, content)| async move {
                // The store holds what this program wrote: the path was checked then.
                self.sandbox.write_file(&format!("{HOME}/{path}"), content).await
            })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Writes the files into a new sandbox, and installs the packages that they name beyond the template's. `again` after an attempt that
    /// did not come to its end: what is there may be half of it.
    pub async fn restore(&self, files: Vec<(String, Vec<u8>)>, again: bool) -> Result<(), RunError> {
        let manifest = files.iter().find(|(path, _)| path == MANIFEST).map(|(_, content)| content.clone());
        let before = match manifest {
            Some(_) => self.read_file(MANIFEST).await?,
            None => None,
        };
        self.write_files(files).await?;
        if manifest.is_none() || (manifest == before && !again) {
            return Ok(());
        }
        let install = "npm install --no-audit --no-fund";
        let output = self.run(install, &[("CI", "1")], INSTALL_TIMEOUT).await?;
        if output.exit_code != 0 {
            // The page then says what is missing, and the agent can mend it.
            let said = String::from_utf8_lossy(&output.stderr).chars().take(500).collect::<String>();
            tracing::warn!(
                sandbox.id = self.id(),
                said,
                "the packages of a restored app could not be installed"
            );
        }
        Ok(())
    }

    /// Runs a shell command in the app's folder, with these variables besides the sandbox's own.
    pub(super) async fn run(&self, command: &str, envs: &[(&str, &str)], timeout: Duration) -> Result<CommandOutput, SandboxError> {
        let envs = envs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = RunOptions {
            cwd: HOME.to_owned(),
            envs: envs.collect(),
            timeout,
        };
        self.sandbox.run(command, &options).await
    }

    /// The file's content; `None` when there is no such file.
    pub async fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, RunError> {
        let Ok(path) = AppPath::new(path) else {
            return Ok(None);
        };
        match self.sandbox.read_file(&path.absolute()).await {
            Ok(content) => Ok(Some(content)),
            Err(SandboxError::NoSuchPath(_) | SandboxError::Refused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of the files that are there, in their order: paths and contents.
    pub async fn read_files(&self, paths: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, RunError> {
        let read = stream::iter(paths)
            .map(|path| async move { Ok::<_, RunError>(self.read_file(&path).await?.map(|content| (path, content))) })
            .buffered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// The paths of the app's files, sorted; without what tools generate, and without what lies behind links.
    pub async fn list_files(&self) -> Result<Vec<String>, RunError> {
        let mut folders = vec![HOME.to_owned()];
        let mut files = Vec::new();
        while !folders.is_empty() {
            let listed: Vec<_> = stream::iter(std::mem::take(&mut folders))
                .map(|folder| async move {
                    match self.sandbox.list_dir(&folder, 1).await {
                        // Removed since it was listed.
                        Err(SandboxError::NoSuchPath(_)) => Ok(Vec::new()),
                        listed => listed,
                    }
                })
                .buffer_unordered(PARALLEL)
                .try_collect()
                .await?;
            for entry in listed.into_iter().flatten().filter(|entry| entry.symlink_target.is_none()) {
                let name = entry.path.rsplit('/').next().unwrap_or_default();
                match entry.kind {
                    EntryKind::Directory if !GENERATED_FOLDERS.contains(&name) => folders.push(entry.path),
                    EntryKind::File if !is_generated(name) => {
                        if let Some(path) = entry.path.strip_prefix(HOME).and_then(|path| path.strip_prefix('/')) {
                            files.push(path.to_owned());
                        }
                    }
                    EntryKind::Directory | EntryKind::File | EntryKind::Other => {}
                }
            }
            if files.len() > MAX_FILES {
                return Err(RunError::User(format!(
                    "The app has more than {MAX_FILES} files, which is more than a version can hold."
                )));
            }
        }
        files.sort();
        Ok(files)
    }

    /// The whole app as it stands: paths and contents.
    pub async fn snapshot(&self) -> Result<Vec<(String, Vec<u8>)>, RunError> {
        let paths = self.list_files().await?;
        let mut reading = stream::iter(paths)
            .map(|path| async move {
                match self.sandbox.read_file(&format!("{HOME}/{path}")).await {
                    Ok(content) => Ok(Some((path, content))),
                    // Removed since it was listed.
                    Err(SandboxError::NoSuchPath(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(PARALLEL);
        let (mut files, mut bytes) = (Vec::new(), 0);
        while let Some(file) = reading.try_next().await? {
            bytes += file.as_ref().map_or(0, |(_, content)| content.len());
            if bytes > MAX_BYTES {
                let max = MAX_BYTES >> 20;
                return Err(RunError::User(format!(
                    "The app's files are larger than {max} MiB together, which is more than a version can hold."
                )));
            }
            files.extend(file);
        }
        files.sort();
        Ok(files)
    }

    /// What the app answers when its first page is asked for, now.
    pub async fn probe(&self) -> Result<Probe, RunError> {
        Ok(self.ask("/").await?.map_or(Probe::Starting, |answer| answer.probe()))
    }

    /// What went wrong in the app's sandbox lately; `None` also when nobody can say.
    pub async fn notice(&self) -> Option<Notice> {
        match self.sandbox.notice().await {
            Ok(notice) => notice,
            Err(error) => {
                tracing::debug!(sandbox.id = self.id(), %error, "what went wrong in the sandbox can't be read");
                None
            }
        }
    }

    /// What the app answers to a path; `None` when nothing answers yet, or the dev server is starting again.
    pub(super) async fn ask(&self, path: &str) -> Result<Option<Answer>, RunError> {
        match self.sandbox.fetch(PORT, path, PROBE_BYTES).await {
            Ok(page) => Ok(page.as_ref().map(Answer::of)),
            // The dev server dropped the connection: it is starting again.
            Err(SandboxError::Unavailable(_) | SandboxError::RateLimited { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a browser beside this program finds the app.
    pub(super) fn page_address(&self) -> Result<PageAddress, RunError> {
        Ok(self.sandbox.page_address(PORT)?)
    }
}

/// Whether tools made the file, so that it belongs to no version.
fn is_generated(name: &str) -> bool {
    GENERATED_FILES.contains(&name) || name.ends_with(".tsbuildinfo") || name.starts_with(PART_PREFIX)
}
