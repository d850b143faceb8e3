//! Two indexes of events cover only the rows that queries look for. The pieces of a growing answer,
//! by far the most rows, are not among them, and each index would cost each piece another page.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The indexes before, of all rows: by subject, and by name.
const ALL_BY_SUBJECT: &str = "events_subject";
const ALL_BY_NAME: &str = "events_project_name";
/// Events that belong to no run, such as a project's preview, by subject. The name differs, because
/// an SQLite connection that has yet to notice that an index is gone creates no other by its name.
const OF_PROJECT: &str = "events_of_project";
/// The files that runs wrote, by project.
const FILES: &str = "events_files";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            format!("DROP INDEX IF EXISTS {ALL_BY_SUBJECT}"),
            format!("DROP INDEX IF EXISTS {ALL_BY_NAME}"),
            format!(
                "CREATE INDEX {OF_PROJECT} ON events (project_id, subject) WHERE run_id IS NULL"
            ),
            format!("CREATE INDEX {FILES} ON events (project_id, seq) WHERE name = 'files'"),
        ];
        execute(manager, &statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            format!("DROP INDEX IF EXISTS {OF_PROJECT}"),
            format!("DROP INDEX IF EXISTS {FILES}"),
            format!("CREATE INDEX {ALL_BY_SUBJECT} ON events (project_id, subject)"),
            format!("CREATE INDEX {ALL_BY_NAME} ON events (project_id, name, seq)"),
        ];
        execute(manager, &statements).await
    }
}

/// Executes statements that SQLite and PostgreSQL spell alike.
async fn execute(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement)
            .await?;
    }
    Ok(())
}
