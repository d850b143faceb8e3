//! The database's migrations, one file each; they work on SQLite and on PostgreSQL.

pub use sea_orm_migration::prelude::*;

mod m20261121_000001_create_tables;
mod m20261121_000002_add_journal_columns;
mod m20261121_000003_add_images;
mod m20261128_000001_add_estimated;
mod m20261128_000002_add_version_kinds;
mod m20261128_000003_add_run_accounts;
mod m20261128_000004_add_event_names;
mod m20261128_000005_narrow_event_indexes;
mod m20261128_100010_add_deleted_projects;
mod m20261128_100011_add_pictures;
mod m20261128_100012_add_preferences;
mod m20261128_100020_add_version_authors;
mod m20261128_100030_add_edits;
mod m20261129_100010_add_withdrawn_messages;
mod m20261129_100040_add_accounts;
mod m20261129_100041_add_image_owners;
mod m20261129_100050_add_credits;
mod m20261129_100051_add_step_models;
mod m20261129_100052_add_billing_customers;
mod m20261129_100055_add_shares;
mod m20261129_100060_add_administration;
mod m20261129_100065_add_link_details;
mod m20261129_100066_add_second_steps;
mod m20261129_100067_add_linked_identities;
mod m20261129_100070_add_teams;
mod m20261129_100080_add_modes;
mod m20261129_100081_add_cached_tokens;
mod m20261129_100082_add_message_models;
mod m20261129_100110_add_api_tokens;
mod m20261129_100120_add_user_keys;
mod m20261129_100130_add_traceparents;
mod m20261129_100140_add_passkeys;
mod m20261129_100145_add_order_keys;
mod m20261130_100020_add_passed_journeys;
mod m20261130_100030_add_leases;
mod m20261130_100040_add_saved_prompts;
mod m20261130_100050_add_tool_consents;
mod m20261130_100060_add_sandbox_hosts;
mod m20261130_100070_add_bucket;

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
            Box::new(m20261128_000005_narrow_event_indexes::Migration),
            Box::new(m20261128_100010_add_deleted_projects::Migration),
            Box::new(m20261128_100011_add_pictures::Migration),
            Box::new(m20261128_100012_add_preferences::Migration),
            Box::new(m20261128_100020_add_version_authors::Migration),
            Box::new(m20261128_100030_add_edits::Migration),
            Box::new(m20261129_100010_add_withdrawn_messages::Migration),
            Box::new(m20261129_100040_add_accounts::Migration),
            Box::new(m20261129_100041_add_image_owners::Migration),
            Box::new(m20261129_100050_add_credits::Migration),
            Box::new(m20261129_100051_add_step_models::Migration),
            Box::new(m20261129_100052_add_billing_customers::Migration),
            Box::new(m20261129_100055_add_shares::Migration),
            Box::new(m20261129_100060_add_administration::Migration),
            Box::new(m20261129_100065_add_link_details::Migration),
            Box::new(m20261129_100066_add_second_steps::Migration),
            Box::new(m20261129_100067_add_linked_identities::Migration),
            Box::new(m20261129_100070_add_teams::Migration),
            Box::new(m20261129_100080_add_modes::Migration),
            Box::new(m20261129_100081_add_cached_tokens::Migration),
            Box::new(m20261129_100082_add_message_models::Migration),
            Box::new(m20261129_100110_add_api_tokens::Migration),
            Box::new(m20261129_100120_add_user_keys::Migration),
            Box::new(m20261129_100130_add_traceparents::Migration),
            Box::new(m20261129_100140_add_passkeys::Migration),
            Box::new(m20261129_100145_add_order_keys::Migration),
            Box::new(m20261130_100020_add_passed_journeys::Migration),
            Box::new(m20261130_100030_add_leases::Migration),
            Box::new(m20261130_100040_add_saved_prompts::Migration),
            Box::new(m20261130_100050_add_tool_consents::Migration),
            Box::new(m20261130_100060_add_sandbox_hosts::Migration),
            Box::new(m20261130_100070_add_bucket::Migration),
        ]
    }
}

/// Adds a column to a table.
async fn add_column(
    manager: &SchemaManager<'_>,
    table: impl IntoIden + 'static,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    let table = Table::alter()
        .table(table.into_iden())
        .add_column(&mut column)
        .to_owned();
    manager.alter_table(table).await
}

/// Removes a column from a table.
async fn drop_column(
    manager: &SchemaManager<'_>,
    table: impl IntoIden + 'static,
    column: impl IntoIden + 'static,
) -> Result<(), DbErr> {
    let table = Table::alter()
        .table(table.into_iden())
        .drop_column(column.into_iden())
        .to_owned();
    manager.alter_table(table).await
}
