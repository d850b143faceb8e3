//! Packs the page's files into a program: copies an executable and appends an archive, replacing an
//! existing one. The same inputs give the same bytes.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::format::{Entry, MAGIC, Span, place};

/// A compressed form is kept if it is at most this many tenths of the file's size.
const WORTH_TENTHS: usize = 9;
/// Brotli's best quality, since it is done only once, at build time.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 1 << 16;

/// Writes the program with the site's files to `output`. Returns the number of files.
pub fn pack(program: &Path, site: &Path, output: &Path) -> anyhow::Result<usize> {
    let mut paths = Vec::new();
    list(site, &mut paths).with_context(|| format!("{} can't be read", site.display()))?;
    paths.sort();
    ensure!(!paths.is_empty(), "{} has no files", site.display());

    let read = || format!("{} can't be read", program.display());
    let mut file = File::open(program).with_context(read)?;
    let length = match place(&mut file).with_context(read)? {
        Some(place) => place.start,
        None => file.metadata()?.len(),
    };
    let part = output.with_extension("part");
    let written = || format!("{} can't be written", part.display());
    let mut packed = File::create(&part).with_context(written)?;
    packed.set_permissions(file.metadata()?.permissions())?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut io::Read::take(&file, length), &mut packed).with_context(written)?;

    let mut archive = Archive {
        out: packed,
        digest: Sha256::new(),
        length: 0,
    };
    let mut entries = Vec::new();
    for path in &paths {
        let content =
            fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let name = path.strip_prefix(site)?;
        let name = name
            .to_str()
            .with_context(|| format!("{} is no UTF-8", path.display()))?;
        entries.push(archive.add(name, &content).with_context(written)?);
    }
    let contents = archive.length;
    let index = serde_json::to_vec(&entries)?;
    archive.write(&index).with_context(written)?;
    let mut trailer = MAGIC.to_vec();
    trailer.extend(contents.to_le_bytes());
    trailer.extend((index.len() as u64).to_le_bytes());
    trailer.extend(archive.digest.finalize());
    archive.out.write_all(&trailer).with_context(written)?;
    archive.out.sync_all().with_context(written)?;
    fs::rename(&part, output).with_context(written)?;
    Ok(entries.len())
}

/// The files below the folder.
fn list(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// An archive being written.
struct Archive {
    out: File,
    digest: Sha256,
    length: u64,
}

impl Archive {
    fn add(&mut self, path: &str, content: &[u8]) -> io::Result<Entry> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(content)?;
        let gzip = gzip.finish()?;
        let mut br = Vec::new();
        let mut compressor =
            brotli::CompressorWriter::new(&mut br, BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW);
        compressor.write_all(content)?;
        drop(compressor);
        let is_worth = |form: &Vec<u8>| form.len() * 10 <= content.len() * WORTH_TENTHS;
        let media_type = mime_guess::from_path(path).first_or_octet_stream();
        Ok(Entry {
            path: path.to_owned(),
            media_type: media_type.essence_str().to_owned(),
            sha256: hex::encode(Sha256::digest(content)),
            raw: self.write(content)?,
            br: Some(br)
                .filter(is_worth)
                .map(|br| self.write(&br))
                .transpose()?,
            gzip: Some(gzip)
                .filter(is_worth)
                .map(|gzip| self.write(&gzip))
                .transpose()?,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<Span> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        let span = Span(self.length, bytes.len() as u64);
        self.length += span.1;
        Ok(span)
    }
}
