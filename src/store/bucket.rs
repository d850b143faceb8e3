//! The S3-compatible bucket with the contents of files and images, one object for each, named by
//! its hash. No other module names object_store. Objects never change, so they can be written
//! again at any time; `loose_object` says when they may be deleted.

mod wire;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use object_store::{
    BackoffConfig, Error, GetOptions, ObjectStore as _, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use secrecy::ExposeSecret as _;

use super::{Result, StoreError, blob_hash::BlobHash};
use crate::{config::ObjectStorage, http_client};

/// How many objects are written or read at a time, for one version or one batch.
const AT_A_TIME: usize = 16;
/// How many times a request is repeated, and until when after its beginning: a caller waits half a
/// minute at most for a bucket that does not answer.
const RETRIES: usize = 5;
const RETRY_TIME: Duration = Duration::from_secs(8);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How long the bucket may take to show that it is there.
const PING_TIME: Duration = Duration::from_secs(5);

/// The folder of contents.
const CONTENTS: &str = "blobs";
/// Its content is the installation's id.
const MARK: &str = "codeflow-installation";
/// Written and deleted at the start.
const PROBE: &str = "codeflow-probe";

/// The bucket, as a cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    s3: AmazonS3,
    /// For messages.
    endpoint: Arc<str>,
    name: Arc<str>,
}

impl Bucket {
    pub(super) fn new(settings: &ObjectStorage) -> Result<Self> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: FIRST_WAIT,
                max_backoff: LONGEST_WAIT,
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: RETRY_TIME,
        };
        let s3 = AmazonS3Builder::new()
            .with_endpoint(settings.address())
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(settings.access_key.expose_secret())
            .with_secret_access_key(settings.secret_key.expose_secret())
            // Every service understands it, also below an address without a name.
            .with_virtual_hosted_style_request(false)
            .with_http_connector(wire::Connector)
            .with_retry(retry)
            .build();
        Ok(Self {
            s3: s3.map_err(|error| StoreError::Bucket(error.to_string()))?,
            endpoint: settings.address().into(),
            name: settings.bucket.as_str().into(),
        })
    }

    /// Its variable and value, for messages.
    pub(super) fn label(&self) -> String {
        format!("S3_BUCKET={}", self.name)
    }

    /// The content; `None`, and a line in the log, if its object is missing or damaged.
    pub(super) async fn get(&self, hash: &BlobHash) -> Result<Option<Vec<u8>>> {
        let path = place(hash);
        let content = match self.read(&path).await? {
            Some(content) => content,
            None => {
                tracing::error!(object = %path, "a content's object is missing from the bucket");
                return Ok(None);
            }
        };
        let checked = tokio::task::spawn_blocking(move || {
            let found = BlobHash::of(&content);
            (found, Vec::from(content))
        });
        let (found, content) = checked
            .await
            .map_err(|error| StoreError::Interrupted(error.to_string()))?;
        if found != *hash {
            tracing::error!(object = %path, "a content's object is damaged: its hash is another");
            return Ok(None);
        }
        Ok(Some(content))
    }

    /// The contents with these hashes, several at a time; without those that are missing or
    /// damaged.
    pub(super) fn get_all(
        &self,
        hashes: Vec<BlobHash>,
    ) -> BoxFuture<'_, Result<HashMap<BlobHash, Vec<u8>>>> {
        let reading = hashes.into_iter().map(|hash| self.get_named(hash).boxed());
        let read = stream::iter(reading).buffer_unordered(AT_A_TIME);
        read.try_filter_map(|content| async move { Ok(content) })
            .try_collect()
            .boxed()
    }

    async fn get_named(&self, hash: BlobHash) -> Result<Option<(BlobHash, Vec<u8>)>> {
        let content = self.get(&hash).await?;
        Ok(content.map(|content| (hash, content)))
    }

    /// Writes the contents, several at a time.
    pub(super) fn put_all(&self, contents: Vec<(BlobHash, Bytes)>) -> BoxFuture<'_, Result<()>> {
        let writing = contents
            .into_iter()
            .map(|(hash, content)| self.put(place(&hash), content).boxed());
        let written = stream::iter(writing).buffer_unordered(AT_A_TIME);
        written.try_collect().boxed()
    }

    async fn put(&self, path: Path, content: Bytes) -> Result<()> {
        let written = self
            .s3
            .put_opts(&path, content.into(), PutOptions::default());
        match written.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Deletes the contents' objects; one that is not there counts as deleted.
    pub(super) async fn delete(&self, hashes: &[BlobHash]) -> Result<()> {
        self.delete_paths(hashes.iter().map(place).collect()).await
    }

    async fn delete_paths(&self, paths: Vec<Path>) -> Result<()> {
        let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut deleted = self.s3.delete_stream(paths);
        while let Some(deleted) = deleted.next().await {
            match deleted {
                Ok(_) => {}
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(self.fault(&error)),
            }
        }
        Ok(())
    }

    /// The hashes of all contents that the bucket has, with the objects' sizes in bytes.
    pub(super) async fn list(&self) -> Result<HashMap<BlobHash, u64>> {
        let mut listed = self.s3.list(Some(&Path::from(CONTENTS)));
        let mut contents = HashMap::new();
        while let Some(object) = listed.next().await {
            let object = object.map_err(|error| self.fault(&error))?;
            if let Some(name) = object.location.filename() {
                contents.insert(BlobHash::from(name.to_owned()), object.size);
            }
        }
        Ok(contents)
    }

    /// Whether it answers, and lets itself be read.
    pub(super) async fn ping(&self) -> Result<()> {
        let mark = Path::from(MARK);
        match tokio::time::timeout(PING_TIME, self.read(&mark)).await {
            Ok(read) => read.map(drop),
            Err(_) => Err(StoreError::Bucket(format!(
                "S3_ENDPOINT={}: it does not answer within {} seconds",
                self.endpoint,
                PING_TIME.as_secs()
            ))),
        }
    }

    /// The id of the installation that uses it; `None` if none does.
    pub(super) async fn mark(&self) -> Result<Option<String>> {
        let mark = self.read(&Path::from(MARK)).await?;
        Ok(mark.map(|mark| String::from_utf8_lossy(&mark).trim().to_owned()))
    }

    /// Marks it as the installation's. Fails unless objects can be written and deleted.
    pub(super) async fn set_mark(&self, installation: &str) -> Result<()> {
        let probe = Path::from(PROBE);
        self.put(probe.clone(), Bytes::from_static(b"probe"))
            .await?;
        self.delete_paths(vec![probe]).await?;
        self.put(Path::from(MARK), installation.to_owned().into())
            .await
    }

    /// The object's content; `None` if there is no such object.
    async fn read(&self, path: &Path) -> Result<Option<Bytes>> {
        let read = match self.s3.get_opts(path, GetOptions::default()).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(content) => Ok(Some(content)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// What is wrong, in one line that names the variable.
    fn fault(&self, error: &Error) -> StoreError {
        let (endpoint, name) = (&self.endpoint, &self.name);
        let code = code(error);
        let said = code.as_deref().unwrap_or_default();
        StoreError::Bucket(match (error, said) {
            (_, NO_BUCKET) => {
                format!("S3_BUCKET={name}: there is no such bucket at {endpoint}")
            }
            (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => format!(
                "S3_ACCESS_KEY and S3_SECRET_KEY (not shown) are refused by {endpoint} ({said}); \
                 set a key that it knows, with its secret"
            ),
            (
                _,
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "IllegalLocationConstraintException",
            ) => {
                format!("S3_REGION: the bucket {name} at {endpoint} is in another region ({said})")
            }
            (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) => format!(
                "S3_ACCESS_KEY (not shown): {endpoint} does not let this key read, write, list and \
                 delete the objects of {name} ({})",
                code.as_deref().unwrap_or("denied")
            ),
            (_, "") => format!(
                "S3_ENDPOINT={endpoint}: it gives no usable answer ({})",
                cause(error)
            ),
            _ => format!("S3_ENDPOINT={endpoint}: it answers with the error {said}"),
        })
    }
}

/// The code of S3's answer where the bucket is missing.
const NO_BUCKET: &str = "NoSuchBucket";

/// Whether the object alone is missing.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && code(error).as_deref() != Some(NO_BUCKET)
}

fn place(hash: &BlobHash) -> Path {
    let hash = hash.as_str();
    let beginning = hash.get(..2).unwrap_or("-");
    Path::from_iter([CONTENTS, beginning, hash])
}

/// The code in S3's answer, such as `SlowDown`.
fn code(error: &Error) -> Option<String> {
    let text = chain(error);
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = code.len() < 100 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

/// The innermost cause, in one line.
fn cause(error: &Error) -> String {
    let line = http_client::root_cause(error).to_string();
    let line = line.split(['\n', '\r']).next().unwrap_or_default();
    line.chars().take(200).collect()
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
