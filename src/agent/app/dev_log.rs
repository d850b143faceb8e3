//! The dev server's log, read in parts as it grows.

use std::time::Duration;

use super::App;
use crate::{
    agent::{RunError, nextjs::log::level_of, text::plain},
    protocol::{DevLine, DevLog, LogLevel, first_chars},
};

/// How much of the log is read at once, in bytes; only the end of longer parts.
const PART: u64 = 64 << 10;
/// The maximum number of lines in a part, and of characters in a line.
const MAX_LINES: usize = 400;
const MAX_LINE: usize = 1000;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Prints the offset of the part, then the part. A log that has become shorter is a new one.
const READ: &str = r#"
log=/tmp/dev-server.log
size=$(stat -c %s "$log" 2>/dev/null) || { echo none; exit 0; }
[ "$LOG_AFTER" -le "$size" ] || LOG_AFTER=0
[ $((size - LOG_AFTER)) -le "$LOG_PART" ] || LOG_AFTER=$((size - LOG_PART))
echo "$LOG_AFTER"
tail -c +$((LOG_AFTER + 1)) "$log" | head -c "$LOG_PART"
"#;

impl App {
    /// The dev server's log from this offset on.
    pub async fn dev_log(&self, after: u64) -> Result<DevLog, RunError> {
        let (after, part) = (after.to_string(), PART.to_string());
        let envs = [("LOG_AFTER", after.as_str()), ("LOG_PART", &part)];
        let output = self.run(READ, &envs, TIMEOUT).await?;
        Ok(read(&output.stdout))
    }
}

fn read(output: &[u8]) -> DevLog {
    let line_end = output.iter().position(|byte| *byte == b'\n');
    let (head, part) = output.split_at(line_end.map_or(output.len(), |end| end + 1));
    let start = std::str::from_utf8(head)
        .ok()
        .and_then(|head| head.trim().parse::<u64>().ok());
    let Some(start) = start else {
        return DevLog::default();
    };
    // The last line may be incomplete.
    let whole = part
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    DevLog {
        is_kept: true,
        next: start + whole as u64,
        lines: lines(&plain::text(&part[..whole])),
    }
}

/// The non-empty lines, each with its level; lines of a stack trace have that of its first line.
fn lines(text: &str) -> Vec<DevLine> {
    let mut level = LogLevel::Message;
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let goes_on = line.starts_with("  ") || line.starts_with(['\t', '>']);
        if !goes_on || level != LogLevel::Error {
            level = level_of(line);
        }
        lines.push(DevLine {
            level,
            text: first_chars(line, MAX_LINE).to_owned(),
        });
    }
    let extra = lines.len().saturating_sub(MAX_LINES);
    lines.split_off(extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &DevLog) -> Vec<&str> {
        log.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_part_ends_with_a_whole_line_and_the_next_begins_there() {
        let log = read(b"100\n \xe2\x9c\x93 Ready in 2s\n GET / 200\n GET /ab");
        assert_eq!(texts(&log), [" ✓ Ready in 2s", " GET / 200"]);
        assert_eq!(log.next, 100 + 17 + 11);
        assert_eq!(read(b"none\n"), DevLog::default());
        assert_eq!(read(b""), DevLog::default());
        assert!(read(b"7\n").is_kept);
    }

    #[test]
    fn a_line_has_the_level_of_what_it_reports() {
        let text = " \x1b[31m⨯\x1b[0m ./app/page.tsx:3:1\n> 3 | x\n    at Home (app/page.tsx:3:1)\n ⚠ Fast Refresh had to \
                    reload\nTypeError: x\n\tat y\n GET / 500";
        let lines = lines(&plain::text(text.as_bytes()));
        let levels: Vec<LogLevel> = lines.iter().map(|line| line.level).collect();
        use LogLevel::{Error, Message, Warning};
        let expected = [Error, Error, Error, Warning, Error, Error, Message];
        assert_eq!(levels, expected);
    }

    #[test]
    fn a_flood_of_lines_keeps_the_newest() {
        let mut output = b"0\n".to_vec();
        for number in 0..5000 {
            output.extend(format!("{number} {}\n", "ü".repeat(2000)).into_bytes());
        }
        let log = read(&output);
        assert_eq!(log.lines.len(), MAX_LINES);
        assert!(log.lines[MAX_LINES - 1].text.starts_with("4999 "));
        let is_short = |line: &DevLine| line.text.chars().count() <= MAX_LINE;
        assert!(log.lines.iter().all(is_short));
    }
}
