//! All of a user's data as a ZIP file: the account, each project's conversation and the files of
//! its newest version, and the images. It is written while it is sent.

use std::io;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{
    ProjectError, Projects,
    archive::{AHEAD, Pieces, add, lost_file, moment},
};
use crate::{
    protocol::{AppEntry, ProjectId, ProjectSummary, Timestamp, UserId, first_chars},
    store::{Store, StoreError},
};

/// The maximum length of a title within a folder's name, in characters.
const MAX_NAME: usize = 40;
/// The README in the file.
const README: &str = "This is what CodeFlow has stored of you.\n\n\
    - account.json: your account, its sessions, passkeys (what they sign with is on your devices), \
    API tokens (never the tokens themselves), the providers of whom it has model keys (never the keys), preferences and saved prompts, and what your runs have used\n\
    - projects/…/messages.json: a project's conversation\n\
    - projects/…/files: the files of its newest version\n\
    - images: what you attached to messages, by the names that messages.json has\n";

type Entries = mpsc::Sender<io::Result<AppEntry>>;

impl Projects {
    /// The user's own data, as chunks of a ZIP file. An error cuts it short, so that nobody takes
    /// it for complete.
    pub async fn export(&self) -> Result<mpsc::Receiver<io::Result<Bytes>>, ProjectError> {
        let user = self.user()?.clone();
        let store = self.inner.store.clone();
        let account = self.account_json(&user).await?;
        let projects = store.list_projects(&user).await?;
        let (entries, into) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            if let Err(error) = collect(&store, &user, account, projects, &entries).await {
                // Fails when the client is gone.
                let _ = entries.send(Err(error)).await;
            }
        });
        let (out, pieces) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let failed = out.clone();
            if let Err(error) = write(into, Pieces::new(out)) {
                let _ = failed.blocking_send(Err(error));
            }
        });
        Ok(pieces)
    }

    async fn account_json(&self, user: &UserId) -> Result<serde_json::Value, ProjectError> {
        let store = &self.inner.store;
        let account = self.identity.as_ref().and_then(|it| it.account.as_ref());
        let all = std::time::Duration::from_secs(u64::from(u32::MAX));
        let keys = store.list_user_keys(user).await?.into_iter();
        let keys: Vec<_> = keys.map(|key| key.provider).collect();
        Ok(json!({
            "exported_at": Timestamp::now(),
            "account": account,
            "identities": store.list_identities(user).await?,
            "sessions": store.list_sessions(user, all).await?,
            "passkeys": store.list_passkeys(user).await?,
            "api_tokens": store.list_api_tokens(user).await?,
            "model_keys": keys,
            "preferences": store.preferences(user).await?,
            "saved_prompts": store.list_saved_prompts(user).await?,
            "usage": store.list_usage(Some(user)).await?,
            "memberships": store.list_memberships(user).await?,
        }))
    }
}

async fn collect(
    store: &Store,
    user: &UserId,
    account: serde_json::Value,
    projects: Vec<ProjectSummary>,
    entries: &Entries,
) -> io::Result<()> {
    send(entries, "README.txt".to_owned(), README.into()).await?;
    send(entries, "account.json".to_owned(), pretty(&account)?).await?;
    for (number, project) in projects.into_iter().enumerate() {
        let folder = format!("projects/{}", folder(number + 1, &project.title));
        collect_project(store, &project, &folder, entries).await?;
    }
    for image in store.list_images(user).await.map_err(io::Error::other)? {
        let content = match store.image_content(user, &image).await {
            // It was swept in the meantime.
            Err(StoreError::NotFound(_)) => continue,
            content => content.map_err(io::Error::other)?,
        };
        let kind = content.media_type.extension();
        send(entries, format!("images/{image}.{kind}"), content.bytes).await?;
    }
    Ok(())
}

async fn collect_project(
    store: &Store,
    project: &ProjectSummary,
    folder: &str,
    entries: &Entries,
) -> io::Result<()> {
    let id: ProjectId = project.id;
    let messages = store.list_messages(id).await.map_err(io::Error::other)?;
    let about = json!({ "project": project, "messages": messages });
    send(entries, format!("{folder}/messages.json"), pretty(&about)?).await?;
    let latest = store.latest_fragment(id).await.map_err(io::Error::other)?;
    let Some(version) = latest else {
        return Ok(());
    };
    let files = store.version_files(version.id).await;
    // One file at a time: together they may not fit into memory.
    for file in files.map_err(io::Error::other)? {
        let path = format!("{folder}/files/{}", file.path);
        match store.version_file(version.id, &file.path).await {
            Ok(Some(node)) => pass(entries, AppEntry { path, node }).await?,
            Ok(None) => {}
            Err(StoreError::LostContent(_)) => pass(entries, lost_file(&path)).await?,
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(())
}

fn pretty(value: &serde_json::Value) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(value)?)
}

async fn send(entries: &Entries, path: String, content: Vec<u8>) -> io::Result<()> {
    pass(entries, AppEntry::file(path, content)).await
}

async fn pass(entries: &Entries, entry: AppEntry) -> io::Result<()> {
    let sent = entries.send(Ok(entry)).await;
    sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
}

/// A folder name that every system accepts; its number makes it unique.
fn folder(number: usize, title: &str) -> String {
    let words = title
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join("-");
    let name = match first_chars(&name, MAX_NAME) {
        "" => "app",
        name => name,
    };
    format!("{number:03}-{}", name.trim_end_matches('-').to_lowercase())
}

/// Writes the whole file.
fn write(mut entries: mpsc::Receiver<io::Result<AppEntry>>, out: Pieces) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(out);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(moment(Timestamp::now()));
    while let Some(entry) = entries.blocking_recv() {
        add(&mut zip, entry?, options)?;
    }
    io::Write::flush(&mut zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_name_of_its_own_in_letters_that_every_system_takes() {
        assert_eq!(folder(7, "My shop: “50 %” off/../"), "007-my-shop-50-off");
        assert_eq!(folder(1200, "天気"), "1200-app");
        assert_eq!(folder(1, &"x".repeat(99)).len(), 4 + MAX_NAME);
    }
}
