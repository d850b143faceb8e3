//! Decompresses bodies that are compressed although the request declined it: some gateways gzip
//! everything, even streams.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use flate2::write::MultiGzDecoder;

/// The first bytes of gzip (RFC 1952, section 2.3.1); no answer begins with them.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Decompresses a body. The format is detected from its first bytes, because the header of such
/// gateways is missing or wrong.
#[derive(Default)]
pub enum Decoder {
    /// Nothing has arrived, or too little to tell.
    #[default]
    Unknown,
    /// The first byte of [`GZIP`] has come.
    Begun,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Decoder {
    /// Takes the body's next bytes. Fails if they are damaged.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        let bytes = match self {
            Self::Begun => Cow::Owned([&GZIP[..1], bytes].concat()),
            _ => Cow::Borrowed(bytes),
        };
        if matches!(self, Self::Unknown | Self::Begun) {
            *self = match *bytes {
                [] => return Ok(bytes),
                [first] if first == GZIP[0] => {
                    *self = Self::Begun;
                    return Ok(Cow::Borrowed(&[]));
                }
                [first, second, ..] if [first, second] == GZIP => {
                    Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
                }
                _ => Self::Plain,
            };
        }
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(&bytes)?;
                decoder.flush()?;
                Ok(Cow::Owned(std::mem::take(decoder.get_mut())))
            }
            _ => Ok(bytes),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn gzip_is_read_as_it_comes_however_it_is_cut_and_all_else_passes_as_it_is() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"data: a\n\n").unwrap();
        encoder.flush().unwrap();
        let first = encoder.get_ref().len();
        encoder.write_all(b"data: b\n\n").unwrap();
        let zipped = encoder.finish().unwrap();
        for size in 1..zipped.len() {
            let mut decoder = Decoder::default();
            let mut read = Vec::new();
            for (at, piece) in zipped.chunks(size).enumerate() {
                read.extend_from_slice(&decoder.take(piece).unwrap());
                // Flushed data is available before the rest arrives.
                assert!((at + 1) * size < first || read.starts_with(b"data: a\n\n"));
            }
            assert_eq!(read, b"data: a\n\ndata: b\n\n", "{size}");
        }
        for plain in [&b"data: a"[..], b"\x1fx", b"", b"{"] {
            let mut decoder = Decoder::default();
            let pieces = plain
                .chunks(1)
                .map(|piece| decoder.take(piece).unwrap().into_owned());
            assert_eq!(pieces.collect::<Vec<_>>().concat(), plain);
        }
        let mut decoder = Decoder::default();
        let damaged = [&zipped[..10], &[0xff; 40]].concat();
        assert!(decoder.take(&damaged).is_err());
    }
}
