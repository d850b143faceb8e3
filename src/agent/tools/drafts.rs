//! The files of a tool call while its arguments arrive, for people to watch. The JSON is parsed
//! piece by piece, each byte once, so that the effort is linear in a file's length.

use super::lists_files;
use crate::{agent::AppPath, protocol::DraftPiece};

/// Parses `{"files":[{"path":…,"content":…}]}` incrementally. Invalid JSON ends the parsing.
#[derive(Debug)]
pub struct Drafts {
    state: State,
    /// The open objects and lists, outermost first.
    open: Vec<Open>,
    /// Whether the list of files has begun; a second one does not count.
    has_files: bool,
    file: File,
    pieces: Vec<DraftPiece>,
}

/// The token being read, or expected next.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Value,
    /// A list's first item or end.
    FirstItem,
    Name,
    /// An object's first name or end.
    FirstName,
    Colon,
    /// A comma, or the end of the open object or list.
    Comma,
    String(Role, Escape),
    /// A number, or `true`, `false`, `null`.
    Word,
    /// Nothing: the value is complete, or it is not JSON.
    End,
}

#[derive(Debug, PartialEq)]
enum Open {
    Object(Place, String),
    List(Place),
}

/// The meaning of an object or a list.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Arguments,
    Files,
    File,
    Other,
}

/// The meaning of a string.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Name,
    Path,
    Content,
    Other,
}

/// The progress of an escape sequence within a string.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Escape {
    None,
    Backslash,
    /// The digits of `\u` so far: their number, and their value.
    Unicode(u8, u32),
}

/// The file that is being read.
#[derive(Debug, Default)]
struct File {
    /// Its first path, as received so far.
    path: Option<String>,
    /// The path that its content belongs to; `None` until the content begins after a valid path.
    target: Option<String>,
    has_content: bool,
    /// The length of the content so far, in bytes.
    length: usize,
    /// The first half of a character written as two escapes.
    high: Option<u32>,
}

impl Drafts {
    /// The files of a call to this tool; empty unless the tool writes the files that it lists.
    pub fn of(tool: &str) -> Self {
        Self {
            state: if lists_files(tool) {
                State::Value
            } else {
                State::End
            },
            open: Vec::new(),
            has_files: false,
            file: File::default(),
            pieces: Vec::new(),
        }
    }

    /// Parses more text. Returns the new pieces of files whose path is complete and whose content
    /// has begun.
    pub fn read(&mut self, more: &str) -> Vec<DraftPiece> {
        let mut rest = more;
        while let Some(letter) = rest.chars().next().filter(|_| self.state != State::End) {
            if let State::String(role, Escape::None) = self.state {
                let end = rest
                    .find(|letter| matches!(letter, '"' | '\\' | '\0'..='\x1f'))
                    .unwrap_or(rest.len());
                if end > 0 {
                    self.put(role, &rest[..end]);
                    rest = &rest[end..];
                    continue;
                }
            }
            rest = &rest[letter.len_utf8()..];
            self.take(letter);
        }
        std::mem::take(&mut self.pieces)
    }

    fn take(&mut self, letter: char) {
        if let State::String(role, escape) = self.state {
            self.state = self.in_string(role, escape, letter);
            return;
        }
        if self.state == State::Word {
            if letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.') {
                return;
            }
            self.state = self.after_value();
        }
        if letter.is_ascii_whitespace() {
            return;
        }
        self.state = match (&self.state, letter) {
            (State::Value | State::FirstItem, '"') => State::String(self.role(), Escape::None),
            (State::Value | State::FirstItem, '{') => {
                let place = self.place(letter);
                if place == Place::File {
                    self.file = File::default();
                }
                self.open.push(Open::Object(place, String::new()));
                State::FirstName
            }
            (State::Value | State::FirstItem, '[') => {
                let place = self.place(letter);
                self.open.push(Open::List(place));
                State::FirstItem
            }
            (State::FirstItem, ']') => self.close(),
            (State::Value | State::FirstItem, '-' | '0'..='9' | 't' | 'f' | 'n') => {
                // Neither a path nor a content.
                self.role();
                State::Word
            }
            (State::Name | State::FirstName, '"') => {
                if let Some(Open::Object(_, name)) = self.open.last_mut() {
                    name.clear();
                }
                State::String(Role::Name, Escape::None)
            }
            (State::FirstName, '}') => self.close(),
            (State::Colon, ':') => State::Value,
            (State::Comma, ',') => match self.open.last() {
                Some(Open::Object(..)) => State::Name,
                _ => State::Value,
            },
            (State::Comma, '}') if matches!(self.open.last(), Some(Open::Object(..))) => {
                self.close()
            }
            (State::Comma, ']') if matches!(self.open.last(), Some(Open::List(_))) => self.close(),
            _ => State::End,
        };
    }

    /// The state after a character of a string that needs special treatment.
    fn in_string(&mut self, role: Role, escape: Escape, letter: char) -> State {
        let next = match (escape, letter) {
            (Escape::None, '"') => {
                self.end_half(role);
                return match role {
                    Role::Name => State::Colon,
                    _ => self.after_value(),
                };
            }
            (Escape::None, '\\') => Escape::Backslash,
            (Escape::None, _) => return State::End,
            (Escape::Backslash, 'u') => Escape::Unicode(0, 0),
            (Escape::Backslash, letter) => {
                let meant = match letter {
                    '"' | '\\' | '/' => letter,
                    'b' => '\x08',
                    'f' => '\x0c',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    _ => return State::End,
                };
                self.put(role, meant.encode_utf8(&mut [0; 4]));
                Escape::None
            }
            (Escape::Unicode(digits, value), letter) => {
                let Some(digit) = letter.to_digit(16) else {
                    return State::End;
                };
                let value = value * 16 + digit;
                if digits < 3 {
                    Escape::Unicode(digits + 1, value)
                } else {
                    self.put_unit(role, value);
                    Escape::None
                }
            }
        };
        State::String(role, next)
    }

    /// Adds a UTF-16 unit, possibly half of a character.
    fn put_unit(&mut self, role: Role, unit: u32) {
        let whole = match (self.file.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00))
            }
            (lone, 0xd800..=0xdbff) => {
                if lone.is_some() {
                    self.put(role, "\u{fffd}");
                }
                self.file.high = Some(unit);
                return;
            }
            (lone, _) => {
                if lone.is_some() {
                    self.put(role, "\u{fffd}");
                }
                char::from_u32(unit)
            }
        };
        let whole = whole.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.put(role, whole.encode_utf8(&mut [0; 4]));
    }

    /// Replaces half of a character whose other half is missing.
    fn end_half(&mut self, role: Role) {
        if self.file.high.take().is_some() {
            self.put(role, "\u{fffd}");
        }
    }

    /// Adds text to the string's target.
    fn put(&mut self, role: Role, text: &str) {
        self.end_half(role);
        match role {
            Role::Name => {
                if let Some(Open::Object(_, name)) = self.open.last_mut() {
                    name.push_str(text);
                }
            }
            Role::Path => self
                .file
                .path
                .get_or_insert_with(String::new)
                .push_str(text),
            Role::Content => {
                let Some(path) = &self.file.target else {
                    return;
                };
                let offset = self.file.length;
                self.file.length += text.len();
                match self.pieces.last_mut() {
                    Some(last) if last.path == *path && last.offset + last.text.len() == offset => {
                        last.text.push_str(text);
                    }
                    _ => self.pieces.push(DraftPiece {
                        path: path.clone(),
                        offset,
                        text: text.to_owned(),
                    }),
                }
            }
            Role::Other => {}
        }
    }

    /// The meaning of the string that begins. A file's first path and first content count.
    fn role(&mut self) -> Role {
        let Some(Open::Object(Place::File, name)) = self.open.last() else {
            return Role::Other;
        };
        match name.as_str() {
            "path" if self.file.path.is_none() => {
                self.file.path = Some(String::new());
                Role::Path
            }
            "content" if !self.file.has_content => {
                self.file.has_content = true;
                let path = self.file.path.as_deref().map(AppPath::new);
                if let Some(Ok(path)) = path {
                    self.file.target = Some(path.as_str().to_owned());
                }
                Role::Content
            }
            _ => Role::Other,
        }
    }

    /// The meaning of the object or list that begins.
    fn place(&mut self, bracket: char) -> Place {
        let is_object = bracket == '{';
        match self.open.last() {
            None if is_object => Place::Arguments,
            Some(Open::Object(Place::Arguments, name)) if name == "files" && !self.has_files => {
                self.has_files = true;
                if is_object {
                    Place::Other
                } else {
                    Place::Files
                }
            }
            Some(Open::List(Place::Files)) if is_object => Place::File,
            _ => {
                // Neither a path nor a content.
                self.role();
                Place::Other
            }
        }
    }

    fn close(&mut self) -> State {
        self.open.pop();
        self.after_value()
    }

    fn after_value(&self) -> State {
        if self.open.is_empty() {
            State::End
        } else {
            State::Comma
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::{Value, json};

    use super::*;

    /// The files after all pieces.
    fn files<'a>(pieces: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
        let (mut drafts, mut files) = (Drafts::of("createOrUpdateFiles"), BTreeMap::new());
        for piece in pieces {
            for DraftPiece { path, offset, text } in drafts.read(piece) {
                let file: &mut String = files.entry(path).or_default();
                assert!(offset == file.len() || offset == 0, "{offset}");
                file.truncate(offset);
                file.push_str(&text);
            }
        }
        files
    }

    /// The text in pieces that end at these places.
    fn cut<'a>(text: &'a str, places: &[usize]) -> Vec<&'a str> {
        let mut places: Vec<usize> = places
            .iter()
            .map(|place| text.floor_char_boundary(place % (text.len() + 1)))
            .collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        places
            .windows(2)
            .map(|ends| &text[ends[0]..ends[1]])
            .collect()
    }

    #[test]
    fn only_a_file_s_path_and_its_content_after_that_count() {
        let begun = r#"{"files":[{"path":"a.txt","content":"x"#;
        assert_eq!(
            files([begun]),
            [("a.txt".to_owned(), "x".to_owned())].into()
        );
        assert!(Drafts::of("editFile").read(begun).is_empty());
        for none in [
            r#"{"files":[{"path":"a.tx"#,
            r#"{"files":[{"path":"a.txt""#,
            r#"{"files":[{"content":"x","path":"a.txt"}]}"#,
            r#"{"files":[{"path":"../a.txt","content":"x"}]}"#,
            r#"{"files":[{"path":7,"content":"x"}]}"#,
            r#"{"files":[{"path":7,"path":"a.txt","content":["x"],"content":"x"}]}"#,
            r#"{"files":{"path":"a.txt","content":"x"}}"#,
            r#"{"files":[[{"path":"a.txt","content":"x"}]]}"#,
            r#"{"other":[{"path":"a.txt","content":"x"}]}"#,
            r#"[{"path":"a.txt","content":"x"}]"#,
            r#"files: {"files":[{"path":"a.txt","content":"x"}]}"#,
            r#"{"files":[{"path" "a.txt","content":"x"}]}"#,
        ] {
            assert_eq!(files([none]), BTreeMap::new(), "{none}");
        }
        for (odd, content) in [
            (
                r#"{"a":{"path":[1]},"files":[{"mode":-1.5e3,"path":"a.txt","ok":true,"content":"x","z":{}}]}"#,
                "x",
            ),
            (r#"{"files":[{"path":"a.txt","content":"x\q"}]}"#, "x"),
            (
                r#"{"files":[{"path":"a.txt","content":"\ud83d"}]}"#,
                "\u{fffd}",
            ),
            (
                r#"{"files":[{"path":"a.txt","content":"\ud83dx\u0041\udE00"}]}"#,
                "\u{fffd}xA\u{fffd}",
            ),
            (
                r#"{"files":[{"path":"a.txt","content":"abc"},{"path":"a.txt","content":"d"}]}"#,
                "d",
            ),
        ] {
            let expected = [("a.txt".to_owned(), content.to_owned())].into();
            assert_eq!(files([odd]), expected, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_files_of_the_whole(
            contents in vec(r#"[ -~äé🧀\n\t"\\]{0,40}"#, 1..4),
            escaped in any::<bool>(),
            places in vec(any::<usize>(), 0..12),
        ) {
            let contents = contents.into_iter().enumerate();
            let expected: BTreeMap<String, String> = contents
                .map(|(index, content)| (format!("app/{index}.tsx"), content))
                .collect();
            let listed: Vec<Value> = expected
                .iter()
                .map(|(path, content)| json!({ "mode": 7, "path": path, "z content": content }))
                .collect();
            let mut text = serde_json::to_string_pretty(&json!({ "files": listed })).unwrap();
            text = text.replace("z content", "content");
            if escaped {
                text = text.encode_utf16().map(|unit| match u8::try_from(unit) {
                    Ok(letter) if letter.is_ascii() => char::from(letter).to_string(),
                    _ => format!("\\u{unit:04x}"),
                }).collect();
            }
            let expected: BTreeMap<String, String> = expected
                .into_iter()
                .filter(|(_, content)| !content.is_empty())
                .collect();
            prop_assert_eq!(files(cut(&text, &places)), expected);
        }

        #[test]
        fn whatever_comes_gives_the_same_in_any_pieces(
            parts in vec(
                select(vec![
                    "{", "}", "[", "]", ",", ":", "\"", "\"files\":[{", "\"path\":\"a/b\",",
                    "\"content\":\"", "\\", "\\u", "d83d", "\\ude00", "n", "true", " ", "é", "\n",
                ]),
                0..24,
            ),
            places in vec(any::<usize>(), 0..12),
        ) {
            let text = format!("{{{}", parts.concat());
            prop_assert_eq!(files(cut(&text, &places)), files([text.as_str()]));
        }
    }
}
