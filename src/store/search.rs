//! Searching texts: what people type is looked for literally, in either case.

use sea_orm::{
    Condition, ExprTrait as _,
    sea_query::{Func, LikeExpr, SimpleExpr},
};

/// The longest search text, in characters; the rest is ignored.
const SEARCHED: usize = 200;

/// What is looked for; `None` for nothing. PostgreSQL accepts no zero bytes, and SQLite no pattern
/// of many thousands of letters.
pub(super) fn wanted(text: &str) -> Option<String> {
    let letters = text.trim().chars().filter(|letter| *letter != '\0');
    let wanted: String = letters.take(SEARCHED).collect();
    (!wanted.is_empty()).then_some(wanted)
}

/// Matches rows of which one of the columns contains the text.
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

/// The text as the database's `LOWER` may have left it: SQLite's knows only ASCII letters, so
/// others are tried in both cases.
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

/// Not the backslash: it means something else to PostgreSQL and to MySQL.
pub(super) const ESCAPE: char = '!';

/// The text as a pattern of `LIKE` that matches itself only.
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
