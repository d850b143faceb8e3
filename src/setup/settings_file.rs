//! The settings file in systemd's format (systemd.exec(5), `EnvironmentFile`): one variable per
//! line. People edit it too, so everything else in it stays as it is.

/// The variables that the text sets, in order.
pub(super) fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()).to_owned()))
        .collect()
}

/// The variable's value; `None` if it is unset or empty.
pub(super) fn value(text: &str, name: &str) -> Option<String> {
    let mut found = variables(text).into_iter().rev();
    let (_, value) = found.find(|(found, _)| found == name)?;
    (!value.is_empty()).then_some(value)
}

fn unquoted(value: &str) -> &str {
    let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

/// Sets the variable: in place if it is there, otherwise at the comment that shows it, otherwise at
/// the end.
pub(super) fn set(text: &str, name: &str, value: &str) -> String {
    let line = format!("{name}={value}");
    let is_set = |line: &str| line.trim_start().starts_with(&format!("{name}="));
    let is_shown = |line: &str| is_set(line.trim_start().trim_start_matches('#'));
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().rposition(|line| is_set(line));
    let at = at.or_else(|| lines.iter().position(|line| is_shown(line)));
    let mut lines: Vec<&str> = lines;
    match at {
        Some(at) => lines[at] = &line,
        None => lines.push(&line),
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_where_it_is_and_all_else_stays() {
        let text = "# Settings\n#A=shown\nB=\n\n  C = \"two words\"\n; D=none\nE='e'\nB=\n";
        assert_eq!(value(text, "A"), None);
        assert_eq!(value(text, "B"), None);
        assert_eq!(value(text, "C").as_deref(), Some("two words"));
        assert_eq!(value(text, "D"), None);
        assert_eq!(value(text, "E").as_deref(), Some("e"));
        assert_eq!(
            set(text, "A", "1"),
            "# Settings\nA=1\nB=\n\n  C = \"two words\"\n; D=none\nE='e'\nB=\n"
        );
        // The last one counts.
        assert_eq!(value(&set(text, "B", "2"), "B").as_deref(), Some("2"));
        assert!(set(text, "F", "3").ends_with("B=\nF=3\n"));
        assert_eq!(set("", "F", "3"), "F=3\n");
    }
}
