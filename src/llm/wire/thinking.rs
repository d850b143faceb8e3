//! Thinking that a model writes into its answer: `<think>…</think>` at the beginning, in one of
//! several spellings, is not part of what it says.

/// How thinking begins and ends: DeepSeek, Qwen and most others; Gemma and Gemini; Magistral; Seed.
const TAGS: [(&str, &str); 6] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
];

/// Takes an answer's text piece by piece, and lets through what isn't thinking.
#[derive(Debug, Default)]
pub struct Thinking {
    state: State,
    /// Text that came, and is neither let through nor known to be thinking.
    held: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Only white space has come, and perhaps the beginning of a tag.
    #[default]
    Beginning,
    /// Until the tag that ends it.
    Thinking(&'static str),
    /// After the thinking, only white space has come.
    Ended,
    Speaking,
}

impl Thinking {
    /// The part of the answer so far that is not thinking and was not returned before.
    pub fn take(&mut self, piece: &str) -> String {
        if self.state == State::Speaking {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.state == State::Beginning {
            let said = self.held.trim_start();
            if let Some((_, close)) = TAGS.iter().find(|(open, _)| said.starts_with(open)) {
                self.state = State::Thinking(close);
            } else if !TAGS.iter().any(|(open, _)| open.starts_with(said)) {
                self.state = State::Speaking;
                return std::mem::take(&mut self.held);
            }
        }
        if let State::Thinking(close) = self.state
            && let Some((_, after)) = self.held.split_once(close)
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

    /// What is left of the answer at its end.
    pub fn end(self) -> String {
        match self.state {
            State::Beginning => self.held,
            State::Thinking(_) | State::Ended | State::Speaking => String::new(),
        }
    }
}

/// The text without thinking that the chat template began, so that only its end is in the answer.
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
