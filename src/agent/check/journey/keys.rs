//! Keys by the names that journeys and browsers give them
//! (w3.org/TR/uievents-key, chromedevtools.github.io/devtools-protocol/tot/Input).

/// The keys that write nothing or have names: the names that browsers use, and their virtual key
/// codes.
const NAMED: [(&str, u32); 26] = [
    ("Enter", 13),
    ("Escape", 27),
    ("Tab", 9),
    ("Backspace", 8),
    ("Delete", 46),
    ("ArrowUp", 38),
    ("ArrowDown", 40),
    ("ArrowLeft", 37),
    ("ArrowRight", 39),
    ("Home", 36),
    ("End", 35),
    ("PageUp", 33),
    ("PageDown", 34),
    ("Insert", 45),
    ("F1", 112),
    ("F2", 113),
    ("F3", 114),
    ("F4", 115),
    ("F5", 116),
    ("F6", 117),
    ("F7", 118),
    ("F8", 119),
    ("F9", 120),
    ("F10", 121),
    ("F11", 122),
    ("F12", 123),
];
const ALIASES: [(&str, &str); 9] = [
    ("return", "Enter"),
    ("esc", "Escape"),
    ("del", "Delete"),
    ("up", "ArrowUp"),
    ("down", "ArrowDown"),
    ("left", "ArrowLeft"),
    ("right", "ArrowRight"),
    ("space", " "),
    ("spacebar", " "),
];
/// The modifier keys, with their bits in the protocol.
const MODIFIERS: [(&str, u32); 8] = [
    ("alt", 1),
    ("option", 1),
    ("control", 2),
    ("ctrl", 2),
    ("meta", 4),
    ("cmd", 4),
    ("command", 4),
    ("shift", 8),
];

/// A key press, with the modifiers that are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke {
    /// Its name in browsers (`KeyboardEvent.key`).
    pub key: String,
    /// `KeyboardEvent.code`, where the key has one.
    pub code: String,
    pub virtual_code: u32,
    /// The text that it writes; empty if it writes none.
    pub text: String,
    /// The modifiers' bits in the protocol.
    pub modifiers: u32,
}

impl Stroke {
    /// Reads names such as `Enter`, `k` and `Control+K`; `None` if there is no such key.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        // The last plus sign may be the key itself.
        let (held, key) = match name.strip_suffix('+') {
            Some(held) => (held, "+"),
            None => name.rsplit_once('+').unwrap_or(("", name)),
        };
        let mut modifiers = 0;
        for word in held
            .split('+')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let word = word.to_lowercase();
            modifiers |= MODIFIERS.into_iter().find(|(name, _)| *name == word)?.1;
        }
        let mut stroke = Self::of_key(key.trim())?;
        stroke.modifiers = modifiers;
        if modifiers & !8 != 0 {
            stroke.text.clear();
        }
        Some(stroke)
    }

    fn of_key(key: &str) -> Option<Self> {
        let lower = key.to_lowercase();
        let alias = ALIASES.into_iter().find(|(alias, _)| *alias == lower);
        let key = alias.map_or(key, |(_, name)| name);
        let mut named = NAMED.into_iter();
        if let Some((name, code)) = named.find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            let text = if name == "Enter" { "\r" } else { "" };
            return Some(Self {
                key: name.to_owned(),
                code: name.to_owned(),
                virtual_code: code,
                text: text.to_owned(),
                modifiers: 0,
            });
        }
        let mut letters = key.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => Some(Self::writing(letter)),
            _ => None,
        }
    }

    /// The key that writes this letter; Enter for a line feed.
    pub fn writing(letter: char) -> Self {
        if letter == '\n' {
            return Self::of_key("Enter").unwrap_or_else(|| Self::writing(' '));
        }
        let upper = letter.to_ascii_uppercase();
        let (code, virtual_code) = match upper {
            'A'..='Z' => (format!("Key{upper}"), u32::from(upper)),
            '0'..='9' => (format!("Digit{upper}"), u32::from(upper)),
            ' ' => ("Space".to_owned(), 32),
            _ => (String::new(), 0),
        };
        Self {
            key: letter.to_string(),
            code,
            virtual_code,
            text: letter.to_string(),
            modifiers: 0,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_names_of_browsers_and_the_usual_ones() {
        let stroke = |name| Stroke::named(name).unwrap();
        assert_eq!(stroke("enter").text, "\r");
        assert_eq!(
            (&*stroke("Esc").key, stroke("Esc").virtual_code),
            ("Escape", 27)
        );
        let held = stroke("Ctrl + Shift+k");
        assert_eq!((held.modifiers, &*held.code, &*held.text), (10, "KeyK", ""));
        assert_eq!(stroke("Shift+A").text, "A");
        assert_eq!(stroke("+").key, "+");
        assert_eq!(
            (stroke("Ctrl++").modifiers, &*stroke("Ctrl++").key),
            (2, "+")
        );
        assert_eq!(stroke("Space").text, " ");
        for odd in ["", "Hyper+K", "any key", "ab"] {
            assert_eq!(Stroke::named(odd), None, "{odd}");
        }
    }
}
