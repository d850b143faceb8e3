//! Leases: where several servers share a PostgreSQL database, one of them at a time changes a
//! project's app. A lease ends by itself unless its server keeps renewing it, so the work of a
//! server that died goes on elsewhere. Each time a project's lease is taken it gets a new epoch,
//! and what is written under an older one is refused: a server that was cut off for a while can't
//! spoil what another has done meanwhile. All times are by the database's clock.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, QuerySelect, Statement, UpdateMany, Value,
    entity::prelude::*,
    sea_query::{ExprTrait as _, IntoColumnRef, SimpleExpr},
};
use tokio_util::sync::CancellationToken;

use super::{Result, Store, StoreError};
use crate::protocol::ProjectId;

/// How long a lease lasts unless it is renewed.
pub const LEASE_TIME: Duration = Duration::from_secs(15);
/// The database's clock, in milliseconds since 1970.
const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    /// The server that holds it; empty when it was given back.
    pub node: String,
    pub epoch: i64,
    /// When it ends unless it is renewed, in milliseconds since 1970.
    pub until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A lease that this server has taken.
#[derive(Debug, Clone)]
pub struct Lease {
    pub project: ProjectId,
    pub epoch: i64,
    /// Cancelled when another server may have taken it.
    pub lost: CancellationToken,
}

/// What a [`Store`] writes only while its server has the lease.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    node: String,
    lease: Lease,
}

impl Store {
    /// The database as the server with this name uses it, beside others. Names must differ between
    /// servers, and a server that is started again keeps its name.
    pub fn shared_as(self, node: String) -> Self {
        Self {
            node: Some(node.into()),
            ..self
        }
    }

    /// This server's name among those that share the database; `None` where it is alone.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The database for work that needs the lease: each write is refused with `Interrupted` once
    /// another server has taken it.
    pub fn under(&self, lease: Lease) -> Self {
        let fence = self.node().map(|node| {
            let node = node.to_owned();
            Arc::new(Fence { node, lease })
        });
        Self {
            fence,
            ..self.clone()
        }
    }

    /// Takes the project's lease. `None` while it is held, by another server or by this one.
    pub async fn take_lease(&self, project: ProjectId) -> Result<Option<Lease>> {
        // The lock waits for what is written under the lease that ended (`Fence::hold`).
        let again = format!(
            "WITH free AS (SELECT project_id FROM leases WHERE project_id = $1 AND until < {NOW} \
             FOR UPDATE) UPDATE leases SET node = $2, epoch = epoch + 1, until = {} \
             FROM free WHERE leases.project_id = free.project_id RETURNING epoch",
            until()
        );
        let first = format!(
            "INSERT INTO leases (project_id, node, epoch, until) VALUES ($1, $2, 1, {}) \
             ON CONFLICT (project_id) DO NOTHING RETURNING epoch",
            until()
        );
        for sql in [again, first] {
            let taken = postgres(&sql, [project.into(), self.expect_node().into()]);
            if let Some(row) = self.db.query_one_raw(taken).await? {
                return Ok(Some(Lease {
                    project,
                    epoch: row.try_get_by_index(0)?,
                    lost: CancellationToken::new(),
                }));
            }
        }
        Ok(None)
    }

    /// Renews these leases. Returns the projects of those that this server still has.
    pub async fn renew_leases(&self, held: &[Lease]) -> Result<Vec<ProjectId>> {
        let projects = held.iter().map(|lease| lease.project);
        let renewed = Entity::update_many()
            .col_expr(Column::Until, Expr::cust(until()))
            .filter(Column::Node.eq(self.expect_node()))
            .filter(Column::ProjectId.is_in(projects))
            .exec_with_returning(&self.db)
            .await?;
        let renewed = renewed.into_iter().filter(|model| {
            let mut held = held.iter();
            held.any(|lease| (lease.project, lease.epoch) == (model.project_id, model.epoch))
        });
        Ok(renewed.map(|model| model.project_id).collect())
    }

    /// Gives the lease back. Does nothing if another server has taken it.
    pub async fn give_back(&self, lease: &Lease) -> Result<()> {
        let given = given_back()
            .filter(Column::ProjectId.eq(lease.project))
            .filter(Column::Node.eq(self.expect_node()))
            .filter(Column::Epoch.eq(lease.epoch));
        given.exec(&self.db).await?;
        Ok(())
    }

    /// Gives back what an earlier process of this server had.
    pub async fn give_back_all(&self) -> Result<()> {
        let given = given_back().filter(Column::Node.eq(self.expect_node()));
        given.exec(&self.db).await?;
        Ok(())
    }

    fn expect_node(&self) -> String {
        self.node().unwrap_or_default().to_owned()
    }
}

impl Fence {
    /// Keeps the lease from being taken until the transaction ends; `Interrupted` if another server
    /// has it.
    pub(super) async fn hold(&self, tx: &DatabaseTransaction) -> Result<()> {
        let Self { node, lease } = self;
        // Renewals change no key, so they don't wait for this lock, nor hold it up.
        let held = postgres(
            "SELECT 1 FROM leases WHERE project_id = $1 AND node = $2 AND epoch = $3 FOR KEY SHARE",
            [
                lease.project.into(),
                node.clone().into(),
                lease.epoch.into(),
            ],
        );
        if tx.query_one_raw(held).await?.is_some() {
            return Ok(());
        }
        lease.lost.cancel();
        Err(StoreError::Interrupted(
            "another server works on the project".to_owned(),
        ))
    }
}

/// When a lease that is taken or renewed now ends.
fn until() -> String {
    format!("{NOW} + {}", LEASE_TIME.as_millis())
}

/// Whether nobody has the lease of the project in this column of a query. It is looked up for each
/// row: the table has a lease of every project.
pub(super) fn is_free(project: impl IntoColumnRef) -> SimpleExpr {
    let mut held = Entity::find()
        .select_only()
        .column(Column::ProjectId)
        .filter(Expr::col((Entity, Column::ProjectId)).eq(Expr::col(project)))
        .filter(Expr::cust(format!("until >= {NOW}")));
    Expr::exists(QuerySelect::query(&mut held).take()).not()
}

fn given_back() -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Node, Expr::value(""))
        .col_expr(Column::Until, Expr::value(0_i64))
}

/// Only PostgreSQL is shared.
fn postgres<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}
