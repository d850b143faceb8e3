//! Blobs: file contents by their SHA-256, each stored once however many versions have it.

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};
use sha2::{Digest, Sha256};

use super::Result;

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

/// Stores the content unless it is there already, and returns its hash.
pub(super) async fn put(tx: &impl ConnectionTrait, content: &[u8]) -> Result<String> {
    let hash = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
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
