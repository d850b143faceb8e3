//! The figures of `/metrics`.

/// Figures by name and labels.
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    /// Parses Prometheus' text format; other lines are ignored.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let figures = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(figures.collect())
    }

    /// The sum of the figures with this name whose labels contain all these parts.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.0.iter().filter_map(|(named, value)| {
            let rest = named.strip_prefix(name)?;
            let is_whole = rest.is_empty() || rest.starts_with('{');
            (is_whole && labels.iter().all(|label| rest.contains(label))).then_some(value)
        });
        of_name.sum()
    }
}
