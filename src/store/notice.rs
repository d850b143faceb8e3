//! Notices between the servers that share a PostgreSQL database (`NOTIFY` and `LISTEN`). A notice
//! can be lost, with its connection or its sender: the tables are what counts.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement, sqlx::postgres::PgListener,
};

use super::{Result, Store};

const CHANNEL: &str = "codeflow";

/// The notices of other servers, and of this one.
pub struct Notices(PgListener);

impl Store {
    /// Sends a notice of at most 7,999 bytes to all servers.
    pub async fn notify(&self, notice: String) -> Result<()> {
        let values = [CHANNEL.into(), notice.into()];
        let sent =
            Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_notify($1, $2)", values);
        self.db.query_one_raw(sent).await?;
        Ok(())
    }

    /// Begins to listen, on one of the database's connections.
    pub async fn notices(&self) -> Result<Notices> {
        let pool = self.db.get_postgres_connection_pool();
        let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
        listener.listen(CHANNEL).await.map_err(failed)?;
        Ok(Notices(listener))
    }
}

impl Notices {
    /// The next notice. `None` after the connection was lost, and notices perhaps with it; it is
    /// made anew.
    pub async fn next(&mut self) -> Result<Option<String>> {
        let next = self.0.try_recv().await.map_err(failed)?;
        Ok(next.map(|notice| notice.payload().to_owned()))
    }
}

fn failed(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}
