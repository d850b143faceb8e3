//! The recent output of a shell, with each byte's offset in all of its output.

use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

/// How much of a shell's output is kept, in bytes.
pub(super) const MAX_KEPT: usize = 256 << 10;
/// How far ahead to look for the first whole line, if the beginning is gone.
const LINE: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Scrollback {
    kept: VecDeque<u8>,
    /// The offset of the next byte.
    end: u64,
    /// Whether there was output before what is kept.
    cut: bool,
}

impl Scrollback {
    /// An empty scrollback. Its offsets begin at the current time in microseconds, far from those
    /// that a client may remember of an earlier shell with the same number.
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = now.map_or(0, |now| now.as_micros());
        Self {
            kept: VecDeque::new(),
            end: u64::try_from(micros).unwrap_or(0),
            cut: false,
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        self.end += bytes.len() as u64;
        let excess = self.kept.len().saturating_sub(MAX_KEPT);
        self.cut |= excess > 0;
        self.kept.drain(..excess);
    }

    /// At most `max` bytes from the offset on, and the offset of the first: a later one if the
    /// requested output is no longer kept. `None` if nothing follows.
    pub(super) fn read(&self, after: u64, max: usize) -> Option<(u64, Vec<u8>)> {
        let start = self.end - self.kept.len() as u64;
        let from = if (start..=self.end).contains(&after) {
            after
        } else {
            start + self.first_line()
        };
        let skip = usize::try_from(from - start).unwrap_or(self.kept.len());
        let stop = self.kept.len().min(skip.saturating_add(max));
        let bytes: Vec<u8> = self.kept.range(skip..stop).copied().collect();
        (!bytes.is_empty()).then_some((from, bytes))
    }

    /// The beginning of the first whole line: a terminal that starts within an escape sequence
    /// shows rubbish.
    fn first_line(&self) -> u64 {
        if !self.cut {
            return 0;
        }
        let newline = self.kept.iter().take(LINE).position(|byte| *byte == b'\n');
        newline.map_or(0, |at| at as u64 + 1)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_any_more_is_left_out_up_to_a_whole_line() {
        let mut scrollback = Scrollback::new();
        let start = scrollback.end();
        assert_eq!(scrollback.read(0, 10), None);
        scrollback.push(b"one\ntwo\n");
        assert_eq!(scrollback.read(0, 3), Some((start, b"one".to_vec())));
        assert_eq!(
            scrollback.read(start + 4, 10),
            Some((start + 4, b"two\n".to_vec()))
        );
        assert_eq!(scrollback.read(start + 8, 10), None);
        scrollback.push(&[b'x'; MAX_KEPT - 4]);
        // "one\n" is gone. "two\n" is whole, but the line before it might not be.
        let (at, bytes) = scrollback.read(start, 3).unwrap();
        assert_eq!((at, bytes), (start + 8, b"xxx".to_vec()));
        assert_eq!(scrollback.end(), start + 4 + MAX_KEPT as u64);
    }
}
