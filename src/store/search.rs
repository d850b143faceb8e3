//! Searching texts: the user's input is matched literally, in upper or lower case.

use sea_orm::{
    Condition, ExprTrait as _,
    sea_query::{Func, LikeExpr, SimpleExpr},
};

/// The maximum length of a search text, in characters; the rest is ignored.
const SEARCHED: usize = 200;

/// The text to search for; `None` for an empty one. PostgreSQL accepts no zero bytes, and SQLite no
/// patterns of many thousand letters.
pub(super) fn wanted(text: &str) -> Option<String> {
    let letters = text.trim().chars().filter(|letter| *letter != '\0');
    let wanted: String = letters.take(SEARCHED).collect();
    (!wanted.is_empty()).then_some(wanted)
}

/// Matches rows in which any of the columns contains the text.
pub(super) fn any_contains(
    columns: impl IntoIterator<Item = SimpleExpr>,
    search: &str,
) -> Condition {
    let patterns: Vec<LikeExpr> = spellings(search)
        .iter()
        .map(|text| LikeExpr::new(format!("%{}%", literally(text))).escape(ESCAPE))
        .collect();
    let mut found = Condition::any();
    for column in columns {
        for pattern in &patterns {
            found = found.add(Func::lower(column.clone()).like(pattern.clone()));
        }
    }
    found
}

/// The possible results of the database's `LOWER` for the text: SQLite's knows only ASCII letters,
/// so others are tried in both cases.
fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![
        text.to_lowercase(),
        text.to_ascii_lowercase(),
        text.to_uppercase().to_ascii_lowercase(),
    ];
    spellings.sort();
    spellings.dedup();
    spellings
}

/// Not the backslash, which PostgreSQL and MySQL interpret differently.
pub(super) const ESCAPE: char = '!';

/// A `LIKE` pattern that matches only the text itself.
pub(super) fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_letters_like_others() {
        assert_eq!(literally("100%_done!"), "100!%!_done!!");
    }

    #[test]
    fn letters_beyond_ascii_are_looked_for_in_both_cases() {
        assert_eq!(spellings("Todo"), ["todo"]);
        assert_eq!(
            spellings("Übung"),
            ["Übung".to_ascii_lowercase(), "Übung".to_lowercase()]
        );
    }
}
