//! The audit log: what administrators did, on the page or on the server's machine, and changes to
//! projects' members. Each entry is written in the transaction that it records. Entries outlive the
//! accounts and projects that they name, and contain no secrets.

use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};
use serde_json::Value;

use super::{Result, Store, readable, search, without_nul};
use crate::protocol::{AuditEntry, AuditFilter, AuditSubject, SessionId, Timestamp, UserId};

/// How many entries a page has.
const PAGE: u64 = 50;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub at: i64,
    pub actor_id: Option<UserId>,
    pub actor: String,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub subject: String,
    pub details: String,
    pub address: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The author of a recorded action.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user: UserId,
    /// The account's address, or the local user's name.
    pub name: String,
    /// Where the request came from.
    pub address: String,
}

impl Actor {
    /// Whoever runs commands on the server's machine.
    pub fn shell() -> Self {
        Self {
            user: UserId("shell".to_owned()),
            name: "the shell".to_owned(),
            address: String::new(),
        }
    }
}

/// A recorded action.
#[derive(Debug, Clone)]
pub struct Deed {
    pub action: &'static str,
    pub subject: AuditSubject,
    /// A JSON object without secrets.
    pub details: Value,
}

impl Deed {
    pub fn new(
        action: &'static str,
        kind: &'static str,
        id: impl ToString,
        name: impl Into<String>,
    ) -> Self {
        Self {
            action,
            subject: AuditSubject {
                kind: kind.to_owned(),
                id: id.to_string(),
                name: name.into(),
            },
            details: Value::Object(serde_json::Map::new()),
        }
    }

    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

impl Store {
    /// Writes an entry for an action that changes no other table.
    pub async fn record(&self, by: &Actor, deed: Deed) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| Box::pin(async move { insert(tx, &by, deed).await }))
            .await
    }

    /// Like [`Store::record`], but at most one equal entry since `since`: an open page asks again
    /// and again.
    pub async fn record_once(&self, by: &Actor, deed: Deed, since: Timestamp) -> Result<()> {
        let by = by.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let known = Entity::find()
                    .filter(Column::At.gt(since.0))
                    .filter(Column::ActorId.eq(by.user.clone()))
                    .filter(Column::Action.eq(deed.action))
                    .filter(Column::SubjectId.eq(deed.subject.id.clone()));
                match known.count(tx).await? {
                    0 => insert(tx, &by, deed).await,
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// A page of the entries that match the filter, newest first, and where the next page begins.
    pub async fn list_audit(
        &self,
        filter: &AuditFilter,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        let mut query = Entity::find();
        if let Some(actor) = search::wanted(&filter.actor) {
            query = query.filter(search::any_contains([Column::Actor.into_expr()], &actor));
        }
        if let Some(action) = search::wanted(&filter.action) {
            query = query.filter(Column::Action.eq(action));
        }
        if let Some(subject) = search::wanted(&filter.subject) {
            let columns = [
                Column::SubjectKind.into_expr(),
                Column::SubjectId.into_expr(),
                Column::Subject.into_expr(),
            ];
            query = query.filter(search::any_contains(columns, &subject));
        }
        if let Some(text) = search::wanted(&filter.text) {
            let columns = [
                Column::Actor.into_expr(),
                Column::Action.into_expr(),
                Column::Subject.into_expr(),
                Column::SubjectId.into_expr(),
                Column::Details.into_expr(),
                Column::Address.into_expr(),
            ];
            query = query.filter(search::any_contains(columns, &text));
        }
        if let Some(from) = from {
            query = query.filter(Column::At.gte(from.0));
        }
        if let Some(to) = to {
            query = query.filter(Column::At.lt(to.0));
        }
        if let Some(before) = search::wanted(&filter.before) {
            query = query.filter(Column::Id.lt(before));
        }
        let page = query.order_by_desc(Column::Id).limit(PAGE + 1);
        let mut models = readable::models(&self.db, "audit entry", page).await?;
        let more = models.len() > PAGE as usize;
        models.truncate(PAGE as usize);
        let next = models.last().map(|model| model.id.clone());
        let entries = models.into_iter().map(Model::into_entry).collect();
        Ok((entries, next.filter(|_| more)))
    }
}

impl Model {
    fn into_entry(self) -> AuditEntry {
        AuditEntry {
            id: self.id,
            at: Timestamp(self.at),
            actor: self.actor,
            action: self.action,
            subject: AuditSubject {
                kind: self.subject_kind,
                id: self.subject_id,
                name: self.subject,
            },
            details: self.details,
            address: self.address,
        }
    }
}

/// Writes the entry.
pub(super) async fn insert(tx: &impl ConnectionTrait, by: &Actor, deed: Deed) -> Result<()> {
    let row = ActiveModel {
        // Sorts by the time it was written.
        id: Set(SessionId::new().to_string()),
        at: Set(Timestamp::now().0),
        actor_id: Set(Some(by.user.clone())),
        actor: Set(without_nul(&by.name)),
        action: Set(deed.action.to_owned()),
        subject_kind: Set(deed.subject.kind),
        subject_id: Set(without_nul(&deed.subject.id)),
        subject: Set(without_nul(&deed.subject.name)),
        details: Set(deed.details.to_string()),
        address: Set(by.address.clone()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
