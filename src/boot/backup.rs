//! `codeflow backup` and `codeflow restore`. A backup is a folder: `database.jsonl.gz`, a dump of
//! the database at one moment; `blobs`, the files of all versions and the images, by hash, wherever
//! the server has them; and `secret.key`, which encrypts accounts' secrets in the database. A server
//! may run meanwhile. Sandboxes are not included: they are rebuilt from versions.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use super::{
    database::{DataLock, open_as_it_is},
    shelf::Shelf,
};
use crate::config::{self, Database, Env, ObjectStorage};

const COPY: &str = "database.jsonl.gz";
const KEY: &str = "secret.key";
/// The entries of a backup folder.
const CONTENTS: [&str; 6] = [COPY, "database.part", "blobs", KEY, "secret.part", "lock"];
/// The entries that an otherwise empty data folder may have.
const EMPTY: [&str; 5] = [
    "lock",
    "templates",
    "codeflow.sqlite",
    "codeflow.sqlite-wal",
    "codeflow.sqlite-shm",
];

/// Backs up the database, its blobs and the key to the folder, updating an earlier backup there.
/// Returns a message for the user.
pub async fn backup(env: &Env, folder: &Path) -> anyhow::Result<String> {
    let settings = config::Server::from_env(env)?;
    if let Database::File(path) = &settings.database
        && !path.exists()
    {
        bail!(
            "there is no database at {}; set CODEFLOW_DATA_DIR to the server's data folder",
            path.display()
        );
    }
    let unusable = || format!("the folder {} can't be used", folder.display());
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(unusable)?;
    if let Some(other) = first_other(folder, &CONTENTS).with_context(unusable)? {
        bail!(
            "{} has files of others, such as {other}; name an empty folder, or one of an earlier \
             backup",
            folder.display()
        );
    }
    let lock = File::create(folder.join("lock")).with_context(unusable)?;
    if lock.try_lock().is_err() {
        bail!("another backup is being written to {}", folder.display());
    }

    let bucket = ObjectStorage::from_env(env)?;
    let store = open_as_it_is(&settings.database).await?;
    let store = store.with_any_bucket(bucket.as_ref())?;
    let mut shelf = Shelf::of(folder);
    let part = folder.join("database.part");
    let copy = private_file(&part).with_context(unusable)?;
    let mut copy = GzEncoder::new(BufWriter::new(copy), Compression::default());
    let dumped = store.dump(&mut copy, &mut shelf).await;
    store.close().await;
    let dumped = dumped.context("the database can't be copied")?;
    let finished = || {
        let copy = copy.finish()?.into_inner().map_err(io::Error::other)?;
        copy.sync_all()?;
        let key = save_key(env, &settings.data_dir.join(KEY), &folder.join(KEY))?;
        fs::rename(&part, folder.join(COPY))?;
        File::open(folder)?.sync_all()?;
        // Removes only what no backup contains any more.
        shelf.keep_only(&dumped.blobs)?;
        io::Result::Ok(key)
    };
    let key = finished().with_context(unusable)?;
    Ok(format!(
        "{}: {} rows and {} files, {} of them new\n{key}",
        folder.display(),
        dumped.rows,
        dumped.blobs.len(),
        dumped.new_blobs
    ))
}

/// Copies the key beside the backup. Returns a message about it.
fn save_key(env: &Env, key: &Path, place: &Path) -> io::Result<String> {
    if env.var("CODEFLOW_SECRET_KEY").is_some() {
        return Ok(
            "The key of accounts' secrets is in CODEFLOW_SECRET_KEY and not in the backup; keep a \
             copy of it elsewhere."
                .to_owned(),
        );
    }
    match fs::read(key) {
        Ok(key) => {
            let part = place.with_extension("part");
            let mut file = private_file(&part)?;
            file.write_all(&key)?;
            file.sync_all()?;
            fs::rename(part, place)?;
            Ok(format!(
                "{} is the key of accounts' secrets: with it and the rest, whoever has the backup \
                 can read them. Keep it apart.",
                place.display()
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok("There is no key yet: no server has started here.".to_owned())
        }
        Err(error) => Err(error),
    }
}

/// Restores the backup into an empty data folder and an empty database. Returns a message for the
/// user.
pub async fn restore(env: &Env, folder: &Path) -> anyhow::Result<String> {
    let settings = config::Server::from_env(env)?;
    let data_dir = &settings.data_dir;
    let copy = folder.join(COPY);
    let copy = File::open(&copy)
        .with_context(|| format!("{} can't be read, so this is no backup", copy.display()))?;
    let _lock = DataLock::take(data_dir)?;
    let unusable = || format!("CODEFLOW_DATA_DIR={}", data_dir.display());
    if let Some(other) = first_other(data_dir, &EMPTY).with_context(unusable)? {
        bail!(
            "CODEFLOW_DATA_DIR={}: the folder has {other}; a backup is restored into an empty \
             folder",
            data_dir.display()
        );
    }
    let bucket = ObjectStorage::from_env(env)?;
    let store = open_as_it_is(&settings.database).await?;
    let store = store.with_any_bucket(bucket.as_ref())?;
    let filling = async {
        if !store.is_empty().await? {
            bail!("the database has rows; a backup is restored into an empty one");
        }
        let mut copy = BufReader::new(MultiGzDecoder::new(BufReader::new(copy)));
        let rows = store.load(&mut copy, &Shelf::of(folder)).await;
        rows.with_context(|| format!("{} can't be restored", folder.display()))
    };
    let filled = filling.await;
    store.close().await;
    let rows = filled?;
    let key = restore_key(env, &folder.join(KEY), &data_dir.join(KEY)).with_context(unusable)?;
    Ok(format!(
        "restored {rows} rows\n{key}\nSandboxes are made again from the latest versions when their \
         projects are opened."
    ))
}

fn restore_key(env: &Env, key: &Path, place: &Path) -> io::Result<String> {
    if env.var("CODEFLOW_SECRET_KEY").is_some() {
        return Ok(
            "The key is that of CODEFLOW_SECRET_KEY; it must be the one that the backed up \
                   server had."
                .to_owned(),
        );
    }
    match fs::read(key) {
        Ok(key) => {
            let mut file = private_file(place)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok("The key of accounts' secrets was in the backup and is in place.".to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(format!(
            "The backup has no key: put the backed up server's at {}, or set CODEFLOW_SECRET_KEY, \
             before the first start. Without it people who have two-step sign-in can't sign in.",
            place.display()
        )),
        Err(error) => Err(error),
    }
}

/// A new file that only its owner may read.
fn private_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The first entry of the folder that is not one of these.
fn first_other(folder: &Path, known: &[&str]) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !known.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
