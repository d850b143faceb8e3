//! Small bar charts as SVG, rendered on the server. A table beside them shows the same figures, so
//! each chart is a single image for assistive technology.

use leptos::prelude::*;

/// The width of a bar with its gap, in the chart's units.
const STEP: usize = 10;
const BAR: usize = 8;
const HEIGHT: u64 = 60;

/// A bar: its label, its value, and the value in words.
pub struct Bar {
    pub label: String,
    pub value: u64,
    pub words: String,
}

/// Bars side by side, under a heading with their sum.
#[component]
pub fn BarChart(
    heading: &'static str,
    #[prop(into)] sum: String,
    bars: Vec<Bar>,
    /// The dimension of the bars, such as "by day, the last 30 days".
    of: &'static str,
) -> impl IntoView {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or_default();
    let width = bars.len() * STEP;
    let highest = bars.iter().find(|bar| bar.value == most && most > 0);
    let name = match highest {
        Some(bar) => format!("{heading}, {of}: {sum}; most: {}, {}", bar.words, bar.label),
        None => format!("{heading}, {of}: none"),
    };
    let (first, last) = (short(bars.first()), short(bars.last()));
    let rects = bars.into_iter().enumerate().map(|(at, bar)| {
        let height = height(bar.value, most);
        view! {
            <rect x=(at * STEP + 1).to_string() y=(HEIGHT - height).to_string() width=BAR.to_string() height=height.to_string() rx="1.5">
                <title>{format!("{}: {}", bar.label, bar.words)}</title>
            </rect>
        }
    });
    view! {
        <figure class="min-w-0">
            <figcaption class="flex items-baseline justify-between gap-3">
                <span class="text-sm text-muted-foreground">{heading}</span>
                <span class="text-lg font-semibold tracking-tight tabular-nums">{sum}</span>
            </figcaption>
            <svg
                role="img"
                aria-label=name
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
                class="mt-2 h-20 w-full border-b border-border fill-brand"
            >
                {rects.collect_view()}
            </svg>
            <div aria-hidden="true" class="mt-1 flex justify-between text-xs text-muted-foreground">
                <span>{first}</span>
                <span>{last}</span>
            </div>
        </figure>
    }
}

/// The bar's label without its last word, a day's year.
fn short(bar: Option<&Bar>) -> String {
    let label = bar.map_or("", |bar| bar.label.as_str());
    label
        .rsplit_once(' ')
        .map_or(label, |(day, _)| day)
        .to_owned()
}

/// The height of the bar. Anything above zero stays visible.
fn height(value: u64, most: u64) -> u64 {
    match value {
        0 => 0,
        _ => {
            let share = u128::from(value) * u128::from(HEIGHT) / u128::from(most.max(1));
            u64::try_from(share).unwrap_or(HEIGHT).max(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_one_scale_and_the_smallest_is_still_seen() {
        assert_eq!(height(0, 0), 0);
        assert_eq!(height(0, 9), 0);
        assert_eq!(height(9, 9), HEIGHT);
        assert_eq!(height(3, 9), HEIGHT / 3);
        assert_eq!(height(1, 1_000_000), 2);
        assert_eq!(height(u64::MAX, u64::MAX), HEIGHT);
    }
}
