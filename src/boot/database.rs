//! The database and the data folder, as the server and the commands open them.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use anyhow::{Context, bail};
use secrecy::ExposeSecret;

use crate::{
    config::{self, Database},
    store::Store,
};

/// Keeps other servers out of the data folder until it is dropped.
pub(super) struct DataLock(File);

impl Drop for DataLock {
    /// Unlocks explicitly, because a child that was just forked may also hold the file open.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl DataLock {
    /// Creates the folder if it is missing.
    pub(super) fn take(data_dir: &Path) -> anyhow::Result<Self> {
        let unusable = || {
            format!(
                "CODEFLOW_DATA_DIR={}: the folder can't be used",
                data_dir.display()
            )
        };
        config::prepare_data_folder(data_dir)?;
        let lock = File::create(data_dir.join("lock")).with_context(unusable)?;
        if lock.try_lock().is_err() {
            bail!(
                "another codeflow works in {}; stop it, or set CODEFLOW_DATA_DIR to another folder",
                data_dir.display()
            );
        }
        Ok(Self(lock))
    }
}

/// The name of the server with this data folder among those that share a database: a random one
/// that stays.
pub(super) fn node_name(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("node");
    let unusable = || format!("{} can't be used", path.display());
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(unusable);
        }
        _ => {}
    }
    let name = uuid::Uuid::now_v7().to_string();
    fs::write(&path, &name).with_context(unusable)?;
    Ok(name)
}

/// Opens the database, with all migrations applied.
pub(super) async fn open_store(database: &Database) -> anyhow::Result<Store> {
    match database {
        Database::File(path) => Store::open_file(path).await,
        Database::Url(url) => Store::open(url.expose_secret()).await,
    }
    .with_context(|| unopened(database))
}

/// Opens the database without changing its tables.
pub(super) async fn open_as_it_is(database: &Database) -> anyhow::Result<Store> {
    match database {
        Database::File(path) => Store::open_file_as_it_is(path).await,
        Database::Url(url) => Store::open_as_it_is(url.expose_secret()).await,
    }
    .with_context(|| unopened(database))
}

fn unopened(database: &Database) -> String {
    match database {
        Database::File(path) => format!("the database {} can't be opened", path.display()),
        Database::Url(_) => "the database of DATABASE_URL can't be opened".to_owned(),
    }
}
