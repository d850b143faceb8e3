//! The page's files within the executable: an archive at its end (made by `pack`), so that the
//! program alone serves everything. Without an archive, or if `LEPTOS_SITE_ROOT` names a folder,
//! the files come from the site folder.

mod format;
mod pack;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, ensure};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use format::{Entry, Span, place};
pub use pack::pack;

/// Leptos reads this file from the site's folder.
const SPLIT_MANIFEST: &str = "pkg/__wasm_split_manifest.json";
/// Cache policies for names that contain a hash of the content, and for all others.
const HASHED: &str = "public, max-age=31536000, immutable";
const NAMED: &str = "no-cache";
/// The length of a hash in a name, in characters.
const HASH_LENGTH: usize = 22;

/// An executable's archive, opened.
#[derive(Debug)]
pub struct Bundle {
    file: File,
    /// The offset of its contents in the executable.
    start: u64,
    /// By path, without a leading slash.
    entries: HashMap<String, Entry>,
}

impl Bundle {
    /// This program's archive; `None` if it has none, or if `LEPTOS_SITE_ROOT` names a folder.
    pub fn of_program() -> anyhow::Result<Option<Arc<Self>>> {
        if std::env::var_os("LEPTOS_SITE_ROOT").is_some_and(|folder| !folder.is_empty()) {
            return Ok(None);
        }
        // Works even if the file was replaced since the start.
        let program =
            File::open("/proc/self/exe").context("the program's own file can't be read")?;
        Ok(Self::open(program)?.map(Arc::new))
    }

    /// The archive at the end of the file. Fails if it is damaged.
    fn open(mut file: File) -> anyhow::Result<Option<Self>> {
        const DAMAGED: &str = "the page's files at the end of this program are damaged; install it \
                               again, or set LEPTOS_SITE_ROOT to a folder that has them";
        let Some(place) = place(&mut file).context(DAMAGED)? else {
            return Ok(None);
        };
        let mut reading = || -> anyhow::Result<Vec<Entry>> {
            file.seek(SeekFrom::Start(place.start))?;
            let mut digest = Sha256::new();
            let whole = place.contents + place.index;
            let hashed = io::copy(&mut (&mut file).take(whole), &mut digest)?;
            ensure!(hashed == whole, "its end is missing");
            ensure!(
                digest.finalize()[..] == place.sha256,
                "its checksum differs"
            );
            let mut index = vec![0; usize::try_from(place.index)?];
            file.read_exact_at(&mut index, place.start + place.contents)?;
            Ok(serde_json::from_slice(&index)?)
        };
        let entries = reading().context(DAMAGED)?.into_iter();
        Ok(Some(Self {
            entries: entries.map(|entry| (entry.path.clone(), entry)).collect(),
            start: place.start,
            file,
        }))
    }

    /// Writes the files that Leptos itself reads to a folder in the data folder, and returns that
    /// folder.
    pub fn lay_out(&self, data_dir: &Path) -> io::Result<PathBuf> {
        let root = data_dir.join("site");
        let manifest = root.join(SPLIT_MANIFEST);
        match self.entries.get(SPLIT_MANIFEST) {
            Some(entry) => {
                fs::create_dir_all(root.join("pkg"))?;
                let part = manifest.with_extension("part");
                fs::write(&part, self.read(entry.raw)?)?;
                fs::rename(part, manifest)?;
            }
            None => match fs::remove_file(manifest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        Ok(root)
    }

    /// The response for the file, in an encoding that the request's headers accept; `None` if the
    /// archive has no such file.
    pub async fn answer(self: Arc<Self>, path: &str, headers: &HeaderMap) -> Option<Response> {
        let entry = self.entries.get(path)?.clone();
        let accepted = text(headers, header::ACCEPT_ENCODING.as_str());
        let (span, encoding) = match (entry.br, entry.gzip) {
            (Some(br), _) if accepts(accepted, "br") => (br, Some("br")),
            (_, Some(gzip)) if accepts(accepted, "gzip") => (gzip, Some("gzip")),
            _ => (entry.raw, None),
        };
        let tag = format!("\"{}-{}\"", &entry.sha256[..32], encoding.unwrap_or("raw"));
        let caching = if is_hashed(&entry.path) {
            HASHED
        } else {
            NAMED
        };
        let mut response = if is_known(text(headers, header::IF_NONE_MATCH.as_str()), &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let content = tokio::task::spawn_blocking(move || self.read(span)).await;
            match content.map_err(io::Error::other).flatten() {
                Ok(content) => Body::from(content).into_response(),
                Err(error) => {
                    tracing::error!(%error, "a file of the page can't be read from the program");
                    return Some(StatusCode::INTERNAL_SERVER_ERROR.into_response());
                }
            }
        };
        let own = [
            (header::CONTENT_TYPE, entry.media_type.as_str()),
            (header::ETAG, &tag),
            (header::CACHE_CONTROL, caching),
            (header::VARY, "accept-encoding"),
        ];
        let encoding = encoding.map(|encoding| (header::CONTENT_ENCODING, encoding));
        for (name, value) in own.into_iter().chain(encoding) {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }

    fn read(&self, Span(at, length): Span) -> io::Result<Vec<u8>> {
        let mut content = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut content, self.start + at)?;
        Ok(content)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether `Accept-Encoding` names the encoding and doesn't refuse it.
fn accepts(accepted: &str, encoding: &str) -> bool {
    accepted.split(',').any(|one| {
        let (name, parameters) = one.split_once(';').unwrap_or((one, ""));
        let quality = parameters.trim().strip_prefix("q=");
        let is_refused = quality.is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0));
        name.trim().eq_ignore_ascii_case(encoding) && !is_refused
    })
}

/// Whether `If-None-Match` has the tag.
fn is_known(tags: &str, tag: &str) -> bool {
    let mut tags = tags.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// Whether the file's name contains a content hash, as cargo-leptos names files.
fn is_hashed(path: &str) -> bool {
    let is_hash = |part: &str| {
        part.len() == HASH_LENGTH
            && part.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split('.').skip(1).any(is_hash)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{format::TRAILER, *};

    /// A program with a small site, packed.
    fn packed(folder: &Path) -> PathBuf {
        let (program, site, output) = (
            folder.join("program"),
            folder.join("site"),
            folder.join("packed"),
        );
        fs::create_dir_all(site.join("pkg")).unwrap();
        fs::write(site.join("pkg/app.js"), "let a = 1;\n".repeat(500)).unwrap();
        fs::write(site.join(SPLIT_MANIFEST), "{}").unwrap();
        fs::write(site.join("icon.png"), [1, 2, 3]).unwrap();
        fs::write(&program, "\x7fELF and so on").unwrap();
        pack(&program, &site, &output).unwrap();
        output
    }

    fn open(path: &Path) -> anyhow::Result<Option<Bundle>> {
        Bundle::open(File::open(path).unwrap())
    }

    #[test]
    fn what_is_packed_is_found_and_packing_again_gives_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let program = packed(folder.path());
        let bundle = open(&program).unwrap().unwrap();
        let entry = &bundle.entries["pkg/app.js"];
        assert_eq!(entry.media_type, "text/javascript");
        let content = bundle.read(entry.raw).unwrap();
        assert_eq!(content, "let a = 1;\n".repeat(500).as_bytes());
        assert!(entry.br.unwrap().1 < entry.gzip.unwrap().1);
        assert!(bundle.entries["icon.png"].br.is_none());
        let data = folder.path().join("data");
        let root = bundle.lay_out(&data).unwrap();
        assert_eq!(fs::read(root.join(SPLIT_MANIFEST)).unwrap(), b"{}");

        let again = folder.path().join("again");
        pack(&program, &folder.path().join("site"), &again).unwrap();
        assert_eq!(fs::read(&program).unwrap(), fs::read(&again).unwrap());
        fs::remove_file(folder.path().join("site").join(SPLIT_MANIFEST)).unwrap();
        pack(&program, &folder.path().join("site"), &again).unwrap();
        let smaller = open(&again).unwrap().unwrap();
        assert_eq!(smaller.entries.len(), 2);
        smaller.lay_out(&data).unwrap();
        assert!(!root.join(SPLIT_MANIFEST).exists());
    }

    #[test]
    fn a_damaged_archive_is_said_and_a_program_without_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let program = packed(folder.path());
        assert!(open(&folder.path().join("program")).unwrap().is_none());
        let whole = fs::read(&program).unwrap();
        let trailer = whole.len() - TRAILER as usize;
        // A content, the index, a length, the checksum.
        for at in [20, trailer - 1, trailer + 20, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&program, damaged).unwrap();
            let line = format!("{:#}", open(&program).unwrap_err());
            assert!(
                line.starts_with("the page's files at the end of this program"),
                "{line}"
            );
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn encodings_tags_and_hashes_are_read_as_they_are_meant() {
        assert!(accepts("gzip, deflate, br;q=1.0", "br") && accepts("BR", "br"));
        assert!(!accepts("gzip, br;q=0", "br") && !accepts("", "br") && !accepts("brx", "br"));
        assert!(is_known("\"a\", W/\"b\"", "\"b\"") && is_known("*", "\"b\""));
        assert!(!is_known("", "\"b\"") && !is_known("\"bb\"", "\"b\""));
        assert!(is_hashed("pkg/codeflow.nTmvSzVm-oKPz4WqWzGuVA.wasm"));
        for named in [
            "pkg/codeflow.wasm",
            "pkg/__wasm_split.______________________.js",
            "editor/chunk-ABCDEFGH.js",
        ] {
            assert!(!is_hashed(named), "{named}");
        }
    }
}
