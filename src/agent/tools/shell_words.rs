//! The simple commands of a shell script, each split into words, as far as they are known without
//! running it. Quotes are removed; redirections, comments and here-documents are dropped; the
//! commands of a substitution are listed beside the one that contains it.

/// Substitutions nested deeper than this are ignored.
const MAX_DEPTH: usize = 8;

/// The commands in order, including reserved words of the shell at their beginning.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let mut reader = Reader {
        letters: script.chars().collect(),
        at: 0,
        found: Vec::new(),
    };
    while reader.at < reader.letters.len() {
        // A superfluous bracket ends nothing.
        reader.list(None, 0);
    }
    reader.found
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    found: Vec<Vec<String>>,
}

/// The command being read.
#[derive(Default)]
struct Simple {
    words: Vec<String>,
    word: Option<String>,
    /// The next word belongs to a redirection.
    redirected: bool,
    /// The next word ends a here-document.
    here: bool,
}

impl Simple {
    fn end_word(&mut self, documents: &mut Vec<String>) {
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.here) {
            documents.push(word);
        } else if !std::mem::take(&mut self.redirected) {
            self.words.push(word);
        }
    }
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek(0)?;
        self.at += 1;
        Some(letter)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek(0) == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// Reads commands up to `end`, or to the script's end.
    fn list(&mut self, end: Option<char>, depth: usize) {
        let mut simple = Simple::default();
        let mut documents = Vec::new();
        while let Some(letter) = self.next() {
            match letter {
                letter if Some(letter) == end => break,
                ' ' | '\t' | '\r' => simple.end_word(&mut documents),
                '&' if self.peek(0) == Some('>') => simple.end_word(&mut documents),
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    simple.end_word(&mut documents);
                    self.end_command(&mut simple);
                    if letter == '\n' {
                        documents.drain(..).for_each(|end| self.skip_document(&end));
                    }
                    if letter == '(' && depth < MAX_DEPTH {
                        self.list(Some(')'), depth + 1);
                    }
                }
                '<' | '>' => self.redirection(letter, &mut simple, &mut documents, depth),
                '#' if simple.word.is_none() => {
                    while self.peek(0).is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                letter => {
                    let mut word = simple.word.take().unwrap_or_default();
                    self.piece(letter, &mut word, depth);
                    simple.word = Some(word);
                }
            }
        }
        simple.end_word(&mut documents);
        self.end_command(&mut simple);
    }

    fn end_command(&mut self, simple: &mut Simple) {
        let words = std::mem::take(simple).words;
        if !words.is_empty() {
            self.found.push(words);
        }
    }

    /// Reads a part of a word that begins with this character.
    fn piece(&mut self, letter: char, word: &mut String, depth: usize) {
        match letter {
            '\\' => match self.next() {
                None | Some('\n') => {}
                Some(letter) => word.push(letter),
            },
            '\'' => {
                while let Some(letter) = self.next().filter(|letter| *letter != '\'') {
                    word.push(letter);
                }
            }
            '"' => {
                while let Some(letter) = self.next().filter(|letter| *letter != '"') {
                    match letter {
                        '\\' | '$' | '`' => self.piece(letter, word, depth),
                        letter => word.push(letter),
                    }
                }
            }
            '$' | '`' => {
                word.push('$');
                let end = if letter == '`' { '`' } else { ')' };
                if depth < MAX_DEPTH && (letter == '`' || self.take('(')) {
                    self.list(Some(end), depth + 1);
                }
            }
            letter => word.push(letter),
        }
    }

    fn redirection(
        &mut self,
        letter: char,
        simple: &mut Simple,
        documents: &mut Vec<String>,
        depth: usize,
    ) {
        // A number before it specifies the stream.
        if simple
            .word
            .as_ref()
            .is_some_and(|word| word.chars().all(|letter| letter.is_ascii_digit()))
        {
            simple.word = None;
        }
        simple.end_word(documents);
        if self.peek(0) == Some('(') {
            self.at += 1;
            if depth < MAX_DEPTH {
                self.list(Some(')'), depth + 1);
            }
            return;
        }
        let doubled = self.take(letter);
        if letter == '<' && doubled && !self.take('<') {
            self.take('-');
            simple.here = true;
            return;
        }
        if !self.take('&') {
            self.take('|');
        }
        simple.redirected = true;
    }

    /// Skips lines up to one that is `end`, indented or not.
    fn skip_document(&mut self, end: &str) {
        while self.at < self.letters.len() {
            let rest = &self.letters[self.at..];
            let length = rest
                .iter()
                .position(|letter| *letter == '\n')
                .unwrap_or(rest.len());
            let line: String = rest[..length].iter().collect();
            self.at = (self.at + length + 1).min(self.letters.len());
            if line.trim() == end {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_script_s_commands_are_separated_from_redirections_and_documents() {
        for (script, expected) in [
            ("npm run dev", "npm run dev"),
            ("a 'b; c' \"d && e\" f\\ g", "a|b; c|d && e|f g"),
            ("A=1 b && c || d; e & f | g\nh", "A=1 b/c/d/e/f/g/h"),
            ("(a; b) && { c; }", "a/b/{ c/}"),
            ("a >x 2>&1 </dev/null &>>y b 3>z", "a b"),
            ("a <<EOF >x\nnpm run dev\nEOF\nb", "a/b"),
            ("a <<-'E F' && b\n\tnpm\n\tE F\nc", "a/b/c"),
            ("a <<< 'npm run dev'", "a"),
            ("a # npm run dev\nb#c", "a/b#c"),
            ("a \"$(b c)\" `d` <(e)", "b c/d/e/a $ $"),
            ("if a; then b; fi", "if a/then b/fi"),
            ("echo 'unfinished; a", "echo|unfinished; a"),
            ("a) b", "a/b"),
            ("", ""),
        ] {
            let words = |words: &Vec<String>| {
                let blank = words.iter().any(|word| word.contains(' '));
                words.join(if blank { "|" } else { " " })
            };
            let found: Vec<String> = commands(script).iter().map(words).collect();
            assert_eq!(found.join("/"), expected, "{script}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(script in "[a()`'\"$<>&|;#\\\\ \n-]{0,80}") {
            commands(&script);
        }
    }
}
