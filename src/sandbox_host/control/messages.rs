//! The request and response bodies of the control plane, as in E2B's API.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::sandbox_host::{
    clock::rfc3339,
    network::Network,
    record::Record,
    sandboxes::{Notice, Sandbox, Sandboxes},
};

/// E2B's constant.
const CLIENT_ID: &str = "6532622b";
/// The version of envd's protocol that our envd implements.
const ENVD_VERSION: &str = "0.6.4";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    #[serde(rename = "templateID")]
    pub template: String,
    pub timeout: Option<u64>,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    #[serde(default)]
    pub env_vars: HashMap<String, String>,
    #[serde(default)]
    pub secure: bool,
    #[serde(default)]
    pub auto_pause: bool,
    /// `false`: only the files are kept.
    pub auto_pause_memory: Option<bool>,
    #[serde(default)]
    pub auto_resume: AutoResume,
    #[serde(default)]
    pub network: Network,
    #[serde(default, rename = "allow_internet_access")]
    pub internet: Option<bool>,
}

#[derive(Default, Deserialize)]
pub(super) struct AutoResume {
    #[serde(default)]
    pub enabled: bool,
}

#[derive(Deserialize)]
pub(super) struct Timeout {
    pub timeout: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Connect {
    pub timeout: Option<u64>,
    /// `false`: a sandbox that sleeps with its memory starts from its files.
    pub memory: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Refresh {
    pub duration: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct NewNetwork {
    #[serde(flatten)]
    pub network: Network,
    #[serde(default, rename = "allow_internet_access")]
    pub internet: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Pause {
    pub memory: Option<bool>,
}

/// The beginning of every answer about a sandbox.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "templateID")]
    template: String,
    alias: String,
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "clientID")]
    client: &'static str,
    envd_version: &'static str,
}

impl Identity {
    fn of(record: &Record) -> Self {
        Self {
            template: record.snapshot.as_ref().unwrap_or(&record.template).clone(),
            alias: record.template.clone(),
            id: record.id.clone(),
            client: CLIENT_ID,
            envd_version: ENVD_VERSION,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    #[serde(flatten)]
    identity: Identity,
    envd_access_token: Option<String>,
    traffic_access_token: Option<String>,
    domain: Option<String>,
}

/// A sandbox in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    #[serde(flatten)]
    identity: Identity,
    started_at: String,
    end_at: String,
    cpu_count: u32,
    #[serde(rename = "memoryMB")]
    memory_mb: u64,
    #[serde(rename = "diskSizeMB")]
    disk_mb: u64,
    metadata: HashMap<String, String>,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    listed: Listed,
    envd_access_token: Option<String>,
    domain: Option<String>,
    allow_internet_access: bool,
    network: Network,
    lifecycle: Lifecycle,
    /// The latest problem; not part of E2B's protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Notice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    auto_resume: bool,
    on_timeout: &'static str,
}

impl Listed {
    pub(super) fn of(sandboxes: &Sandboxes, record: &Record, running: bool) -> Self {
        let settings = sandboxes.settings();
        Self {
            identity: Identity::of(record),
            started_at: rfc3339(record.started_at),
            end_at: rfc3339(record.end_at),
            cpu_count: settings.cpu_count(),
            memory_mb: settings.memory_mb,
            disk_mb: settings.disk_mb,
            metadata: record.metadata.clone(),
            state: if running { "running" } else { "paused" },
        }
    }
}

impl Created {
    pub(super) fn of(sandboxes: &Sandboxes, record: Record) -> Self {
        Self {
            identity: Identity::of(&record),
            envd_access_token: record.token,
            traffic_access_token: record.traffic_token,
            domain: Some(sandboxes.settings().domain.clone()),
        }
    }
}

impl Detail {
    pub(super) fn of(sandboxes: &Sandboxes, sandbox: &Sandbox) -> Self {
        let (record, running) = (sandbox.record(), sandbox.is_running());
        Self {
            listed: Listed::of(sandboxes, &record, running),
            envd_access_token: record.token,
            domain: Some(sandboxes.settings().domain.clone()),
            allow_internet_access: record.network.allows_internet(),
            network: record.network,
            lifecycle: Lifecycle {
                auto_resume: record.auto_resume,
                on_timeout: if record.auto_pause { "pause" } else { "kill" },
            },
            notice: sandbox.health().notice(),
        }
    }
}
