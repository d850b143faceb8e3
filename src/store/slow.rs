//! Statement statistics for `/metrics`, without the statements' text.

use std::time::Duration;

use sea_orm::metric::Info;

/// A statement that takes this long counts as slow: on SQLite it blocks all other writes.
const SLOW: Duration = Duration::from_millis(500);

/// Counts the statement, and whether it was slow.
pub(super) fn count(query: &Info<'_>) {
    metrics::counter!("codeflow_database_queries_total").increment(1);
    if query.elapsed >= SLOW {
        metrics::counter!("codeflow_database_slow_queries_total").increment(1);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;
    use crate::store::Store;

    const COUNTED: &str = "codeflow_database_slow_queries_total 1\n";

    #[test]
    fn a_quick_statement_is_counted_and_is_not_slow() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let statement = Statement::from_string(DbBackend::Sqlite, "SELECT 1");
        let take = |elapsed| {
            count(&Info {
                elapsed,
                statement: &statement,
                failed: false,
            });
        };
        metrics::with_local_recorder(&recorder, || take(SLOW / 2));
        let text = recorder.handle().render();
        assert!(
            text.contains("codeflow_database_queries_total 1\n"),
            "{text}"
        );
        assert!(!text.contains("slow"), "{text}");
        metrics::with_local_recorder(&recorder, || take(SLOW));
        let text = recorder.handle().render();
        assert!(text.contains(COUNTED) && !text.contains("SELECT"), "{text}");
    }

    #[tokio::test]
    async fn the_database_counts_its_slow_statements() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let mut rows = 1_000_000_u64;
        while !recorder.handle().render().contains(COUNTED) {
            let numbers = format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
                 SELECT count(*) FROM n"
            );
            let numbers = Statement::from_string(DbBackend::Sqlite, numbers);
            store.db.query_one_raw(numbers).await.unwrap();
            rows *= 2;
            assert!(rows < 1 << 28, "no statement was counted");
        }
        store.close().await;
    }
}
