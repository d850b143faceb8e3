//! The read-only browser of all tables. Columns must be allowed one by one: an unlisted table or
//! column is not shown, and a test fails until it is listed.

use sea_orm::{
    Condition, ExprTrait as _, Order,
    entity::prelude::*,
    sea_query::{Alias, Func, LikeExpr, Query, SimpleExpr},
};

use super::{Result, Store, StoreError, search, tables};
use crate::protocol::{DataColumn, DataFilter, DataPage, FilterOperator};

/// How many rows a page has.
const PAGE: u64 = 50;
/// How much of a value is shown, in characters.
const SHOWN: i32 = 200;
/// The last page that can be requested: later pages take the database ever longer.
const LAST_PAGE: u32 = 10_000;

/// A table's visible columns, those of which only the length is shown, and those hidden because
/// they are secrets or lead to them.
struct Shown {
    table: &'static str,
    columns: &'static [&'static str],
    lengths: &'static [&'static str],
    secrets: &'static [&'static str],
}

const fn shown(table: &'static str, columns: &'static [&'static str]) -> Shown {
    Shown {
        table,
        columns,
        lengths: &[],
        secrets: &[],
    }
}

#[rustfmt::skip]
const TABLES: &[Shown] = &[
    Shown {
        // The prefix is part of the token.
        secrets: &["token_hash", "prefix"],
        ..shown("api_tokens", &["id", "user_id", "name", "created_at", "expires_at", "used_at"])
    },
    shown("audit_entries", &[
        "id", "at", "actor_id", "actor", "action", "subject_kind", "subject_id", "subject",
        "details", "address",
    ]),
    Shown {
        // Stripe's id of the customer.
        secrets: &["id"],
        ..shown("billing_customers", &["user_id", "subscribed", "created_at"])
    },
    Shown { lengths: &["content"], ..shown("blobs", &["hash", "size", "in_bucket"]) },
    shown("credit_accounts", &["user_id", "balance", "refilled_at"]),
    shown("credit_entries", &["id", "user_id", "run_id", "reason", "amount", "created_at"]),
    Shown {
        lengths: &["content"],
        ..shown("edits", &[
            "project_id", "number", "kind", "path", "target", "created_at", "user_id",
        ])
    },
    shown("events", &["project_id", "seq", "run_id", "subject", "name", "kind", "created_at"]),
    shown("fragment_files", &["fragment_id", "path", "hash", "kind"]),
    shown("fragments", &[
        "id", "project_id", "message_id", "run_id", "number", "title", "created_at", "draft",
        "partial", "author", "restored", "changed", "picture", "user_id",
    ]),
    shown("image_owners", &["hash", "user_id"]),
    shown("images", &["hash", "media_type", "width", "height", "used_at"]),
    shown("installation", &["id"]),
    shown("leases", &["project_id", "node", "epoch", "until"]),
    shown("linked_identities", &["issuer", "subject", "user_id", "label", "created_at"]),
    shown("loose_objects", &["hash", "state", "since"]),
    shown("messages", &[
        "id", "project_id", "role", "kind", "content", "created_at", "image_hash", "replaced_by",
        "mode", "part", "answers", "user_id", "model",
    ]),
    Shown {
        // The detail may be the state of a sign-in with another service.
        secrets: &["token_hash", "detail"],
        ..shown("one_time_links", &[
            "id", "purpose", "user_id", "made_by", "created_at", "expires_at",
        ])
    },
    shown("passed_journeys", &["message_id", "ordinal", "title", "picture"]),
    Shown {
        secrets: &["credential_id", "public_key", "state"],
        ..shown("passkeys", &["id", "user_id", "name", "created_at", "used_at"])
    },
    shown("preferences", &["user_id", "name", "value"]),
    Shown {
        secrets: &["token_hash"],
        ..shown("project_invitations", &[
            "id", "project_id", "role", "email", "written_email", "created_at", "expires_at",
            "used_by", "used_at", "revoked_at",
        ])
    },
    shown("project_members", &["project_id", "user_id", "role", "added_by", "created_at"]),
    shown("projects", &[
        "id", "user_id", "title", "sandbox", "last_seq", "created_at", "updated_at", "used_at",
        "renamed", "restoring", "deleted_at", "picture", "sandbox_host",
    ]),
    Shown { secrets: &["code_hash"], ..shown("recovery_codes", &["user_id"]) },
    shown("runs", &[
        "id", "project_id", "message_id", "reply_id", "state", "created_at", "started_at",
        "finished_at", "worked_ms", "trimmed", "user_id", "traceparent", "own_key",
        "order_key",
    ]),
    Shown {
        lengths: &["text"],
        ..shown("saved_prompts", &["id", "user_id", "name", "saved_at", "deleted_at"])
    },
    shown("seaql_migrations", &["version", "applied_at"]),
    Shown {
        secrets: &["secret"],
        ..shown("second_steps", &["user_id", "confirmed_at", "last_counter"])
    },
    Shown {
        secrets: &["token_hash"],
        ..shown("sessions", &[
            "id", "user_id", "acting_user_id", "agent", "address", "created_at", "seen_at",
            "expires_at",
        ])
    },
    Shown {
        // It opens the project to anyone.
        secrets: &["slug"],
        ..shown("shares", &["project_id", "version", "source", "category", "created_at"])
    },
    shown("steps", &[
        "run_id", "name", "ordinal", "attempt", "output", "error", "started_at", "finished_at",
        "model", "input_digest", "input_tokens", "output_tokens", "cost_micros", "estimated",
        "crashes", "stopped", "cached_tokens",
    ]),
    shown("tool_consents", &["project_id", "tool", "decision", "decided_at"]),
    Shown {
        // The ending is part of the key.
        secrets: &["sealed", "ending"],
        ..shown("user_keys", &["user_id", "provider", "added_at"])
    },
    Shown {
        secrets: &["password_hash"],
        ..shown("users", &[
            "id", "email", "written_email", "name", "role", "plan", "disabled_at", "created_at",
            "seen_at",
        ])
    },
];

impl Store {
    /// The tables that the browser shows, in their order.
    pub fn data_tables(&self) -> Vec<String> {
        TABLES.iter().map(|shown| shown.table.to_owned()).collect()
    }

    /// A page of a table's rows as texts. `NotFound` for a table or a column that isn't shown.
    pub async fn browse(&self, filter: &DataFilter) -> Result<DataPage> {
        let shown = TABLES.iter().find(|shown| shown.table == filter.table);
        let shown = shown.ok_or(StoreError::NotFound("table"))?;
        let types = tables::columns(&self.db, shown.table).await?;
        let is_number = |name: &str| {
            let found = types.iter().find(|(column, _)| column == name);
            found.is_some_and(|(_, kind)| is_number(kind))
        };
        let table = Alias::new(shown.table);
        let mut query = Query::select();
        query.from(table);
        for name in shown.columns {
            query.expr(beginning(as_text(name)));
        }
        for name in shown.lengths {
            let length = Func::cust("LENGTH").arg(Expr::col(Alias::new(*name)));
            query.expr(SimpleExpr::from(length).cast_as("TEXT"));
        }
        let column = |name: &str| {
            let found = shown.columns.iter().find(|column| **column == name);
            found.copied().ok_or(StoreError::NotFound("column"))
        };
        if !filter.column.is_empty() {
            let name = column(&filter.column)?;
            query.cond_where(condition(filter, name, is_number(name)));
        }
        if !filter.sort.is_empty() {
            let order = if filter.descending {
                Order::Desc
            } else {
                Order::Asc
            };
            query.order_by(Alias::new(column(&filter.sort)?), order);
        }
        // The remaining columns make the order total, so that every row is on one page.
        for name in shown.columns {
            query.order_by(Alias::new(*name), Order::Asc);
        }
        let page = std::cmp::min(filter.page, LAST_PAGE);
        query.limit(PAGE + 1).offset(u64::from(page) * PAGE);
        let found = self.db.query_all(&query).await?;
        let more = found.len() > PAGE as usize;
        let width = shown.columns.len() + shown.lengths.len();
        let mut rows = Vec::new();
        for row in found.iter().take(PAGE as usize) {
            let values = (0..width).map(|index| row.try_get_by_index::<Option<String>>(index));
            rows.push(values.collect::<Result<Vec<_>, _>>()?);
        }
        let columns = shown.columns.iter().map(|name| DataColumn {
            name: (*name).to_owned(),
            is_length: false,
        });
        let lengths = shown.lengths.iter().map(|name| DataColumn {
            name: (*name).to_owned(),
            is_length: true,
        });
        let secrets = shown.secrets.iter().map(|name| (*name).to_owned());
        Ok(DataPage {
            tables: self.data_tables(),
            columns: columns.chain(lengths).collect(),
            left_out: secrets.collect(),
            rows,
            more,
        })
    }
}

/// Whether a column of the type holds numbers.
fn is_number(kind: &str) -> bool {
    let kind = kind.to_lowercase();
    ["int", "double", "real", "float", "numeric"]
        .iter()
        .any(|number| kind.contains(number))
}

fn as_text(column: &str) -> SimpleExpr {
    Expr::col(Alias::new(column)).cast_as("TEXT")
}

fn beginning(text: SimpleExpr) -> SimpleExpr {
    let first = Func::cust("SUBSTR").args([text, Expr::value(1), Expr::value(SHOWN + 1)]);
    SimpleExpr::from(first)
}

/// Matches rows by comparing the column with the value as the filter says: as numbers if both are,
/// otherwise as texts.
fn condition(filter: &DataFilter, name: &str, is_number: bool) -> Condition {
    let value = filter.value.replace('\0', "");
    let number = value.trim().parse::<f64>().ok();
    let number = number.filter(|number| is_number && number.is_finite());
    let column = Expr::col(Alias::new(name));
    let whole = value.trim().parse::<i64>().ok().filter(|_| is_number);
    let number = match (whole, number) {
        (Some(whole), _) => Some(Expr::value(whole)),
        (None, Some(number)) => Some(Expr::value(number)),
        (None, None) => None,
    };
    let (left, right) = match number {
        Some(number) => (column.clone(), number),
        None => (as_text(name), Expr::value(value.clone())),
    };
    let compared = match filter.operator {
        FilterOperator::Is => left.eq(right),
        FilterOperator::IsNot => left.ne(right).or(column.is_null()),
        FilterOperator::Less => left.lt(right),
        FilterOperator::More => left.gt(right),
        FilterOperator::Contains => {
            return match search::wanted(&value) {
                Some(text) => search::any_contains([as_text(name)], &text),
                None => Condition::all(),
            };
        }
        FilterOperator::StartsWith => {
            let pattern = format!("{}%", search::literally(&value));
            as_text(name).like(LikeExpr::new(pattern).escape(search::ESCAPE))
        }
        FilterOperator::IsEmpty => column.is_null().or(as_text(name).eq("")),
    };
    Condition::all().add(compared)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::protocol::{NewPrompt, UserId};

    async fn store(folder: &tempfile::TempDir) -> Store {
        let store = Store::open_file(&folder.path().join("a.db")).await.unwrap();
        for title in ["Build a clock", "Build a 100% map", "Draw"] {
            let prompt = NewPrompt::new(title).unwrap();
            let user = UserId::local();
            let created = store.create_project(&user, &prompt, None, title);
            created.await.unwrap();
        }
        store
    }

    #[tokio::test]
    async fn every_table_and_column_of_the_database_is_classified() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let known: BTreeSet<String> = TABLES.iter().map(|shown| shown.table.to_owned()).collect();
        let there: BTreeSet<String> = tables::names(&store.db)
            .await
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(known, there, "each table has its line in TABLES");
        for shown in TABLES {
            let all = shown
                .columns
                .iter()
                .chain(shown.lengths)
                .chain(shown.secrets);
            let known: BTreeSet<String> = all.map(|name| (*name).to_owned()).collect();
            let columns = tables::columns(&store.db, shown.table).await.unwrap();
            let there: BTreeSet<String> = columns.into_iter().map(|(name, _)| name).collect();
            assert_eq!(known, there, "{}: columns", shown.table);
            for name in shown.columns {
                let suspicious = ["token", "secret", "password", "key", "salt", "code"];
                // Token counts, a provider's name, and the key that a program chose for its order.
                let harmless = [
                    "input_tokens",
                    "output_tokens",
                    "cached_tokens",
                    "own_key",
                    "order_key",
                ];
                let is_harmless = harmless.contains(name);
                let looks_secret = suspicious.iter().any(|word| name.contains(word));
                assert!(
                    !looks_secret || is_harmless,
                    "{}.{name} is shown",
                    shown.table
                );
            }
        }
        store.close().await;
    }

    #[tokio::test]
    async fn rows_are_filtered_sorted_and_cut_into_pages() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let titles = async |operator, value: &str| -> Vec<String> {
            let filter = DataFilter {
                table: "projects".to_owned(),
                column: "title".to_owned(),
                operator,
                value: value.to_owned(),
                sort: "title".to_owned(),
                descending: true,
                ..DataFilter::default()
            };
            let page = store.browse(&filter).await.unwrap();
            let title = page
                .columns
                .iter()
                .position(|column| column.name == "title");
            let rows = page.rows.into_iter();
            rows.map(|row| row[title.unwrap()].clone().unwrap())
                .collect()
        };
        use FilterOperator::{Contains, Is, IsEmpty, IsNot, More, StartsWith};
        assert_eq!(
            titles(Contains, "BUILD").await,
            ["Build a clock", "Build a 100% map"]
        );
        assert_eq!(titles(Contains, "0%").await, ["Build a 100% map"]);
        assert_eq!(titles(StartsWith, "Build a c").await, ["Build a clock"]);
        assert_eq!(titles(Is, "Draw").await, ["Draw"]);
        assert_eq!(titles(IsNot, "Draw").await.len(), 2);
        assert_eq!(titles(More, "Build a clock").await, ["Draw"]);
        assert!(titles(IsEmpty, "").await.is_empty());
        assert!(titles(Is, "'; DROP TABLE projects; --").await.is_empty());

        let numbers = async |operator, value: &str| {
            let filter = DataFilter {
                table: "projects".to_owned(),
                column: "created_at".to_owned(),
                operator,
                value: value.to_owned(),
                ..DataFilter::default()
            };
            store.browse(&filter).await.unwrap().rows.len()
        };
        // As texts, 9 would come after what begins with 1.
        assert_eq!(numbers(More, "9").await, 3);
        assert_eq!(numbers(FilterOperator::Less, "9.5").await, 0);
        for (table, column) in [("sqlite_master", ""), ("users", "password_hash")] {
            let filter = DataFilter {
                table: table.to_owned(),
                column: column.to_owned(),
                ..DataFilter::default()
            };
            let refused = store.browse(&filter).await;
            assert!(matches!(refused, Err(StoreError::NotFound(_))), "{table}");
        }
        for table in store.data_tables() {
            let filter = DataFilter {
                table,
                ..DataFilter::default()
            };
            store.browse(&filter).await.unwrap();
        }
        store.close().await;
    }
}
