//! The app: the project's files and pages in its sandbox.

mod dev_log;
mod edit;
mod found;
mod listing;
pub mod path;
mod rebuild;
mod run_sandbox;
mod shells;
mod walk;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

pub use edit::Edited;
pub use listing::Listing;
use listing::{Kept, KeptKind, MAX_BYTES};
use path::HOME;
pub use path::{AppPath, OwnPathError};
pub use run_sandbox::RunSandbox;

use super::{PageState, RunError, nextjs::answer::Answer};
use crate::{
    protocol::{AppEntry, AppNode, LeftOut},
    sandbox::{
        CommandOutput, MAX_FILE, PageAddress, RunOptions, Sandbox, SandboxError, SandboxNotice,
    },
};

/// The dev server's port.
const PORT: u16 = 3000;
/// How many files are read or written at once.
const PARALLEL: usize = 8;
/// How much of a page or stylesheet is read, in bytes.
const PAGE_BYTES: usize = 1 << 20;

/// The app in its sandbox, as a cheap handle.
#[derive(Debug, Clone)]
pub struct App {
    sandbox: Sandbox,
}

/// The whole app, for a version.
#[derive(Debug)]
pub struct Snapshot {
    /// Sorted by path; `None` if the app's folder could not be listed.
    pub entries: Option<Vec<AppEntry>>,
    pub left_out: Vec<LeftOut>,
}

impl App {
    pub(super) fn new(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }

    /// The sandbox's id.
    pub fn id(&self) -> &str {
        self.sandbox.id()
    }

    /// The host that has its sandbox, where there are several.
    pub fn host(&self) -> Option<&str> {
        self.sandbox.host()
    }

    /// Returns when that host counts as lost.
    async fn lost(&self) {
        self.sandbox.lost().await;
    }

    /// The app's address for users' browsers.
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
                // The path was validated when the file was saved.
                self.sandbox
                    .write_file(&format!("{HOME}/{path}"), content)
                    .await
            })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Runs a shell command in the app's folder, with these variables in addition to the sandbox's
    /// own.
    pub(super) async fn run(
        &self,
        command: &str,
        envs: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<CommandOutput, SandboxError> {
        let envs = envs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = RunOptions {
            cwd: HOME.to_owned(),
            envs: envs.collect(),
            timeout,
        };
        match self.sandbox.run(command, &options).await {
            // The app's folder may be inaccessible, for example after `chmod 000 ~`.
            Err(SandboxError::Refused(why)) => {
                self.run_isolated(walk::OPEN_HOME)
                    .await
                    .map_err(|_| SandboxError::Refused(why))?;
                self.sandbox.run(command, &options).await
            }
            done => done,
        }
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

    /// The existing files among these, in order: paths and contents.
    pub async fn read_files(&self, paths: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, RunError> {
        let read = stream::iter(paths)
            .map(|path| async move {
                Ok::<_, RunError>(self.read_file(&path).await?.map(|content| (path, content)))
            })
            .buffered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// The app's folder, as a version would keep it. If the sandbox can't list it, the listing says
    /// so.
    pub async fn list(&self) -> Result<Listing, RunError> {
        match self.walk().await {
            Ok(found) => Ok(Listing::choose(found)),
            Err(RunError::User(why)) => Ok(Listing::unknown(&why)),
            Err(error) => Err(error),
        }
    }

    /// Releases programs that wait for input from one of the app's named pipes: they read its end.
    /// So do those that begin within the next half a minute, even if the pipe is deleted by then.
    pub(super) async fn release_pipes(&self) -> Result<(), RunError> {
        // Opening a pipe for both reading and writing does not block, and gives its readers a
        // writer. A second link to it outlives the first.
        let release = r#"cd /home/user && mkdir -p .cache && links=$(mktemp -d .cache/pipes.XXXXXX) || exit 0
            count=0
            while IFS= read -r -d '' pipe; do
              : <>"$pipe"
              count=$((count + 1))
              ln "$pipe" "$links/$count"
            done < <(find . \( -name node_modules -o -name .cache \) -prune -o -type p -print0)
            {
              for _ in $(seq 100); do
                sleep 0.3
                for pipe in "$links"/*; do : <>"$pipe"; done
              done
              rm -r "$links"
            } </dev/null >/dev/null 2>&1 &"#;
        self.run_isolated(release).await?;
        Ok(())
    }

    /// The paths of the app's files, sorted, without generated files and without the targets of
    /// links.
    pub async fn list_files(&self) -> Result<Vec<String>, RunError> {
        Ok(self.list().await?.files())
    }

    /// The whole app in its current state. Files that can't be read for a permanent reason are left
    /// out and named.
    pub async fn snapshot(&self) -> Result<Snapshot, RunError> {
        let Listing {
            kept,
            mut left_out,
            is_known,
            ..
        } = self.list().await?;
        let mut reading = stream::iter(kept)
            .map(|kept| self.read_kept(kept))
            .buffer_unordered(PARALLEL);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(read) = reading.try_next().await? {
            match read {
                Read::Entry(entry) => {
                    bytes += entry.content().len() as u64;
                    // Files may grow after they were listed.
                    if bytes > MAX_BYTES {
                        bytes -= entry.content().len() as u64;
                        let reason = "it grew while it was read".to_owned();
                        left_out.push(LeftOut {
                            path: entry.path,
                            reason,
                        });
                    } else {
                        entries.push(entry);
                    }
                }
                Read::Left(left) => left_out.push(left),
                Read::Gone => {}
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Snapshot {
            entries: is_known.then_some(entries),
            left_out,
        })
    }

    async fn read_kept(&self, kept: Kept) -> Result<Read, RunError> {
        let Kept { path, kind } = kept;
        let node = match kind {
            KeptKind::Folder => AppNode::Folder,
            KeptKind::Link { target } => AppNode::Link { target },
            KeptKind::File { executable } => match self
                .sandbox
                .read_file_within(&format!("{HOME}/{path}"), MAX_FILE)
                .await
            {
                Ok(content) => AppNode::File {
                    content,
                    executable,
                },
                // Removed after it was listed.
                Err(SandboxError::NoSuchPath(_)) => return Ok(Read::Gone),
                Err(SandboxError::Refused(reason)) => {
                    return Ok(Read::Left(LeftOut { path, reason }));
                }
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Read::Entry(AppEntry { path, node }))
    }

    /// The current state of the app's first page.
    pub async fn page_state(&self) -> Result<PageState, RunError> {
        Ok(self
            .ask("/")
            .await?
            .map_or(PageState::Starting, |answer| answer.page_state()))
    }

    /// The latest problem in the app's sandbox; `None` if there was none, or if it is unknown.
    pub async fn notice(&self) -> Option<SandboxNotice> {
        match self.sandbox.notice().await {
            Ok(notice) => notice,
            Err(error) => {
                tracing::debug!(sandbox.id = self.id(), %error, "could not read the sandbox's notice");
                None
            }
        }
    }

    /// The app's response to a path; `None` if nothing answers yet, or the dev server is
    /// restarting.
    pub(super) async fn ask(&self, path: &str) -> Result<Option<Answer>, RunError> {
        match self.sandbox.fetch(PORT, path, PAGE_BYTES).await {
            Ok(page) => Ok(page.as_ref().map(Answer::of)),
            // The dev server dropped the connection: it is restarting.
            Err(SandboxError::Unavailable(_) | SandboxError::RateLimited { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The app's address for a browser on this machine.
    pub(super) fn page_address(&self) -> Result<PageAddress, RunError> {
        Ok(self.sandbox.page_address(PORT)?)
    }
}

/// The result of reading a listed entry.
enum Read {
    Entry(AppEntry),
    Left(LeftOut),
    Gone,
}
