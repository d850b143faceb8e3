//! The log's final form: each event is one line, so that text from outside can't look like further
//! events.

use std::io;

/// Writes each event to a log in a single write; line breaks inside it become `\n` and `\r`.
pub struct OneLine<W>(pub W);

impl<W: io::Write> io::Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        if !text.iter().any(is_break) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut line = Vec::with_capacity(event.len() + 16);
        for byte in text {
            match byte {
                b'\n' => line.extend(b"\\n"),
                b'\r' => line.extend(b"\\r"),
                byte => line.push(*byte),
            }
        }
        line.extend(&event[text.len()..]);
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let mut log = OneLine(Vec::new());
        for event in ["plain\n", "a\nINFO forged\r\n", "no end"] {
            log.write_all(event.as_bytes()).unwrap();
        }
        let text = String::from_utf8(log.0).unwrap();
        assert_eq!(text, "plain\na\\nINFO forged\\r\nno end");
    }
}
