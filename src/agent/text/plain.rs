//! Programs' output as plain text, as a person would finally see it on the terminal. Escape
//! sequences are removed, a progress bar becomes its last frame, lines end with `\n`, and tabs are
//! the only other control characters.

use anstyle_parse::{Params, Parser, Perform};

/// The maximum column of the cursor: otherwise one sequence could create a line of 64 KiB.
const MAX_COLUMN: usize = 1000;
/// Ends any unfinished sequence (ECMA-48, CAN).
const CANCEL: u8 = 0x18;
const ESCAPE: u8 = 0x1b;
/// Begins a control sequence in one byte or character (ECMA-48, CSI).
const CSI: u8 = 0x9b;

/// The output as plain text; invalid UTF-8 is replaced.
pub fn text(output: &[u8]) -> String {
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~');
    if output.iter().all(is_plain) {
        return String::from_utf8_lossy(output).into_owned();
    }
    let mut parser = Parser::<anstyle_parse::DefaultCharAccumulator>::new();
    let mut screen = Screen::default();
    let mut feed = |bytes: &[u8]| {
        bytes
            .iter()
            .for_each(|byte| parser.advance(&mut screen, *byte))
    };
    for chunk in output.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                // An unterminated sequence must not swallow the lines that follow.
                '\n' => feed(&[CANCEL, b'\n']),
                '\u{9b}' => feed(&[ESCAPE, b'[']),
                letter => feed(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        match chunk.invalid() {
            [] => {}
            [CSI] => feed(&[ESCAPE, b'[']),
            _ => feed("\u{fffd}".as_bytes()),
        }
    }
    screen.into_text()
}

/// A single line as plain text, such as a title.
pub fn line(line: &str) -> String {
    text(line.as_bytes()).replace('\n', " ")
}

/// Lines of unlimited length and number, and the cursor.
#[derive(Default)]
struct Screen {
    lines: Vec<Line>,
    row: usize,
    column: usize,
    /// Whether the cursor has returned to the line's beginning, so that further output replaces the
    /// line.
    returned: bool,
}

#[derive(Default)]
struct Line {
    letters: Vec<char>,
    /// Whether it was written more than once.
    redrawn: bool,
}

impl Screen {
    fn line(&mut self) -> &mut Line {
        if self.lines.len() <= self.row {
            self.lines.resize_with(self.row + 1, Line::default);
        }
        &mut self.lines[self.row]
    }

    fn next_line(&mut self) {
        self.row += 1;
        self.column = 0;
        // An existing line is being redrawn.
        self.returned = self.row < self.lines.len();
        self.line();
    }

    fn move_to(&mut self, column: usize) {
        self.column = column.min(MAX_COLUMN.max(self.column));
        self.returned = column == 0;
    }

    /// Moves to an empty line when the screen is cleared; its earlier content stays in the text.
    fn start_fresh_line(&mut self) {
        self.row = self.lines.len().saturating_sub(1);
        if self.line().letters.is_empty() {
            self.move_to(0);
        } else {
            self.next_line();
        }
    }

    fn into_text(self) -> String {
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            let start = text.len();
            text.extend(&line.letters);
            if line.redrawn {
                // Frames are erased with blanks.
                let end = text[start..].trim_end().len();
                text.truncate(start + end);
            }
        }
        text
    }
}

impl Perform for Screen {
    fn print(&mut self, letter: char) {
        if letter.is_control() {
            return;
        }
        let (column, returned) = (self.column, std::mem::take(&mut self.returned));
        let line = self.line();
        if returned && !line.letters.is_empty() {
            line.letters.clear();
            line.redrawn = true;
        }
        match line.letters.get_mut(column) {
            Some(there) => {
                *there = letter;
                line.redrawn = true;
            }
            None => {
                line.letters.resize(column, ' ');
                line.letters.push(letter);
            }
        }
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.next_line(),
            b'\r' => self.move_to(0),
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => {
                let column = self.column;
                let line = self.line();
                if column >= line.letters.len() {
                    line.letters.resize(column, ' ');
                    line.letters.push('\t');
                }
                self.column += 1;
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: u8) {
        if !intermediates.is_empty() {
            return;
        }
        let given = params
            .iter()
            .next()
            .and_then(|param| param.first())
            .copied()
            .unwrap_or_default();
        let (given, count) = (usize::from(given), usize::from(given.max(1)));
        let column = self.column;
        match action {
            b'A' | b'F' => self.row = self.row.saturating_sub(count),
            b'B' | b'E' => self.row = (self.row + count).min(self.lines.len().saturating_sub(1)),
            b'C' => self.move_to(column + count),
            b'D' => self.move_to(column.saturating_sub(count)),
            b'G' => self.move_to(count - 1),
            b'H' | b'f' => self.start_fresh_line(),
            b'J' if given == 0 => {
                self.lines.truncate(self.row + 1);
                self.line().letters.truncate(column);
            }
            b'J' => self.start_fresh_line(),
            b'K' => {
                let line = self.line();
                line.redrawn = true;
                match given {
                    0 => line.letters.truncate(column),
                    1 => line
                        .letters
                        .iter_mut()
                        .take(column + 1)
                        .for_each(|letter| *letter = ' '),
                    _ => line.letters.clear(),
                }
            }
            _ => {}
        }
        if matches!(action, b'A' | b'B') {
            self.returned = self.column == 0;
        } else if matches!(action, b'E' | b'F') {
            self.move_to(0);
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        match (intermediates, byte) {
            ([], b'c') => self.start_fresh_line(),
            ([], b'D' | b'E') => self.next_line(),
            ([], b'M') => self.row = self.row.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_is_what_a_person_finally_reads_on_the_terminal() {
        for (output, read) in [
            ("plain\n\ttext \n", "plain\n\ttext \n"),
            ("ünïcode 😀\n", "ünïcode 😀\n"),
            ("\u{1b}[31mred\u{1b}[0m\n", "red\n"),
            (
                "\u{1b}[1;38;5;200mbold\u{1b}[m \u{1b}[38:2::1:2:3mrgb",
                "bold rgb",
            ),
            ("\u{9b}31mred\u{9b}0m", "red"),
            (
                "\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\b",
                "alinkb",
            ),
            ("\u{1b}]0;title without an end\nnext\n", "\nnext\n"),
            ("\u{1b}P1;2qdata\u{1b}\\c", "c"),
            (
                "\u{1b}(Ba\u{1b})0b\u{1b}=c\u{1b}7d\u{1b}[?25le\u{1b}[?2004h",
                "abcde",
            ),
            ("a\r\nb\r\n", "a\nb\n"),
            ("10%\r20%\r100%\n", "100%\n"),
            ("downloading\rdone\n", "done\n"),
            ("working\r       \rdone", "done"),
            ("kept\r", "kept"),
            ("a\r\u{1b}[Kb\u{1b}[2K\u{1b}[1Gc\n", "c\n"),
            ("|\u{8}/\u{8}-\u{8}\\ ok", "\\ ok"),
            ("abc\u{8} \u{8}", "ab"),
            (
                "one 1\ntwo 1\n\u{1b}[2Aone 2\u{1b}[K\ntwo 2\u{1b}[K\nend\n",
                "one 2\ntwo 2\nend\n",
            ),
            ("long one\nlong two\n\u{1b}[2F\u{1b}[Ja\nb\n", "a\nb\n"),
            ("before\n\u{1b}[2J\u{1b}[Hafter\u{1b}c", "before\nafter\n"),
            ("a\0b\u{7}c\u{1}d\u{7f}", "abcd"),
            ("\u{1b}[9999Cx", &format!("{}x", " ".repeat(1000))),
            ("a\u{1b}[", "a"),
            ("", ""),
        ] {
            assert_eq!(text(output.as_bytes()), read, "{output:?}");
        }
        assert_eq!(text(b"a\xff\xfeb \xc3"), "a\u{fffd}\u{fffd}b \u{fffd}");
        assert_eq!(text(b"\x9b1mbold"), "bold");
        let frames: String = (0..20_000).map(|number| format!("\r{number}")).collect();
        assert_eq!(text(frames.as_bytes()), "19999");
        assert_eq!(line("echo\u{1b}[31m a\0b"), "echo ab");
    }

    proptest! {
        #[test]
        fn any_output_becomes_text_without_control_characters_or_endless_lines(
            pieces in proptest::collection::vec(prop_oneof![
                Just(b"\x1b[".to_vec()), Just(b"\x1b]".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"9A".to_vec()),
                Just(b"99999C".to_vec()), Just(b"J".to_vec()), Just(b"2K".to_vec()), Just(b"\x1bP".to_vec()), Just("ä".as_bytes().to_vec()),
                proptest::collection::vec(any::<u8>(), 0..6),
            ], 0..60),
        ) {
            let read = text(&pieces.concat());
            prop_assert!(!read.contains(|letter: char| letter.is_control() && letter != '\n' && letter != '\t'), "{read:?}");
            prop_assert!(read.lines().all(|line| line.chars().count() <= MAX_COLUMN + 400));
        }
    }
}
