//! The page's console entries, as the app's script reports them. They are untrusted, so their
//! number and length are limited.

use std::collections::VecDeque;

use leptos::wasm_bindgen::JsValue;

use crate::{
    protocol::LogLevel,
    ui::browser::{list_of, number_of, text_of},
};

/// How many entries are kept.
const MAX_ENTRIES: usize = 500;
/// The maximum number of entries per message, and the maximum length of a text in UTF-16 units.
const MAX_MESSAGE_ENTRIES: u32 = 200;
const MAX_TEXT_UNITS: u32 = 2000;
/// The maximum length of a page's id and of a path, in UTF-16 units.
const MAX_PLACE_UNITS: u32 = 200;

/// One row: a text, and how many times it was repeated in succession.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Unique as long as the pane lives.
    pub number: u32,
    pub level: LogLevel,
    pub text: String,
    pub count: u32,
}

/// A batch of a page's entries.
#[derive(Debug, Default)]
pub struct Batch {
    page: String,
    place: String,
    /// With their numbers in the page.
    entries: Vec<(f64, LogLevel, String)>,
}

impl Batch {
    /// The batch in a message; `None` if it contains no entries.
    pub fn read(message: &JsValue) -> Option<Self> {
        if text_of(message, "source", MAX_PLACE_UNITS)? != "codeflow-preview"
            || text_of(message, "type", MAX_PLACE_UNITS)? != "console"
        {
            return None;
        }
        let entries = list_of(message, "entries", MAX_MESSAGE_ENTRIES)?;
        let entry = |entry: JsValue| {
            let level = match text_of(&entry, "level", 20)?.as_str() {
                "error" => LogLevel::Error,
                "warning" => LogLevel::Warning,
                "network" => LogLevel::Network,
                _ => LogLevel::Message,
            };
            let number = number_of(&entry, "number")?;
            Some((number, level, text_of(&entry, "text", MAX_TEXT_UNITS)?))
        };
        Some(Self {
            page: text_of(message, "page", MAX_PLACE_UNITS)?,
            place: text_of(message, "place", MAX_PLACE_UNITS).unwrap_or_default(),
            entries: entries.iter().filter_map(entry).collect(),
        })
    }
}

/// The page's rows, the newest last.
#[derive(Debug, Default)]
pub struct Entries {
    rows: VecDeque<Entry>,
    numbered: u32,
    /// The page of the last batch, and the number of its next entry.
    page: String,
    next: f64,
}

impl Entries {
    /// Adds the new entries of a batch: a page may send its entries again.
    pub fn take(&mut self, batch: Batch) {
        if batch.page != self.page {
            let is_first = self.page.is_empty();
            (self.page, self.next) = (batch.page, 0.0);
            if !is_first {
                self.push(LogLevel::Message, format!("Loaded {}", batch.place));
            }
        }
        for (number, level, text) in batch.entries {
            if number >= self.next {
                self.next = number + 1.0;
                self.push(level, text);
            }
        }
    }

    fn push(&mut self, level: LogLevel, text: String) {
        if let Some(last) = self.rows.back_mut()
            && last.level == level
            && last.text == text
        {
            last.count = last.count.saturating_add(1);
            return;
        }
        self.numbered = self.numbered.wrapping_add(1);
        if self.rows.len() >= MAX_ENTRIES {
            self.rows.pop_front();
        }
        self.rows.push_back(Entry {
            number: self.numbered,
            level,
            text,
            count: 1,
        });
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }

    pub fn rows(&self) -> impl Iterator<Item = &Entry> {
        self.rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(page: &str, entries: &[(f64, &str)]) -> Batch {
        let entries = entries.iter();
        Batch {
            page: page.to_owned(),
            place: "/about".to_owned(),
            entries: entries
                .map(|(number, text)| (*number, LogLevel::Message, (*text).to_owned()))
                .collect(),
        }
    }

    fn texts(entries: &Entries) -> Vec<String> {
        let text = |entry: &Entry| format!("{} x{}", entry.text, entry.count);
        entries.rows().map(text).collect()
    }

    #[test]
    fn what_a_page_sends_again_is_there_once_and_another_page_is_announced() {
        let mut entries = Entries::default();
        entries.take(batch("a", &[(0.0, "one"), (1.0, "two")]));
        entries.take(batch("a", &[(0.0, "one"), (1.0, "two"), (2.0, "two")]));
        assert_eq!(texts(&entries), ["one x1", "two x2"]);
        entries.take(batch("b", &[(0.0, "one")]));
        assert_eq!(
            texts(&entries),
            ["one x1", "two x2", "Loaded /about x1", "one x1"]
        );
    }

    #[test]
    fn no_page_fills_the_memory() {
        let mut entries = Entries::default();
        for number in 0..2000 {
            let text = number.to_string();
            entries.take(batch("a", &[(f64::from(number), &text)]));
        }
        assert_eq!(entries.rows().count(), MAX_ENTRIES);
        assert_eq!(entries.rows().last().map(|entry| entry.number), Some(2000));
        entries.take(batch("a", &[(f64::NAN, "odd"), (f64::INFINITY, "odd")]));
        entries.clear();
        assert_eq!(entries.rows().count(), 0);
    }
}
