//! The name of a content: its hash.

use sha2::{Digest, Sha256};

use crate::protocol::ImageId;

/// The SHA-256 of a content, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash(String);

impl BlobHash {
    pub fn of(content: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(content)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BlobHash {
    fn from(hash: String) -> Self {
        Self(hash)
    }
}

/// An image is named by the hash of its content.
impl From<&ImageId> for BlobHash {
    fn from(id: &ImageId) -> Self {
        Self(id.as_str().to_owned())
    }
}
