//! What the host knows of a sandbox and keeps on disk beside its files, so that a restart of the
//! host loses none.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    clock::{in_seconds, now},
    disk,
    names::random_id,
    network::Network,
};

/// A sandbox, as it is stored in `sandbox.json`. Not `Debug`: it holds tokens, and variables that
/// may be secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: String,
    pub template: String,
    /// Which build of the template its files are a layer over.
    pub version: String,
    /// What requests to envd must carry; `None` for a sandbox that was made without.
    pub token: Option<String>,
    pub metadata: HashMap<String, String>,
    pub envs: HashMap<String, String>,
    /// Unix time in milliseconds.
    pub started_at: u64,
    /// When it is killed or paused: Unix time in milliseconds.
    pub end_at: u64,
    /// The time-out it was made with, in seconds.
    pub timeout: u64,
    /// At its end it is paused, not killed.
    pub auto_pause: bool,
    /// A request to it wakes it.
    pub auto_resume: bool,
    #[serde(default)]
    pub network: Network,
    /// What requests to its apps must carry, where its network settings ask for it.
    #[serde(default)]
    pub traffic_token: Option<String>,
}

/// What a new sandbox is made with.
pub(super) struct NewSandbox {
    pub template: String,
    pub timeout: u64,
    pub metadata: HashMap<String, String>,
    pub envs: HashMap<String, String>,
    pub secure: bool,
    pub auto_pause: bool,
    pub auto_resume: bool,
    pub network: Network,
}

impl NewSandbox {
    /// One for the pool, which is nobody's yet.
    pub(super) fn waiting(template: &str) -> Self {
        Self {
            template: template.to_owned(),
            timeout: 0,
            metadata: Default::default(),
            envs: Default::default(),
            secure: false,
            auto_pause: false,
            auto_resume: false,
            network: Network::default(),
        }
    }
}

impl Record {
    /// The record of a sandbox that is being made, from this build of its template.
    pub(super) fn new(new: NewSandbox, version: String) -> Self {
        let started_at = now();
        Self {
            id: random_id(),
            template: new.template,
            version,
            token: new.secure.then(random_id),
            metadata: new.metadata,
            envs: new.envs,
            started_at,
            end_at: in_seconds(new.timeout),
            timeout: new.timeout,
            auto_pause: new.auto_pause,
            auto_resume: new.auto_resume,
            traffic_token: (new.network.allow_public_traffic == Some(false)).then(random_id),
            network: new.network,
        }
    }

    /// The sandbox's record; `None` when the sandbox was never finished, or its removal was.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join("sandbox.json")) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the stored record as a whole. Blocks until the disk has it.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let part = folder.join("sandbox.json.part");
        let mut file = fs::File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(part, folder.join("sandbox.json"))
    }

    /// Removes a sandbox's folder, the record first: what is left of a removal that was cut short
    /// is no sandbox.
    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(folder.join("sandbox.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => disk::remove(folder),
        }
    }
}

/// The records of all sandboxes on disk that can be read.
pub(super) fn all(data_dir: &Path) -> Vec<Record> {
    let folders = fs::read_dir(data_dir.join("sandboxes"))
        .into_iter()
        .flatten()
        .flatten();
    folders
        .filter_map(|folder| Record::read(&folder.path()).ok().flatten())
        .collect()
}
