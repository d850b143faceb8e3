//! The database, and the bucket that may hold its contents: one file per table, with its model and
//! its queries. No other module names sea_orm.
//! What belongs together is written in one transaction; what others must learn comes back as saved
//! `Event`s.

mod account;
mod administration;
mod all_projects;
mod api_token;
mod attached_image;
mod audit;
mod billing;
mod blob;
mod blob_hash;
mod browser;
mod bucket;
mod content;
mod credit;
mod credit_account;
mod dashboard;
mod deletion;
mod dump;
mod edit;
mod event;
mod file_kind;
mod fragment;
mod image;
mod invitation;
mod lease;
mod link;
mod linked_identity;
mod listing;
mod load;
mod loose_object;
mod member;
mod message;
mod notice;
mod order;
mod orphans;
mod passed_journey;
mod passkey;
mod picture;
mod plan;
mod preference;
mod project;
mod prompt;
mod readable;
mod ready;
mod reply;
mod rewind;
mod run;
mod saved_prompt;
mod search;
mod second_step;
mod session;
mod share;
mod slow;
mod step;
mod sweep;
mod tables;
mod team;
#[cfg(test)]
mod testing;
mod title;
mod tool_consent;
mod turns;
mod types;
mod usage;
mod usage_report;
mod user;
mod user_key;
mod version;
mod write;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use codeflow_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
    TransactionTrait,
};

use crate::protocol::{CreditRules, Credits, ModelId};
pub use administration::AccountChange;
pub use api_token::FoundToken;
pub use audit::{Actor, Deed};
pub use blob_hash::BlobHash;
use bucket::Bucket;
pub use content::BucketDifferences;
pub use deletion::Deleted;
pub use dump::{BlobShelf, Dumped};
pub use edit::{Edit, SavedEdit};
pub use file_kind::FileKind;
pub use fragment::{NewFragment, Version};
pub use image::ImageContent;
pub use invitation::NewInvitation;
use lease::Fence;
pub use lease::{LEASE_TIME, Lease};
pub use link::{Link, Purpose};
pub use notice::Notices;
pub use orphans::LostFile;
pub use passed_journey::NewPassedJourney;
pub use passkey::{FoundPasskey, PasskeyKey};
pub use reply::Reply;
pub use rewind::{Prompted, Rewind};
pub use run::Backlog;
pub use second_step::SecondStep;
pub use session::{NewSession, OpenSession};
pub use share::{ListedShare, OpenShare};
pub use step::{Begun, SavedStep};
pub use sweep::Unused;
pub use tables::known_migrations;
use turns::Turns;
pub use user::{Credentials, NewUser};
pub use version::{AT_WORK, StoredFile};

/// SQLite truncates its log to this size, in bytes, at the first write after a complete checkpoint.
const LOG_LIMIT: &str = "1048576";

/// PostgreSQL's advisory lock under which migrations are applied: "codeflow", in ASCII.
const MIGRATION_LOCK: i64 = 0x636f_6465_666c_6f77;

/// A database error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The row's state does not allow it; the sentence is for the user.
    #[error("{0}")]
    Conflict(&'static str),
    /// The user has too few credits for a run.
    #[error("out of credits: {} are left", .0.left)]
    OutOfCredits(Credits),
    /// A row holds a value that no version of this program writes.
    #[error("{0} can't be read from the database: {1}")]
    Corrupt(&'static str, String),
    /// A newer version of this program has migrated the database.
    #[error(
        "the database is of a newer version of CodeFlow (it has the migration {0}); start that \
         version, or restore a backup of this one"
    )]
    Newer(String),
    /// A newer version of this program made the backup.
    #[error(
        "the backup is of CodeFlow {codeflow}, which is newer (it has the migration {migration}); \
         restore it with that version"
    )]
    NewerCopy { codeflow: String, migration: String },
    /// The backup is damaged.
    #[error("the backup is damaged: {0}")]
    DamagedCopy(String),
    /// The work was abandoned, because the server is stopping or has a fault.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// The bucket with the contents of files can't be used; the sentence names the variable.
    #[error("{0}")]
    Bucket(String),
    /// The content's object is missing from the bucket or damaged, or its row is gone.
    #[error("the content of this {0} is lost")]
    LostContent(&'static str),
    /// The same, of a content that is to be copied.
    #[error(
        "the content {0} is missing from the bucket or damaged; codeflow doctor says which files \
         have it"
    )]
    LostObject(String),
    #[error("database: {0}")]
    Database(DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error {
            // A column holds a value of the wrong type: retrying does not help.
            DbErr::Type(error) => Self::Corrupt("a row", error),
            error => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Whether the disk is full (SQLite's code 13, PostgreSQL's class 53100).
    pub fn is_disk_full(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let text = error.to_string();
        ["(code: 13)", "disk is full", "No space left on device"]
            .iter()
            .any(|sign| text.contains(sign))
    }
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database, as a cheap handle.
#[derive(Debug, Clone)]
pub struct Store {
    db: DatabaseConnection,
    turns: Turns,
    /// Where contents are; `None` where they are in the database. See [`Store::with_bucket`].
    bucket: Option<Bucket>,
    /// The price of runs; `None` where they cost nothing.
    credits: Option<CreditRules>,
    /// The installation's models, if users' own keys count; see [`Store::with_own_keys`].
    own_keys: Option<Arc<[ModelId]>>,
    /// The name among the servers that share the database; see [`Store::shared_as`].
    node: Option<Arc<str>>,
    /// What must hold when something is written; see [`Store::under`].
    fence: Option<Arc<Fence>>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:` or `postgres:`) and applies missing migrations.
    /// `Newer` if it has unknown ones.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_as_it_is(url).await?.migrated().await
    }

    /// Opens the SQLite database in the file in the same way, creating it if it is missing.
    pub async fn open_file(path: &Path) -> Result<Self> {
        Self::open_file_as_it_is(path).await?.migrated().await
    }

    /// Opens the database without changing its tables.
    pub async fn open_as_it_is(url: &str) -> Result<Self> {
        Self::connect(ConnectOptions::new(url), None).await
    }

    /// Opens the SQLite database in the file without changing its tables.
    pub async fn open_file_as_it_is(path: &Path) -> Result<Self> {
        Self::connect(ConnectOptions::new("sqlite:"), Some(path.to_owned())).await
    }

    async fn migrated(self) -> Result<Self> {
        tables::expect_known(&self.db).await?;
        if self.db.get_database_backend() == DbBackend::Sqlite {
            let_shrink(&self.db).await;
        }
        // Of several servers that start at once, one applies them, and the others wait.
        let alone = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                let tx = self.db.begin().await?;
                let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
                tx.execute_unprepared(&lock).await?;
                Some(tx)
            }
            _ => None,
        };
        Migrator::up(&self.db, None).await?;
        if let Some(tx) = alone {
            tx.commit().await?;
        }
        Ok(self)
    }

    async fn connect(mut options: ConnectOptions, file: Option<PathBuf>) -> Result<Self> {
        options
            .sqlx_logging(false)
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            .map_sqlx_sqlite_opts(move |sqlite| {
                let sqlite = match &file {
                    Some(file) => sqlite.filename(file),
                    None => sqlite,
                };
                // With WAL and NORMAL, every commit survives a kill of the process; only a power
                // cut can lose the last ones.
                sqlite
                    .create_if_missing(true)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(30))
                    // Lets the file shrink when rows are removed.
                    .pragma("auto_vacuum", "INCREMENTAL")
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .pragma("journal_size_limit", LOG_LIMIT)
            });
        let mut db = Database::connect(options).await?;
        db.set_metric_callback(slow::count);
        let turns = Turns::of(&db);
        Ok(Self {
            db,
            turns,
            bucket: None,
            credits: None,
            own_keys: None,
            node: None,
            fence: None,
        })
    }

    /// Returns once the database answers.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.db.ping().await?)
    }

    /// The number of open connections, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        let (open, idle) = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                let pool = self.db.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => {
                let pool = self.db.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        (usize::try_from(open).unwrap_or(usize::MAX), idle)
    }

    /// Closes all connections, so that SQLite merges its log into the file.
    pub async fn close(self) {
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

/// Converts a database file that can't shrink. Happens once, and takes a moment per gigabyte.
async fn let_shrink(db: &DatabaseConnection) {
    let made = async {
        if pragma(db, "auto_vacuum").await? == 0 {
            tracing::info!("the database's file is made able to shrink");
            db.execute_unprepared("VACUUM").await?;
        }
        Ok::<_, DbErr>(())
    };
    if let Err(error) = made.await {
        tracing::warn!(%error, "the database's file can't be made able to shrink");
    }
}

/// The numeric value of a SQLite pragma.
async fn pragma(db: &DatabaseConnection, name: &str) -> Result<i64, DbErr> {
    let answer = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"));
    let row = db.query_one_raw(answer).await?;
    Ok(row
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .unwrap_or_default())
}

/// The text without zero bytes, which program output may contain and PostgreSQL rejects.
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(what, error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(what, error.to_string()))
}
