//! An app as a ZIP file, from a version or from the current files. It is written while it is sent,
//! and contains what is needed to run it on any machine.

use std::io::{self, Write};

use bytes::Bytes;
use chrono::{DateTime, Datelike as _, Timelike as _};
use tokio::sync::mpsc;
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use super::{ProjectError, Projects};
use crate::{
    protocol::{AppEntry, AppNode, Fragment, ProjectId, Timestamp},
    store::{Store, StoreError},
};

/// How many entries, and how many chunks of the file, wait for the next stage.
pub(super) const AHEAD: usize = 4;
/// The size of a chunk of the file, in bytes.
const PIECE: usize = 64 << 10;

/// A ZIP file being sent.
pub struct Archive {
    /// Of the project.
    pub title: String,
    /// Its version; `None` for the current files.
    pub version: Option<Fragment>,
    /// An error cuts the file short, so that nobody takes it for complete.
    pub pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl Projects {
    /// A ZIP file of the version's files, or of the app's current files.
    pub async fn archive(
        &self,
        project: ProjectId,
        which: Option<&str>,
    ) -> Result<Archive, ProjectError> {
        self.expect_viewer(project).await?;
        let title = self.inner.store.find_project(project).await?.title;
        let (entries, into) = mpsc::channel(AHEAD);
        let version = match which {
            Some(which) => {
                let (fragment, _) = self.version(project, which).await?;
                let files = self.inner.store.version_files(fragment.id).await?;
                let paths = files.into_iter().map(|file| file.path).collect();
                let store = self.inner.store.clone();
                tokio::spawn(send_stored(store, fragment.clone(), paths, entries));
                Some(fragment)
            }
            None => {
                let present = self.inner.apps.present(project).await?;
                let (all, _) = present.ok_or(ProjectError::Conflict(
                    "There is nothing to download yet. Wait until the first run has written files.",
                ))?;
                tokio::spawn(async move {
                    for entry in all {
                        if entries.send(Ok(entry)).await.is_err() {
                            return;
                        }
                    }
                });
                None
            }
        };
        let (out, pieces) = mpsc::channel(AHEAD);
        let about = About {
            title: title.clone(),
            number: version.as_ref().map(|version| version.number),
            at: version
                .as_ref()
                .map_or_else(Timestamp::now, |version| version.created_at),
        };
        tokio::task::spawn_blocking(move || {
            let failed = out.clone();
            if let Err(error) = write(&about, into, Pieces::new(out)) {
                // Fails when the client is gone.
                let _ = failed.blocking_send(Err(error));
            }
        });
        Ok(Archive {
            title,
            version,
            pieces,
        })
    }
}

/// Reads the version's files one at a time: together they may not fit into memory.
async fn send_stored(
    store: Store,
    version: Fragment,
    paths: Vec<String>,
    entries: mpsc::Sender<io::Result<AppEntry>>,
) {
    for path in paths {
        let entry = match store.version_file(version.id, &path).await {
            Ok(Some(node)) => Ok(AppEntry { path, node }),
            Ok(None) => continue,
            Err(StoreError::LostContent(_)) => Ok(lost_file(&path)),
            Err(error) => Err(io::Error::other(error)),
        };
        if entries.send(entry).await.is_err() {
            return;
        }
    }
}

/// What an archive has in the place of a file whose content is lost.
pub(super) fn lost_file(path: &str) -> AppEntry {
    const NOTE: &str = "The content of this file is missing from the server's storage. The server's \
        administrator can look for it with codeflow doctor.\n";
    AppEntry::file(format!("{path}.lost.txt"), NOTE.into())
}

/// The facts for the README.
struct About {
    title: String,
    number: Option<i32>,
    at: Timestamp,
}

/// Writes the whole file.
fn write(
    about: &About,
    mut entries: mpsc::Receiver<io::Result<AppEntry>>,
    out: Pieces,
) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(out);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(moment(about.at));
    let mut known = Known::default();
    while let Some(entry) = entries.blocking_recv() {
        let entry = entry?;
        known.note(&entry.path);
        add(&mut zip, entry, options)?;
    }
    for (path, text, mode) in known.additions(about) {
        zip.start_file(path, options.unix_permissions(mode))?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish()?.into_inner().flush()
}

/// Writes one entry.
pub(super) fn add(
    zip: &mut ZipWriter<StreamWriter<Pieces>>,
    entry: AppEntry,
    options: SimpleFileOptions,
) -> io::Result<()> {
    let AppEntry { path, node } = entry;
    match node {
        AppNode::File {
            content,
            executable,
        } => {
            let mode = if executable { 0o755 } else { 0o644 };
            zip.start_file(path, options.unix_permissions(mode))?;
            zip.write_all(&content)?;
        }
        AppNode::Link { target } => zip.add_symlink(path, target, options)?,
        AppNode::Folder => zip.add_directory(path, options)?,
    }
    Ok(())
}

/// The date in ZIP's format, in UTC; none before 1980.
pub(super) fn moment(at: Timestamp) -> zip::DateTime {
    let date = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    zip::DateTime::from_date_and_time(
        u16::try_from(date.year()).unwrap_or_default(),
        part(date.month()),
        part(date.day()),
        part(date.hour()),
        part(date.minute()),
        part(date.second()),
    )
    .unwrap_or_default()
}

/// The facts about the app's root folder that decide how it is started and which names are taken.
#[derive(Debug, Default)]
struct Known {
    root: Vec<String>,
}

impl Known {
    fn note(&mut self, path: &str) {
        if !path.contains('/') {
            self.root.push(path.to_lowercase());
        }
    }

    fn has(&self, name: &str) -> bool {
        self.root.iter().any(|known| known == name)
    }

    /// The files that explain how to run the app, and do it: paths, texts and modes. None of them
    /// replaces a file of the app.
    fn additions(&self, about: &About) -> Vec<(&'static str, String, u32)> {
        let readme = if self.has("readme.md") {
            "CODEFLOW.md"
        } else {
            "README.md"
        };
        let title = &about.title;
        let made = match about.number {
            Some(number) => format!("This is version {number} of an app made with CodeFlow."),
            None => "This is an app made with CodeFlow.".to_owned(),
        };
        let install = if self.has("package-lock.json") {
            "npm ci"
        } else {
            "npm install"
        };
        let how = if self.has("package.json") {
            format!(
                "You need [Node.js](https://nodejs.org) 20.9 or later. In this folder:\n\n```sh\n{install}\nnpm \
                 run dev\n```\n\nThen open http://localhost:3000. `sh run.sh` does the same, and so does `run.cmd` on \
                 Windows.\n\nTo put it online, run `npm run build` and `npm run start`, or give the folder to a host for \
                 Next.js.\n"
            )
        } else {
            "Open `index.html` in a browser, or serve this folder with any web server.\n".to_owned()
        };
        let mut additions = vec![(readme, format!("# {title}\n\n{made}\n\n{how}"), 0o644)];
        if self.has("package.json") {
            additions.push((
                "run.sh",
                format!("#!/bin/sh\n# Installs the app's packages and starts it on http://localhost:3000.\nset -e\ncd \"$(dirname \"$0\")\"\n{install}\nexec npm run dev\n"),
                0o755,
            ));
            additions.push((
                "run.cmd",
                format!("@echo off\r\nrem Installs the app's packages and starts it on http://localhost:3000.\r\ncd /d \"%~dp0\"\r\ncall {install} || exit /b 1\r\ncall npm run dev\r\n"),
                0o644,
            ));
        }
        additions.retain(|(path, ..)| !self.has(&path.to_lowercase()));
        additions
    }
}

/// Sends the written bytes in chunks, and waits while the client is slow.
pub(super) struct Pieces {
    out: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(out: mpsc::Sender<io::Result<Bytes>>) -> Self {
        Self {
            out,
            piece: Vec::with_capacity(PIECE),
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let sent = self.out.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn additions(root: &[&str]) -> Vec<(&'static str, String)> {
        let mut known = Known::default();
        for path in root {
            known.note(path);
        }
        let about = About {
            title: "My shop".to_owned(),
            number: Some(3),
            at: Timestamp(0),
        };
        let additions = known.additions(&about).into_iter();
        additions.map(|(path, text, _)| (path, text)).collect()
    }

    #[test]
    fn what_is_added_runs_the_app_and_replaces_nothing() {
        let whole = additions(&["package.json", "package-lock.json", "app/readme.md"]);
        let paths: Vec<_> = whole.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, ["README.md", "run.sh", "run.cmd"]);
        assert!(whole[0].1.starts_with("# My shop\n\nThis is version 3 "));
        assert!(whole.iter().all(|(_, text)| text.contains("npm ci")));
        let own = additions(&["package.json", "readme.md", "RUN.sh"]);
        let paths: Vec<_> = own.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, ["CODEFLOW.md", "run.cmd"]);
        assert!(own[0].1.contains("npm install"));
        assert_eq!(additions(&["index.html"]).len(), 1);
    }

    #[test]
    fn dates_before_zip_files_are_the_first_that_they_have() {
        assert_eq!(moment(Timestamp(0)), zip::DateTime::default());
        let moment = moment(Timestamp(1_795_219_200_000));
        assert_eq!(
            (moment.year(), moment.month(), moment.day()),
            (2026, 11, 21)
        );
    }
}
