//! Names that the host generates: sandbox ids, and digests that name versions and folders.

use rand::Rng;
use sha2::{Digest, Sha256};

/// `i` and twenty random letters and digits, like E2B's ids.
pub(super) fn random_id() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    std::iter::once('i')
        .chain((0..20).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])))
        .collect()
}

/// Sixteen hexadecimal digits derived from these parts, in this order.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // With its length, so that different lists of parts give different digests.
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    hex::encode(&digest.finalize()[..8])
}
