//! Blobs: file contents by their SHA-256, each stored once however many versions have it.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*, sea_query::OnConflict};
use sha2::{Digest, Sha256};

use super::Result;

/// Hashes that are looked for by one query.
const AT_ONCE: usize = 200;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "blobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    pub size: i64,
    pub content: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The content's hash.
pub(super) fn hash(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Stores those of the contents, by their hashes, that are not there already.
pub(super) async fn put_all(
    tx: &impl ConnectionTrait,
    contents: BTreeMap<String, &[u8]>,
) -> Result<()> {
    let hashes: Vec<&String> = contents.keys().collect();
    let mut there = BTreeSet::new();
    for some in hashes.chunks(AT_ONCE) {
        let found = Entity::find()
            .select_only()
            .column(Column::Hash)
            .filter(Column::Hash.is_in(some.iter().copied()));
        there.extend(found.into_tuple::<String>().all(tx).await?);
    }
    for (_, content) in contents.iter().filter(|(hash, _)| !there.contains(*hash)) {
        put(tx, content).await?;
    }
    Ok(())
}

/// Stores the content unless it is there already, and returns its hash.
pub(super) async fn put(tx: &impl ConnectionTrait, content: &[u8]) -> Result<String> {
    let hash = hash(content);
    Entity::insert(ActiveModel {
        hash: Set(hash.clone()),
        size: Set(i64::try_from(content.len()).unwrap_or(i64::MAX)),
        content: Set(content.to_vec()),
    })
    .on_conflict(OnConflict::column(Column::Hash).do_nothing().to_owned())
    .exec_without_returning(tx)
    .await?;
    Ok(hash)
}
