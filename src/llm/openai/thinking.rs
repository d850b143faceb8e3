//! Thinking that a model writes into its answer: `<think>…</think>` at the beginning is no part of
//! what it says.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes an answer's text piece by piece, and lets through what is no thinking.
#[derive(Debug, Default)]
pub struct Thinking {
    state: State,
    /// What has come, and is neither let through nor known to be thinking.
    held: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come but blanks and perhaps the beginning of a tag.
    #[default]
    Beginning,
    Thinking,
    /// After the thinking, nothing has come but blanks.
    Ended,
    Speaking,
}

impl Thinking {
    /// What of the answer so far is to be said, and was not returned before.
    pub fn take(&mut self, piece: &str) -> String {
        if self.state == State::Speaking {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.state == State::Beginning {
            let said = self.held.trim_start();
            if said.starts_with(OPEN) {
                self.state = State::Thinking;
            } else if !OPEN.starts_with(said) {
                self.state = State::Speaking;
                return std::mem::take(&mut self.held);
            }
        }
        if self.state == State::Thinking
            && let Some((_, after)) = self.held.split_once(CLOSE)
        {
            self.held = after.to_owned();
            self.state = State::Ended;
        }
        if self.state == State::Ended && !self.held.trim_start().is_empty() {
            self.state = State::Speaking;
            return std::mem::take(&mut self.held).trim_start().to_owned();
        }
        String::new()
    }

    /// What is left to be said when the answer is at its end.
    pub fn end(self) -> String {
        match self.state {
            State::Beginning => self.held,
            State::Thinking | State::Ended | State::Speaking => String::new(),
        }
    }
}

/// The text without thinking whose beginning the chat template has written, and not the model.
pub fn without_begun(text: &str) -> &str {
    match text.split_once(CLOSE) {
        Some((before, after)) if !before.contains(OPEN) => after.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&str]) -> String {
        let mut thinking = Thinking::default();
        let said: String = pieces.iter().map(|piece| thinking.take(piece)).collect();
        said + &thinking.end()
    }

    #[test]
    fn thinking_at_the_beginning_is_left_out_however_it_is_cut_into_pieces() {
        let text = "\n<think>\nLet me <see>, <task_summary>…\n</think>\n\nHello, <b>!";
        for size in 1..=text.chars().count() {
            let letters: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = letters
                .chunks(size)
                .map(|piece| piece.iter().collect())
                .collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(said(&pieces), "Hello, <b>!", "{size}");
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
