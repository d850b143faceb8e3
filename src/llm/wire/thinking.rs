//! Thinking within an answer's text: `<think>…</think>` at the beginning, in one of several
//! spellings, is not part of the answer and is shown separately.

/// The tags around thinking: DeepSeek, Qwen and most others; Gemma and Gemini; Magistral; Seed.
const TAGS: [(&str, &str); 6] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
];

/// Separates thinking from the answer's text, piece by piece.
#[derive(Debug, Default)]
pub struct ThinkingSplitter {
    state: State,
    /// Text that is held back because it may be part of a tag, or white space around one.
    held: String,
}

/// The new parts from a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parted {
    pub thought: String,
    pub said: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Only white space has arrived, and perhaps the beginning of a tag.
    #[default]
    Beginning,
    /// Thinking, until this tag ends it.
    Thinking(&'static str),
    /// Only white space has arrived since the thinking ended.
    Ended,
    Speaking,
}

impl ThinkingSplitter {
    /// The parts of the answer that were not returned before.
    pub fn take(&mut self, piece: &str) -> Parted {
        let said = |said: String| Parted {
            said,
            ..Parted::default()
        };
        if self.state == State::Speaking {
            return said(piece.to_owned());
        }
        self.held.push_str(piece);
        if self.state == State::Beginning {
            let begun = self.held.trim_start();
            if let Some((open, close)) = TAGS.iter().find(|(open, _)| begun.starts_with(open)) {
                self.held = begun[open.len()..].to_owned();
                self.state = State::Thinking(close);
            } else if !TAGS.iter().any(|(open, _)| open.starts_with(begun)) {
                self.state = State::Speaking;
                return said(std::mem::take(&mut self.held));
            }
        }
        let mut parted = Parted::default();
        if let State::Thinking(close) = self.state {
            if let Some((thought, after)) = self.held.split_once(close) {
                parted.thought = thought.to_owned();
                self.held = after.to_owned();
                self.state = State::Ended;
            } else {
                let ends_with = |length: &usize| self.held.ends_with(&close[..*length]);
                let partial = (1..close.len()).rev().find(ends_with).unwrap_or_default();
                let rest = self.held.split_off(self.held.len() - partial);
                parted.thought = std::mem::replace(&mut self.held, rest);
            }
        }
        if self.state == State::Ended && !self.held.trim_start().is_empty() {
            self.state = State::Speaking;
            parted.said = std::mem::take(&mut self.held).trim_start().to_owned();
        }
        parted
    }

    /// The remainder of the answer at its end.
    pub fn end(self) -> String {
        match self.state {
            State::Beginning => self.held,
            State::Thinking(_) | State::Ended | State::Speaking => String::new(),
        }
    }
}

/// The text without thinking that the chat template opened, of which the answer contains only the
/// end.
pub fn without_begun(text: &str) -> &str {
    let behind = TAGS.iter().find_map(|(open, close)| {
        let (before, after) = text.split_once(close)?;
        (!before.contains(open)).then_some(after.trim_start())
    });
    behind.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(pieces: &[&str]) -> Parted {
        let (mut thinking, mut parted) = (ThinkingSplitter::default(), Parted::default());
        for piece in pieces {
            let more = thinking.take(piece);
            parted.thought.push_str(&more.thought);
            parted.said.push_str(&more.said);
        }
        parted.said.push_str(&thinking.end());
        parted
    }

    fn said(pieces: &[&str]) -> String {
        parted(pieces).said
    }

    #[test]
    fn thinking_at_the_beginning_is_not_said_however_it_is_cut_into_pieces() {
        let text = "\n<think>\nLet me <see>, <task_summary>…\n</think>\n\nHello, <b>!";
        for size in 1..=text.chars().count() {
            let letters: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = letters
                .chunks(size)
                .map(|piece| piece.iter().collect())
                .collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let expected = Parted {
                thought: "\nLet me <see>, <task_summary>…\n".to_owned(),
                said: "Hello, <b>!".to_owned(),
            };
            assert_eq!(parted(&pieces), expected, "{size}");
        }
    }

    #[test]
    fn thinking_has_several_spellings() {
        for text in [
            "<thinking>Hm, <think>.</thinking>\nHello",
            "<thought>\nHm.</thought>Hello",
            "[THINK]Hm.[/THINK] Hello",
            "<reasoning>Hm.</reasoning>\n\nHello",
        ] {
            assert_eq!(said(&[text]), "Hello", "{text}");
            let (begun, _) = text.split_at(text.find("Hm").unwrap_or_default());
            assert_eq!(without_begun(&text[begun.len()..]), "Hello", "{text}");
        }
    }

    #[test]
    fn what_is_no_thinking_is_said_as_it_is() {
        for text in [
            "",
            " ",
            "<",
            "<thin",
            "<thing> a",
            "Say <think> and </think>",
            "  indented",
        ] {
            assert_eq!(said(&[text]), text);
        }
        assert_eq!(said(&["<think>and never ends"]), "");
        assert_eq!(without_begun("I see.\n</think>\n\nHello"), "Hello");
        assert_eq!(
            without_begun("Say <think> and </think>"),
            "Say <think> and </think>"
        );
    }
}
