//! What the simulation costs its database: statements by kind (`pg_stat_statements`), transactions,
//! connections, and bytes; and the processor time of its server.

use std::{collections::HashMap, time::Instant};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, QueryResult, Statement};

use super::Cost;

/// How many kinds of statements are printed.
const SHOWN: usize = 12;
/// Sums of all statements so far, by kind: calls, rows and milliseconds.
type Statements = HashMap<String, (i64, i64, f64)>;

pub struct Load {
    db: DatabaseConnection,
    /// The process whose children the connections' are.
    server: i32,
}

/// Sums at a moment.
pub struct Moment {
    at: Instant,
    statements: Statements,
    commits: i64,
    rollbacks: i64,
    processor: f64,
}

impl Load {
    pub async fn of(url: &str) -> Self {
        let db = Database::connect(url).await.unwrap();
        db.execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            .await
            .unwrap();
        let mut load = Self { db, server: 0 };
        let own: i32 = load.one("SELECT pg_backend_pid()").await;
        let status = std::fs::read_to_string(format!("/proc/{own}/status")).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        load.server = parent.unwrap().trim().parse().unwrap();
        load
    }

    pub async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let statement = Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        self.db.query_all_raw(statement).await.unwrap()
    }

    /// The only value of the query's only row.
    pub async fn one<T: sea_orm::TryGetable>(&self, sql: &str) -> T {
        self.rows(sql).await[0].try_get_by_index(0).unwrap()
    }

    pub async fn now(&self) -> Moment {
        let mut statements = Statements::new();
        let all = "SELECT query, calls, rows, total_exec_time FROM pg_stat_statements";
        for row in self.rows(all).await {
            let query: String = row.try_get_by_index(0).unwrap();
            let sum = statements.entry(kind(&query)).or_default();
            sum.0 += row.try_get_by_index::<i64>(1).unwrap();
            sum.1 += row.try_get_by_index::<i64>(2).unwrap();
            sum.2 += row.try_get_by_index::<f64>(3).unwrap();
        }
        let own =
            "SELECT sum(xact_commit)::BIGINT, sum(xact_rollback)::BIGINT FROM pg_stat_database";
        let own = &self.rows(own).await[0];
        Moment {
            at: Instant::now(),
            statements,
            commits: own.try_get_by_index(0).unwrap(),
            rollbacks: own.try_get_by_index(1).unwrap(),
            processor: processor_time(self.server),
        }
    }

    /// Prints what happened since then. Returns the database's processor time, in seconds.
    pub async fn print(&self, when: &str, before: &Moment, runs: usize) -> f64 {
        let after = self.now().await;
        let seconds = (after.at - before.at).as_secs_f64();
        let mut kinds: Vec<(&String, (i64, i64, f64))> = Vec::new();
        for (kind, sum) in &after.statements {
            let earlier = before.statements.get(kind).copied().unwrap_or_default();
            let since = (sum.0 - earlier.0, sum.1 - earlier.1, sum.2 - earlier.2);
            if since.0 > 0 {
                kinds.push((kind, since));
            }
        }
        let calls: i64 = kinds.iter().map(|(_, sum)| sum.0).sum();
        let took: f64 = kinds.iter().map(|(_, sum)| sum.2).sum();
        let commits = after.commits - before.commits;
        let rolled_back = after.rollbacks - before.rollbacks;
        let processor = after.processor - before.processor;
        println!(
            "database, {when}: {:.0} statements/s, {:.0} transactions/s ({rolled_back} rolled \
             back), {:.1} s of execution and {processor:.1} s of processor in {seconds:.1} s{}",
            calls as f64 / seconds,
            commits as f64 / seconds,
            took / 1000.0,
            Cost(calls as f64, runs, "statements a run"),
        );
        kinds.sort_by(|(_, one), (_, other)| other.2.total_cmp(&one.2));
        for (kind, (calls, rows, took)) in kinds.into_iter().take(SHOWN) {
            println!(
                "  {kind}: {calls} calls, {:.1} rows and {:.3} ms each, {:.2} s in all",
                rows as f64 / calls as f64,
                took / calls as f64,
                took / 1000.0
            );
        }
        processor
    }

    /// Open connections of the servers; the sizes of the tables with their indexes, in bytes.
    pub async fn print_sizes(&self, projects: usize) {
        let connections: i64 = self
            .one("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            .await;
        let limit: String = self.one("SHOW max_connections").await;
        let size: i64 = self
            .one("SELECT pg_database_size(current_database())")
            .await;
        println!(
            "database: {connections} connections of {limit}, {:.0} MB, {:.1} kB a project",
            size as f64 / 1e6,
            size as f64 / 1e3 / projects as f64
        );
        let largest = "SELECT relname::TEXT, pg_total_relation_size(oid) FROM pg_class \
             WHERE relkind = 'r' ORDER BY 2 DESC LIMIT 6";
        let tables = self.rows(largest).await.into_iter().map(|row| {
            let (name, size): (String, i64) = (
                row.try_get_by_index(0).unwrap(),
                row.try_get_by_index(1).unwrap(),
            );
            format!("{name} {:.1}", size as f64 / 1e3 / projects as f64)
        });
        println!("  kB a project: {}", tables.collect::<Vec<_>>().join(", "));
    }
}

/// `SELECT runs`, `UPDATE leases` and the like.
fn kind(query: &str) -> String {
    let words: Vec<&str> = query.split_whitespace().collect();
    let verb = words.first().map_or("", |word| *word).to_uppercase();
    let after = match verb.as_str() {
        "SELECT" | "DELETE" => "FROM",
        "INSERT" => "INTO",
        "UPDATE" => "UPDATE",
        _ => return verb,
    };
    let at = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(after));
    let table = at.and_then(|at| words.get(at + 1)).unwrap_or(&"");
    let table = table.trim_matches(|letter: char| !letter.is_alphanumeric());
    let more = match () {
        () if query.contains("pg_notify") => "pg_notify",
        () if query.contains("FOR SHARE") => " for share",
        () if query.contains("FOR UPDATE") => " for update",
        () => "",
    };
    format!("{verb} {table}{more}")
}

/// The processor time of the process, of its children, and of those that have ended, in seconds
/// (proc_pid_stat(5)).
fn processor_time(parent: i32) -> f64 {
    let mut ticks = 0;
    for folder in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(folder.path().join("stat")) else {
            continue;
        };
        let Some((before, after)) = stat.rsplit_once(')') else {
            continue;
        };
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |at: usize| fields[at].parse::<i64>().unwrap_or_default();
        let is_server = before.split_whitespace().next() == Some(&parent.to_string());
        if is_server {
            ticks += number(11) + number(12) + number(13) + number(14);
        } else if number(1) == i64::from(parent) {
            ticks += number(11) + number(12);
        }
    }
    let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    ticks as f64 / a_second.unwrap().unwrap() as f64
}
