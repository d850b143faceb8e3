//! What the host knows of a sandbox and keeps on disk beside its files, so that a restart of the
//! host loses none.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use super::{disk, network::Network, sandboxes::NewSandbox};

/// A sandbox, as it is stored in `sandbox.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

    /// Replaces the stored record as a whole.
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

/// A moment so many seconds ahead: Unix time in milliseconds.
pub(super) fn in_seconds(seconds: u64) -> u64 {
    now().saturating_add(seconds.saturating_mul(1000))
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

/// Unix time in milliseconds.
pub(super) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as RFC 3339 has it, in UTC with milliseconds.
pub(super) fn rfc3339(millis: u64) -> String {
    i64::try_from(millis)
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `i` and twenty random letters and digits, as E2B's ids are.
pub(super) fn random_id() -> String {
    use rand::Rng;
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    std::iter::once('i')
        .chain((0..20).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])))
        .collect()
}
