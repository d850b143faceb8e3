//! The database's migrations, one file each; they work on SQLite and on PostgreSQL.

pub use sea_orm_migration::prelude::*;

mod m20261121_000001_create_tables;
mod m20261121_000002_add_journal_columns;
mod m20261121_000003_add_images;
mod m20261128_000001_add_estimated;
mod m20261128_000002_add_version_kinds;
mod m20261128_000003_add_run_accounts;
mod m20261128_000004_add_event_names;

/// Applies the migrations in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_tables::Migration),
            Box::new(m20261121_000002_add_journal_columns::Migration),
            Box::new(m20261121_000003_add_images::Migration),
            Box::new(m20261128_000001_add_estimated::Migration),
            Box::new(m20261128_000002_add_version_kinds::Migration),
            Box::new(m20261128_000003_add_run_accounts::Migration),
            Box::new(m20261128_000004_add_event_names::Migration),
        ]
    }
}
