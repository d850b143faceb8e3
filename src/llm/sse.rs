//! Server-sent events (WHATWG HTML, section 9.2) from a stream of bytes, as providers and proxies
//! really send them: no line makes the reader fail. Lines of plain JSON count as events too, and a
//! body without events is returned as a whole.

use super::json;

/// The maximum size of an event, in bytes: all arguments of an answer may come in one.
pub const MAX_EVENT: usize = 40 << 20;
/// The mark that some editors and servers put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How much of a body without events is kept, in bytes, to be read as a whole at its end.
const MAX_BODY: usize = 20 << 20;
/// The maximum size of an event, in bytes, that a line without a field name may continue.
const MAX_LOOSE: usize = 64 << 10;

/// An event with data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Empty where the server gives none.
    pub name: String,
    /// Its lines of data, with a line feed between them.
    pub data: String,
}

/// An event is longer than [`MAX_EVENT`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Turns bytes into events as they come.
#[derive(Debug, Default)]
pub struct EventReader {
    /// The current line.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it ends no further line.
    after_return: bool,
    begun: bool,
    name: String,
    data: Option<String>,
    /// Everything that came before the first event.
    body: Vec<u8>,
    is_event_stream: bool,
}

impl EventReader {
    /// Takes the next bytes, and adds the completed events.
    pub fn take(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        if !self.is_event_stream && self.body.len() < MAX_BODY {
            self.body.extend_from_slice(bytes);
        }
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (content, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), content)) => (content, Some(*end)),
                _ => (piece, None),
            };
            let is_second_half = self.after_return
                && content.is_empty()
                && end == Some(b'\n')
                && self.line.is_empty();
            self.after_return = end == Some(b'\r');
            if is_second_half {
                continue;
            }
            self.line.extend_from_slice(content);
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > MAX_EVENT {
                return Err(TooLong);
            }
            if end.is_some() {
                self.end_line(events);
            }
        }
        if self.is_event_stream {
            self.body = Vec::new();
        }
        Ok(())
    }

    /// Handles the end of the stream: the last line and event count even without their line ends.
    pub fn end(&mut self, events: &mut Vec<Event>) {
        if !self.line.is_empty() {
            self.end_line(events);
        }
        self.end_event(events);
    }

    /// Everything received, as long as none of it was an event.
    pub fn body(&self) -> &[u8] {
        self.body
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.body)
    }

    /// Whether any line was one of an event stream.
    pub fn is_event_stream(&self) -> bool {
        self.is_event_stream
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let bytes = std::mem::take(&mut self.line);
        let bytes = if self.begun {
            &bytes[..]
        } else {
            bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes)
        };
        self.begun = true;
        if bytes.is_empty() {
            self.end_event(events);
            return;
        }
        let line = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        // A line without a field name: newline-delimited JSON, or a whole answer in one line.
        if line.starts_with('{')
            && self.rest_of_json(&line).is_none()
            && json::parse(&line).is_some()
        {
            self.end_event(events);
            events.push(Event {
                name: String::new(),
                data: line,
            });
            self.is_event_stream = true;
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.name),
            // How llama.cpp reports a failure in mid-stream.
            "error" if value.starts_with('{') => {
                self.end_event(events);
                events.push(Event {
                    name: "error".to_owned(),
                    data: value.to_owned(),
                });
            }
            // Comments (an empty field), ids and retry times are not used.
            "" | "id" | "retry" => {}
            _ => match self.rest_of_json(&line) {
                Some(joined) => self.data = Some(joined),
                None => return,
            },
        }
        self.is_event_stream = true;
    }

    /// The event's data, continued by a line of its JSON: some servers put the field name only
    /// before the first line of an indented chunk. `None` if the data is complete.
    fn rest_of_json(&self, line: &str) -> Option<String> {
        let data = self.data.as_deref()?;
        let is_open =
            data.starts_with(['{', '[']) && data.len() <= MAX_LOOSE && json::parse(data).is_none();
        is_open.then(|| format!("{data}\n{line}"))
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let name = std::mem::take(&mut self.name);
        if let Some(data) = self.data.take() {
            events.push(Event { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], size: usize) -> Vec<(String, String)> {
        let (mut reader, mut events) = (EventReader::default(), Vec::new());
        for piece in bytes.chunks(size) {
            assert_eq!(reader.take(piece, &mut events), Ok(()));
        }
        reader.end(&mut events);
        events
            .into_iter()
            .map(|event| (event.name, event.data))
            .collect()
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut_and_their_lines_end() {
        for (bytes, expected) in [
            (
                &b"data: a\n\ndata: b\n\n"[..],
                vec![event("", "a"), event("", "b")],
            ),
            (
                b"data: a\r\n\r\ndata: b\r\n\r\n",
                vec![event("", "a"), event("", "b")],
            ),
            (
                b"data: a\r\rdata:b\r\r",
                vec![event("", "a"), event("", "b")],
            ),
            (
                b"data: a\n\r\ndata: b\r\n\n",
                vec![event("", "a"), event("", "b")],
            ),
            // A mark before it all, comments, other fields, and no end.
            (b"\xef\xbb\xbfdata: a", vec![event("", "a")]),
            (
                b": wait\n\nid: 7\nretry: 9\nevent: x\ndata: a\nmore: b\n\n",
                vec![event("x", "a")],
            ),
            (b"data: a\r", vec![event("", "a")]),
            // Lines of one event; an event without data is none, and its name is no other's.
            (
                b"data: a\ndata:  b\ndata\n\nevent: y\n\ndata:\n\n",
                vec![event("", "a\n b\n"), event("", "")],
            ),
            // Letters cut in two, bytes that are none, and zeros.
            ("data: Käse 🧀\n\n".as_bytes(), vec![event("", "Käse 🧀")]),
            (
                b"data: a\xffb\0c\n\n",
                vec![event("", "a\u{fffd}b\u{fffd}c")],
            ),
            // JSON without a field's name; over several lines; behind a field of llama.cpp's.
            (
                b"data: {\n  \"a\": [\n    {}\n  ]\n}\n\ndata: b\n\n",
                vec![event("", "{\n  \"a\": [\n    {}\n  ]\n}"), event("", "b")],
            ),
            (
                b"data: a\n\nerror: {\"code\":500}\n\n",
                vec![event("", "a"), event("error", "{\"code\":500}")],
            ),
            (
                b"{\"a\":1}\n{\"b\":2}\n",
                vec![event("", "{\"a\":1}"), event("", "{\"b\":2}")],
            ),
        ] {
            for size in 1..=bytes.len() {
                assert_eq!(
                    read(bytes, size),
                    expected,
                    "{:?} by {size}",
                    String::from_utf8_lossy(bytes)
                );
            }
        }
    }

    #[test]
    fn a_body_that_is_no_event_stream_is_there_as_a_whole_and_too_long_an_event_is_refused() {
        let (mut reader, mut events) = (EventReader::default(), Vec::new());
        let body = b"\xef\xbb\xbf<html>\n<p style=\"a: b\">\n";
        assert_eq!(reader.take(body, &mut events), Ok(()));
        reader.end(&mut events);
        assert!(events.is_empty() && !reader.is_event_stream());
        assert_eq!(reader.body(), &body[3..]);
        let mut reader = EventReader::default();
        let long = vec![b'x'; 1 << 20];
        let refused = (0..50).find_map(|_| reader.take(&long, &mut events).err());
        assert_eq!(refused, Some(TooLong));
    }
}
