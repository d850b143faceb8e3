//! Contents, wherever they are: in the database beside their hashes or, with a bucket, in objects
//! (`loose_object` has the protocol). Contents that are in the database when a bucket is set are
//! read from there until they have moved.

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    Result, Store, StoreError,
    blob::{self, BlobHash, Column, Entity},
    bucket::Bucket,
    loose_object,
};
use crate::config::ObjectStorage;

/// How many contents move at a time, all in memory.
const MOVED_AT_A_TIME: u64 = 32;

impl Store {
    /// The database with its contents in this bucket, which gets the installation's mark. Fails if
    /// the bucket can't be used, is another installation's, or is not the one that has contents;
    /// without settings, if contents are in a bucket.
    pub async fn with_bucket(self, settings: Option<&ObjectStorage>) -> Result<Self> {
        let store = self.with_known_bucket(settings).await?;
        match &store.bucket {
            Some(bucket) => bucket.set_mark(&store.installation().await?).await?,
            // Objects that nothing names stay in the bucket that was used before.
            None => store.forget_loose_objects().await?,
        }
        Ok(store)
    }

    /// Like [`Store::with_bucket`], but changes nothing.
    pub async fn with_known_bucket(self, settings: Option<&ObjectStorage>) -> Result<Self> {
        let elsewhere = self.count_objects().await?;
        let Some(settings) = settings else {
            if elsewhere == 0 {
                return Ok(self);
            }
            return Err(StoreError::Bucket(format!(
                "S3_BUCKET is not set: the contents of {elsewhere} files and images are in a \
                 bucket; set the five S3_ variables as they were"
            )));
        };
        let store = self.with_any_bucket(Some(settings))?;
        let bucket = store.expect_bucket()?;
        match (bucket.mark().await?, store.installation_if_any().await?) {
            (Some(mark), ours) if Some(&mark) != ours.as_ref() => Err(StoreError::Bucket(format!(
                "{}: the bucket is that of another installation; name one of this \
                     installation's own",
                bucket.label()
            ))),
            (None, _) if elsewhere > 0 => Err(StoreError::Bucket(format!(
                "{}: the contents of {elsewhere} files and images are in another bucket; name \
                 that one",
                bucket.label()
            ))),
            _ => Ok(store),
        }
    }

    /// The database with a bucket that is not looked at.
    pub fn with_any_bucket(self, settings: Option<&ObjectStorage>) -> Result<Self> {
        Ok(Self {
            bucket: settings.map(Bucket::new).transpose()?,
            ..self
        })
    }

    /// Returns once the bucket answers, or at once without one.
    pub async fn ping_bucket(&self) -> Result<()> {
        match &self.bucket {
            Some(bucket) => bucket.ping().await,
            None => Ok(()),
        }
    }

    /// The number of contents that are in a bucket.
    pub(super) async fn count_objects(&self) -> Result<u64> {
        Ok(Entity::find()
            .filter(is_in_bucket())
            .count(&self.db)
            .await?)
    }

    pub(super) fn expect_bucket(&self) -> Result<&Bucket> {
        let unset = || {
            StoreError::Bucket(
                "S3_BUCKET is not set, and the contents of files and images are in a bucket"
                    .to_owned(),
            )
        };
        self.bucket.as_ref().ok_or_else(unset)
    }

    /// The content; `None` if it is lost.
    pub(super) async fn content(&self, hash: BlobHash) -> Result<Option<Vec<u8>>> {
        let mut found = self.contents(vec![hash.clone()]).await?;
        Ok(found.remove(&hash))
    }

    /// The contents with these hashes, without the lost ones. Fails where the bucket does not
    /// answer: nothing is lost then.
    pub(super) async fn contents(
        &self,
        hashes: Vec<BlobHash>,
    ) -> Result<HashMap<BlobHash, Vec<u8>>> {
        let blobs = Entity::find().filter(Column::Hash.is_in(hashes));
        let blobs = blobs.all(&self.db).await?.into_iter();
        let (objects, blobs): (Vec<_>, Vec<_>) = blobs.partition(|blob| blob.in_bucket);
        let mut contents: HashMap<_, _> = blobs
            .into_iter()
            .map(|blob| (blob.hash, blob.content))
            .collect();
        if !objects.is_empty() {
            let objects: Vec<_> = objects.into_iter().map(|blob| blob.hash).collect();
            contents.extend(self.expect_bucket()?.get_all(objects).await?);
        }
        Ok(contents)
    }

    /// Writes the contents that are not stored yet to the bucket, if there is one, for a
    /// transaction that will name them.
    pub(super) async fn put_ahead(&self, contents: Vec<(BlobHash, Bytes)>) -> Result<()> {
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        let mut contents: HashMap<BlobHash, Bytes> = contents.into_iter().collect();
        // An empty content needs no object.
        contents.retain(|_, content| !content.is_empty());
        let hashes: Vec<BlobHash> = contents.keys().cloned().collect();
        for known in blob::known(&self.db, &hashes).await? {
            contents.remove(&known);
        }
        self.put_objects(bucket, contents).await
    }

    /// Writes the contents, unless they are in the bucket already.
    async fn put_objects(
        &self,
        bucket: &Bucket,
        mut contents: HashMap<BlobHash, Bytes>,
    ) -> Result<()> {
        if contents.is_empty() {
            return Ok(());
        }
        let hashes: Vec<BlobHash> = contents.keys().cloned().collect();
        let missing = self.announce_objects(hashes).await?;
        let mut writing = Vec::with_capacity(missing.len());
        for hash in &missing {
            writing.extend(contents.remove_entry(hash));
        }
        bucket.put_all(writing).await?;
        self.objects_written(missing).await
    }

    /// Moves the contents that are in the database to the bucket, if there is one. Returns how
    /// many.
    pub async fn move_to_bucket(&self) -> Result<u64> {
        let Some(bucket) = &self.bucket else {
            return Ok(0);
        };
        let (mut after, mut moved) = (BlobHash::from(String::new()), 0);
        loop {
            let some = Entity::find()
                .filter(Column::InBucket.eq(false))
                .filter(Column::Size.gt(0))
                .filter(Column::Hash.gt(after))
                .order_by_asc(Column::Hash)
                .limit(MOVED_AT_A_TIME);
            let some = some.all(&self.db).await?;
            let Some(last) = some.last() else {
                return Ok(moved);
            };
            after = last.hash.clone();
            moved += self.move_some(bucket, some).await?;
        }
    }

    async fn move_some(&self, bucket: &Bucket, blobs: Vec<blob::Model>) -> Result<u64> {
        // A damaged one would be lost there.
        let whole = tokio::task::spawn_blocking(move || {
            let is_whole = |blob: &blob::Model| BlobHash::of(&blob.content) == blob.hash;
            let whole = blobs.into_iter().filter(is_whole);
            let contents = whole.map(|blob| (blob.hash, Bytes::from(blob.content)));
            contents.collect::<HashMap<_, _>>()
        });
        let contents = whole
            .await
            .map_err(|error| StoreError::Interrupted(error.to_string()))?;
        let hashes: Vec<BlobHash> = contents.keys().cloned().collect();
        if hashes.is_empty() {
            return Ok(0);
        }
        self.put_objects(bucket, contents).await?;
        self.write(move |tx| {
            Box::pin(async move {
                // Those that were not removed in the meantime.
                let there = Entity::find()
                    .select_only()
                    .column(Column::Hash)
                    .filter(Column::Hash.is_in(hashes))
                    .filter(Column::InBucket.eq(false))
                    .lock_exclusive();
                let there: Vec<BlobHash> = there.into_tuple().all(tx).await?;
                let taken = loose_object::take(tx, there.into_iter()).await?;
                let moving = Entity::update_many()
                    .col_expr(Column::InBucket, Expr::value(true))
                    .col_expr(Column::Content, Expr::value(Vec::<u8>::new()))
                    .filter(Column::Hash.is_in(taken));
                Ok(moving.exec(tx).await?.rows_affected)
            })
        })
        .await
    }

    /// What is wrong between blobs and the bucket, by the bucket's own list: blobs whose objects
    /// are missing or have another size, and objects that nothing names.
    pub async fn compare_with_bucket(&self) -> Result<BucketDifferences> {
        let Some(bucket) = &self.bucket else {
            return Ok(BucketDifferences::default());
        };
        // Before the list: an object that is written meanwhile is in the list at least.
        let loose: HashSet<BlobHash> = self.loose_objects().await?.into_iter().collect();
        let mut listed = bucket.list().await?;
        let named = Entity::find()
            .select_only()
            .columns([Column::Hash, Column::Size])
            .filter(is_in_bucket());
        let named: Vec<(BlobHash, i64)> = named.into_tuple().all(&self.db).await?;
        let mut lost = BTreeSet::new();
        for (hash, size) in named {
            if listed.remove(&hash) != u64::try_from(size).ok() {
                lost.insert(hash);
            }
        }
        let is_loose = self.loose_objects().await?.into_iter().chain(loose);
        let is_loose: HashSet<BlobHash> = is_loose.collect();
        let stray = listed.into_keys().filter(|hash| !is_loose.contains(hash));
        Ok(BucketDifferences {
            lost,
            stray: stray.collect(),
        })
    }

    /// Leaves objects that nothing names to the sweep, which deletes them a day later.
    pub async fn leave_to_sweep(&self, stray: Vec<BlobHash>) -> Result<()> {
        self.loosen_objects(stray).await
    }
}

/// See [`Store::compare_with_bucket`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BucketDifferences {
    pub lost: BTreeSet<BlobHash>,
    pub stray: Vec<BlobHash>,
}

/// Holds for contents in the bucket; in these words there is an index for it.
fn is_in_bucket() -> Expr {
    Expr::cust("in_bucket")
}
