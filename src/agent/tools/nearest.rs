//! Where a text that is not in a file nearly is: the lines that are most like it.

use similar::TextDiff;

/// What is less alike than this is not worth telling.
const ALIKE: f32 = 0.5;
/// Larger files are not searched: it takes a comparison for each line.
const MAX_LINES: usize = 4000;
/// The longest text that is compared, and shown, in bytes.
const MAX_TEXT: usize = 4000;

/// The most alike run of as many lines, in words for the model; `None` when nothing is alike.
pub fn nearest(text: &str, wanted: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let height = wanted.lines().count().clamp(1, lines.len().max(1));
    if lines.len() > MAX_LINES || wanted.len() > MAX_TEXT {
        return None;
    }
    let wanted = wanted.trim_end_matches(['\n', '\r']);
    let (ratio, at) = lines
        .windows(height)
        .enumerate()
        .filter_map(|(at, window)| {
            let window = window.join("\n");
            // Words are enough to tell likeness, and lengths to tell that there is none.
            let (short, long) = (window.len().min(wanted.len()), window.len().max(wanted.len()));
            (short * 3 >= long).then(|| (TextDiff::from_words(wanted, &window).ratio(), at))
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
    Some(format!("the nearest is {place}, {percent} % alike. There it says:\n{shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_lines_are_told_with_their_place_and_text_and_nothing_alike_is_told_as_nothing() {
        let text = "import a\n\nfunction add(a, b) {\n  return a + b;\n}\n\nfunction sub(a, b) {\n  return a - b;\n}\n";
        let found = nearest(text, "function sub(a, b) {\n    return a - b\n}").unwrap_or_default();
        assert!(
            found.contains("lines 7-9") && found.ends_with("function sub(a, b) {\n  return a - b;\n}"),
            "{found}"
        );
        assert_eq!(nearest(text, "SELECT * FROM planets WHERE moons > 3"), None);
        assert_eq!(nearest("", "x"), None);
    }
}
