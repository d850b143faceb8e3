//! Finds the lines of a file that are most similar to a text that it does not contain.

use std::collections::HashSet;

use similar::TextDiff;
use unicode_normalization::UnicodeNormalization;

/// Lines below this similarity are not worth showing.
const ALIKE: f32 = 0.5;
/// How many candidates are compared in detail: those that share the most words with the text.
const COMPARED: usize = 10;
/// The maximum length of a text to compare and show, in bytes.
const MAX_TEXT: usize = 4000;

/// The most similar run of equally many lines, described for the model; `None` if nothing is
/// similar.
pub fn nearest(text: &str, wanted: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let height = wanted.lines().count().clamp(1, lines.len().max(1));
    if wanted.len() > MAX_TEXT {
        return None;
    }
    let wanted = wanted.trim_end_matches(['\n', '\r']);
    let (ratio, at) = candidates(&lines, wanted, height)
        .into_iter()
        .map(|at| {
            // Comparing word by word suffices.
            let there = lines[at..at + height].join("\n");
            (
                TextDiff::from_words(composed(wanted), composed(&there)).ratio(),
                at,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
    if ratio < ALIKE {
        return None;
    }
    let (first, last) = (at + 1, at + height);
    let place = if first == last {
        format!("line {first}")
    } else {
        format!("lines {first}-{last}")
    };
    let percent = (ratio * 100.0).floor().min(99.0);
    let shown = lines[at..last].join("\n");
    let difference = difference(&shown, wanted).unwrap_or_default();
    Some(format!(
        "the nearest is {place}, {percent} % alike{difference}. There it says:\n{shown}"
    ))
}

/// The difference between the texts, if it is an invisible one.
fn difference(there: &str, wanted: &str) -> Option<&'static str> {
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    if without_spaces(there) == without_spaces(wanted) {
        return Some(", and different only in spaces, tabs or line breaks");
    }
    (composed(there) == composed(wanted))
        .then_some(", and different only in how accents are encoded (Unicode NFC and NFD)")
}

/// Normalizes the encoding of accents.
fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The beginnings of the runs of lines that share the most words with the text, best first; without
/// much shorter or longer ones.
fn candidates(lines: &[&str], wanted: &str, height: usize) -> Vec<usize> {
    let words = |line: &str| -> Vec<String> {
        let words = line.split(|letter: char| !letter.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let known: HashSet<String> = words(wanted).into_iter().collect();
    // For each line: its words that occur in the text, all of its words, its bytes.
    let counts: Vec<[usize; 3]> = lines
        .iter()
        .map(|line| {
            let words = words(line);
            [
                words.iter().filter(|word| known.contains(*word)).count(),
                words.len(),
                line.len() + 1,
            ]
        })
        .collect();
    let mut scored: Vec<(usize, usize)> = Vec::new();
    let [mut shared, mut all, mut bytes] = [0; 3];
    for (last, count) in counts.iter().enumerate() {
        (shared, all, bytes) = (shared + count[0], all + count[1], bytes + count[2]);
        let Some(first) = (last + 1).checked_sub(height) else {
            continue;
        };
        let (short, long) = (bytes.min(wanted.len()), bytes.max(wanted.len()));
        if short * 3 >= long {
            scored.push((shared * 1000 / (all + known.len()).max(1), first));
        }
        let [gone_shared, gone_all, gone_bytes] = counts[first];
        (shared, all, bytes) = (shared - gone_shared, all - gone_all, bytes - gone_bytes);
    }
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    scored
        .into_iter()
        .take(COMPARED)
        .map(|(_, first)| first)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_lines_come_with_their_place_and_text_unless_nothing_is_alike() {
        let text = "import a\n\nfunction add(a, b) {\n  return a + b;\n}\n\nfunction sub(a, b) {\n  return a - b;\n}\n";
        let found = nearest(text, "function sub(a, b) {\n    return a - b\n}").unwrap_or_default();
        assert!(
            found.contains("lines 7-9")
                && found.ends_with("function sub(a, b) {\n  return a - b;\n}"),
            "{found}"
        );
        assert_eq!(nearest(text, "SELECT * FROM planets WHERE moons > 3"), None);
        assert_eq!(nearest("", "x"), None);
    }

    #[test]
    fn of_a_long_file_only_the_likeliest_places_are_compared_and_the_nearest_is_among_them() {
        let line = |number: usize| format!("  const value{number} = compute(state, {number});");
        let mut file: Vec<String> = (0..20_000).map(line).collect();
        let wanted: Vec<String> = (0..40)
            .map(|number| format!("  <Row key={{row{number}}} label=\"{number}\" />"))
            .collect();
        let nearly: Vec<String> = wanted
            .iter()
            .map(|line| line.replace("  <Row", "    <Row"))
            .collect();
        file.splice(12_000..12_000, nearly);
        let lines: Vec<&str> = file.iter().map(String::as_str).collect();
        let wanted = wanted.join("\n");
        let found = candidates(&lines, &wanted, 40);
        assert_eq!((found.len(), found[0]), (COMPARED, 12_000));
        let found = nearest(&file.join("\n"), &wanted).unwrap_or_default();
        assert!(found.contains("lines 12001-12040"), "{found}");
    }
}
