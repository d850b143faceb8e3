//! The format of the archive at the end of a program: contents, then their index in JSON, then a
//! trailer of [`TRAILER`] bytes: [`MAGIC`] (16 bytes), the lengths of the contents and of the index
//! (u64, little endian), and the SHA-256 of both.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
    os::unix::fs::FileExt,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The beginning of the trailer; its number is the format's version.
pub const MAGIC: &[u8; 16] = b"CODEFLOW-SITE-01";
/// The trailer's length in bytes: the magic, two lengths, and a SHA-256.
pub const TRAILER: u64 = 16 + 8 + 8 + 32;
/// A file of the site.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub media_type: String,
    /// The SHA-256 of the content, in hex.
    pub sha256: String,
    pub raw: Span,
    /// Present if compression makes it smaller.
    pub br: Option<Span>,
    pub gzip: Option<Span>,
}

/// A part of the contents: its offset and its length.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Span(pub u64, pub u64);

/// The location of an executable's archive.
pub struct Place {
    pub start: u64,
    pub contents: u64,
    pub index: u64,
    pub sha256: [u8; 32],
}

/// The location of the archive in the executable; `None` if there is none.
pub fn place(file: &mut File) -> anyhow::Result<Option<Place>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(TRAILER) else {
        return Ok(None);
    };
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, end)?;
    let (magic, rest) = trailer.split_at(MAGIC.len());
    if magic != MAGIC {
        return Ok(None);
    }
    let (lengths, sha256) = rest.split_at(16);
    let number = |bytes: &[u8]| Ok::<_, anyhow::Error>(u64::from_le_bytes(bytes.try_into()?));
    let (contents, index) = (number(&lengths[..8])?, number(&lengths[8..])?);
    let whole = contents.checked_add(index);
    let start = whole.and_then(|whole| end.checked_sub(whole));
    Ok(Some(Place {
        start: start.context("it is longer than the program")?,
        contents,
        index,
        sha256: sha256.try_into()?,
    }))
}
