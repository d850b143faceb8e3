//! A sandbox's record: what the host knows about it, stored beside its files, so that a restart
//! loses none.

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

/// A sandbox, as stored in `sandbox.json`. It is not `Debug`, because it contains tokens and
/// possibly secret variables.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: String,
    pub template: String,
    /// The template's build that its files are layered over.
    pub version: String,
    /// The snapshot it was made from.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// The token that requests to envd must carry; `None` for a sandbox created without one.
    pub token: Option<String>,
    pub metadata: HashMap<String, String>,
    pub envs: HashMap<String, String>,
    /// Unix time in milliseconds.
    pub started_at: u64,
    /// When it is killed or paused: Unix time in milliseconds.
    pub end_at: u64,
    /// The time-out it was created with, in seconds.
    pub timeout: u64,
    /// Whether it is paused at its end, instead of killed.
    pub auto_pause: bool,
    /// Whether its memory is kept then.
    #[serde(default = "kept")]
    pub auto_pause_memory: bool,
    /// Whether a request wakes it.
    pub auto_resume: bool,
    #[serde(default)]
    pub network: Network,
    /// The token that requests to its apps must carry, if its network settings require one.
    #[serde(default)]
    pub traffic_token: Option<String>,
}

/// The parameters of a new sandbox.
pub(super) struct NewSandbox {
    pub template: String,
    /// The id of the snapshot it starts from, which was taken over this template.
    pub snapshot: Option<String>,
    pub timeout: u64,
    pub metadata: HashMap<String, String>,
    pub envs: HashMap<String, String>,
    pub secure: bool,
    pub auto_pause: bool,
    pub auto_pause_memory: bool,
    pub auto_resume: bool,
    pub network: Network,
}

impl NewSandbox {
    /// A sandbox for the pool, which belongs to nobody yet.
    pub(super) fn waiting(template: &str) -> Self {
        Self {
            template: template.to_owned(),
            snapshot: None,
            timeout: 0,
            metadata: Default::default(),
            envs: Default::default(),
            secure: false,
            auto_pause: false,
            auto_pause_memory: kept(),
            auto_resume: false,
            network: Network::default(),
        }
    }
}

impl Record {
    /// The record of a new sandbox, based on this build of its template.
    pub(super) fn new(new: NewSandbox, version: String) -> Self {
        let started_at = now();
        Self {
            id: random_id(),
            template: new.template,
            version,
            snapshot: new.snapshot,
            token: new.secure.then(random_id),
            metadata: new.metadata,
            envs: new.envs,
            started_at,
            end_at: in_seconds(new.timeout),
            timeout: new.timeout,
            auto_pause: new.auto_pause,
            auto_pause_memory: new.auto_pause_memory,
            auto_resume: new.auto_resume,
            traffic_token: (new.network.allow_public_traffic == Some(false)).then(random_id),
            network: new.network,
        }
    }

    /// The sandbox's record; `None` if the sandbox's creation or removal was interrupted.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join("sandbox.json")) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the stored record atomically. Blocks until it is on disk.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        replace(folder, "sandbox.json", self)
    }

    /// Removes a sandbox's folder, the record first: the remains of an interrupted removal are no
    /// sandbox.
    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_file(folder.join("sandbox.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => disk::remove(folder),
        }
    }
}

fn kept() -> bool {
    true
}

/// Replaces a stored record atomically. Blocks until it is on disk.
pub(super) fn replace(folder: &Path, name: &str, record: &impl Serialize) -> io::Result<()> {
    let part = folder.join(format!("{name}.part"));
    let mut file = fs::File::create(&part)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    file.sync_all()?;
    fs::rename(part, folder.join(name))
}

/// The readable records of all sandboxes on disk.
pub(super) fn all(data_dir: &Path) -> Vec<Record> {
    let folders = fs::read_dir(data_dir.join("sandboxes"))
        .into_iter()
        .flatten()
        .flatten();
    folders
        .filter_map(|folder| Record::read(&folder.path()).ok().flatten())
        .collect()
}
