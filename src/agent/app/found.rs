//! The result of walking the app's folder, and the parser of its report.

use crate::agent::RunError;

/// The depth limit of the walk, so that a folder tree as JSON stays below its parsers' limit of
/// 128.
pub const MAX_DEPTH: usize = 40;
/// The end of a complete report.
pub const END: &[u8] = b"end";

/// What the walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub entries: Vec<FoundEntry>,
    /// Whether the report is complete.
    pub whole: bool,
}

/// An entry of a folder, as it is in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Relative to the app; with replacement characters unless `is_text`.
    pub path: String,
    /// Whether the path is UTF-8.
    pub is_text: bool,
    pub kind: FoundKind,
    /// Whether the sandbox's user may read it and, if it is a folder, enter it.
    pub readable: bool,
    /// Permission bits.
    pub mode: u32,
    /// In bytes.
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    File,
    Folder,
    /// A symbolic link; `None` if its target is not UTF-8.
    Link(Option<String>),
    Pipe,
    Socket,
    /// A device or anything else.
    Other,
}

/// Parses a report; a truncated last entry is left out.
pub fn parse(report: &[u8]) -> Result<Found, RunError> {
    let mut fields = report.split(|byte| *byte == 0).collect::<Vec<_>>();
    // After the last zero byte.
    let rest = fields.pop().unwrap_or_default();
    if fields.is_empty() && rest != END {
        return Err(RunError::User(
            "the sandbox could not list the app's folder".to_owned(),
        ));
    }
    let (pairs, _) = fields.as_chunks::<2>();
    let entries = pairs
        .iter()
        .filter_map(|[text, target]| entry(text, target));
    Ok(Found {
        entries: entries.collect(),
        whole: rest == END,
    })
}

/// Parses `+f 644 12 app/page.tsx`, and a link's target.
fn entry(text: &[u8], target: &[u8]) -> Option<FoundEntry> {
    let mut parts = text.splitn(4, |byte| *byte == b' ');
    let (kind, mode, size, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let number =
        |text: &[u8], radix| u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok();
    let (mark, kind) = kind.split_first()?;
    Some(FoundEntry {
        path: String::from_utf8_lossy(path).into_owned(),
        is_text: std::str::from_utf8(path).is_ok(),
        kind: match kind {
            b"f" => FoundKind::File,
            b"d" => FoundKind::Folder,
            b"l" => FoundKind::Link(std::str::from_utf8(target).ok().map(str::to_owned)),
            b"p" => FoundKind::Pipe,
            b"s" => FoundKind::Socket,
            _ => FoundKind::Other,
        },
        readable: *mark == b'+',
        mode: u32::try_from(number(mode, 8)?).ok()?,
        size: number(size, 10)?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whatever_names_there_are_and_as_far_as_it_came() {
        let report = b"+f 755 12 a b\nc\0\0!d 0 4096 x\0\0+l 777 3 l\0../y\0+f 644 1 \xff\0\0end";
        let found = parse(report).unwrap();
        assert!(found.whole);
        let shown: Vec<_> = found
            .entries
            .iter()
            .map(|entry| {
                (
                    entry.path.as_str(),
                    entry.readable,
                    entry.mode,
                    entry.is_text,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("a b\nc", true, 0o755, true),
                ("x", false, 0, true),
                ("l", true, 0o777, true),
                ("\u{fffd}", true, 0o644, false)
            ]
        );
        assert_eq!(
            found.entries[2].kind,
            FoundKind::Link(Some("../y".to_owned()))
        );
        let cut = parse(&report[..28]).unwrap();
        assert_eq!((cut.entries.len(), cut.whole), (1, false));
        assert_eq!(
            parse(b"end").unwrap(),
            Found {
                entries: Vec::new(),
                whole: true
            }
        );
        assert!(parse(b"").is_err());
    }
}
