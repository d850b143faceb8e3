//! What administrators see: users, everybody's projects, sandboxes, the audit log, and the tables.
//! Filters hold the text of a page's query parameters; an empty or unknown text matches everything.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    Account, Fragment, Message, ProjectId, RunId, RunState, SessionId, Timestamp, UserId, named,
};

/// The result of a form, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub message: String,
    /// A link that is shown nowhere else.
    pub link: Option<String>,
    pub failed: bool,
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    Active,
    Disabled,
}

named!(UserState: Active = "active", Disabled = "disabled");

/// Which accounts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserFilter {
    /// Part of the address, the name or the id.
    pub search: String,
    pub plan: String,
    pub role: String,
    pub state: String,
    /// The `next` of the page before.
    pub before: String,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSummary {
    pub account: Account,
    pub state: UserState,
    /// `None` for a user who never signed in.
    pub seen_at: Option<Timestamp>,
    pub projects: u64,
    pub runs: u64,
}

/// Some of the accounts, the youngest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPage {
    pub users: Vec<UserSummary>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<UserId>,
    pub invitations: Vec<Invitation>,
}

/// A link that makes an account, which nobody has used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub id: SessionId,
    /// Empty for an invitation that a command created.
    pub made_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Which projects of all users to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectFilter {
    /// Part of the title, the owner's address or an id.
    pub search: String,
    /// The `next` of the page before.
    pub before: String,
}

/// A project in the list of all users' projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectOverview {
    pub id: ProjectId,
    pub title: String,
    /// The owner's address, or the local user's id.
    pub owner: String,
    pub owner_id: UserId,
    pub versions: u64,
    /// The size of all its versions' files, in bytes.
    pub bytes: u64,
    pub last_run: Option<(RunId, RunState)>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Some of all projects, the youngest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectPage {
    pub projects: Vec<ProjectOverview>,
    pub next: Option<ProjectId>,
}

/// The contents of another user's project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectInside {
    pub overview: ProjectOverview,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Newest first.
    pub versions: Vec<Fragment>,
    /// The paths of the latest version's files, sorted.
    pub files: Vec<String>,
    /// The requested file's text, as far as it is text.
    pub content: Option<String>,
}

/// The resources that a sandbox used a moment ago; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SandboxUse {
    /// In percent of all the processors it may use.
    pub cpu: f64,
    pub memory: u64,
    pub memory_limit: u64,
    pub disk: u64,
    pub disk_limit: u64,
}

/// A sandbox at the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SandboxOverview {
    pub id: String,
    pub awake: bool,
    pub started_at: Timestamp,
    /// `None` where the provider does not measure it.
    pub used: Option<SandboxUse>,
    pub project: Option<ProjectId>,
    /// The project's title; `None` where the project is gone or belongs to another installation.
    pub title: Option<String>,
    /// Whether it shows an earlier version.
    pub shows_version: bool,
    /// Whether this installation created it. The sandboxes of others are left alone.
    pub own: bool,
}

/// What an entry of the audit log is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSubject {
    /// Such as `user`.
    pub kind: String,
    pub id: String,
    /// Its name at that time; may be empty.
    pub name: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub id: String,
    pub at: Timestamp,
    pub actor: String,
    /// Such as `set plan`.
    pub action: String,
    pub subject: AuditSubject,
    /// A JSON object.
    pub details: String,
    /// Where the request came from.
    pub address: String,
}

/// Which entries of the audit log to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// Part of the actor's address.
    pub actor: String,
    pub action: String,
    /// Part of the subject's kind, id or name.
    pub subject: String,
    /// Part of any field.
    pub text: String,
    /// The first and the last day, `YYYY-MM-DD` in UTC.
    pub from: String,
    pub to: String,
    /// The `next` of the page before.
    pub before: String,
}

/// Some of the entries of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    pub next: Option<String>,
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterOperator {
    #[default]
    Contains,
    StartsWith,
    Is,
    IsNot,
    Less,
    More,
    IsEmpty,
}

named!(
    FilterOperator: Contains = "contains",
    StartsWith = "starts_with",
    Is = "is",
    IsNot = "is_not",
    Less = "less",
    More = "more",
    IsEmpty = "is_empty"
);

/// Which rows of which table to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataFilter {
    pub table: String,
    /// The column that is compared; empty for none.
    pub column: String,
    pub operator: FilterOperator,
    pub value: String,
    /// The column that the rows are sorted by; empty for the first.
    pub sort: String,
    pub descending: bool,
    /// From 0.
    pub page: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataColumn {
    pub name: String,
    /// Whether only the length of its values is shown.
    pub is_length: bool,
}

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPage {
    pub tables: Vec<String>,
    pub columns: Vec<DataColumn>,
    /// The names of the columns that hold secrets.
    pub left_out: Vec<String>,
    /// The beginnings of the values, in the columns' order; `None` for null.
    pub rows: Vec<Vec<Option<String>>>,
    pub more: bool,
}
