//! A run's steps on a time axis: each row has a bar for its time, and opens to its output and
//! errors.

use leptos::prelude::*;

use super::figures::{UNKNOWN, cost, tokens, tokens_in_and_out};
use crate::{
    protocol::{RunDetails, StepState, StepSummary, Timestamp},
    ui::{
        components::{Badge, BadgeVariant, CARD, Icon, IconName, Spinner},
        erased::{part, part_when, rows, words},
        time::{ServerClock, short_duration},
    },
};

/// The run's time, from its first step to its end, or until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn of(details: &RunDetails, now: impl FnOnce() -> Timestamp) -> Self {
        let run = &details.summary;
        let from = run.started_at.unwrap_or(run.run.created_at);
        let to = run.run.finished_at.unwrap_or_else(now);
        Self {
            from,
            to: to.max(Timestamp(from.0 + 1)),
        }
    }

    /// A moment's position, in ten-thousandths of the axis.
    fn at(self, moment: Timestamp) -> i64 {
        let part = (moment.0 - self.from.0).saturating_mul(FULL_WIDTH) / (self.to.0 - self.from.0);
        part.clamp(0, FULL_WIDTH)
    }

    /// The bar's distance from the start, and its width.
    fn bar(self, from: Timestamp, to: Timestamp) -> (String, String) {
        // A short step stays visible, even at the very end.
        let left = self.at(from).min(FULL_WIDTH - MIN_WIDTH);
        let width = (self.at(to) - left).max(MIN_WIDTH);
        (percent(left), percent(width))
    }
}

const FULL_WIDTH: i64 = 10_000;
const MIN_WIDTH: i64 = 60;

/// Integers only: formatting floats would add some kilobytes of code.
fn percent(part: i64) -> String {
    format!("{}.{:02}%", part / 100, part % 100)
}

#[component]
pub fn Timeline(details: RwSignal<RunDetails>, clock: ServerClock) -> impl IntoView {
    // Only an unfinished run follows the clock.
    let axis = Memo::new(move |_| details.with(|details| Axis::of(details, || clock.now())));
    let names = move || {
        details.with(|details| details.steps.iter().map(|step| step.name.clone()).collect())
    };
    let none = Memo::new(move |_| details.with(|details| details.steps.is_empty()));
    let row = move |name: String| {
        let step = Memo::new(move |_| {
            details.with(|details| details.steps.iter().find(|step| step.name == name).cloned())
        });
        view! { <StepRow step axis/> }.into_any()
    };
    let middle = move || {
        let axis = axis.get();
        short_duration(axis.from, Timestamp(i64::midpoint(axis.from.0, axis.to.0)))
    };
    let end = move || {
        let axis = axis.get();
        short_duration(axis.from, axis.to)
    };
    view! {
        <section aria-labelledby="steps" class="mt-8">
            <h2 id="steps" class="text-sm font-semibold">"Steps"</h2>
            {part_when(move || none.get(), move || view! {
                <p class="mt-3 rounded-xl border border-dashed border-border px-6 py-10 text-center text-sm text-muted-foreground">
                    {words(move || {
                        let ended = details.with(|details| details.summary.run.state.is_final());
                        if ended { "This run ended before its first step." } else { "The first step hasn't started yet." }.to_owned()
                    })}
                </p>
            }
            .into_any())}
            {part_when(move || !none.get(), move || view! {
                <div class=format!("mt-3 overflow-hidden {CARD}")>
                    <div aria-hidden="true" class=format!("border-b border-border py-2 text-xs text-muted-foreground max-md:hidden {COLUMNS}")>
                        <span></span>
                        <span>"Step"</span>
                        <span class="grid grid-cols-3 tabular-nums">
                            <span>"0 s"</span>
                            <span class="text-center">{words(middle)}</span>
                            <span class="text-right">{words(end)}</span>
                        </span>
                        <span class="text-right">"Duration"</span>
                        <span class="text-right">"Tokens"</span>
                    </div>
                    <ol class="divide-y divide-border">{rows(names, row)}</ol>
                </div>
            }
            .into_any())}
        </section>
    }
}

/// The columns of the heading and of every row: chevron, name, axis, duration, tokens.
const COLUMNS: &str = "grid items-center gap-x-4 px-4 grid-cols-[1rem_minmax(0,1fr)_auto] \
                       md:grid-cols-[1rem_minmax(0,17rem)_minmax(0,1fr)_4.5rem_4rem]";

/// A step never disappears, so its element stays, open or closed, while its texts change.
#[component]
fn StepRow(step: Memo<Option<StepSummary>>, axis: Memo<Axis>) -> impl IntoView {
    let state = Memo::new(move |_| {
        step.with(|step| step.as_ref().map_or(StepState::Running, |step| step.state))
    });
    let text = move |of: fn(&StepSummary) -> String| {
        step.with(|step| step.as_ref().map(of).unwrap_or_default())
    };
    let name = untrack(|| text(|step| step.name.clone()));
    let title = name.clone();
    let until = move |step: &StepSummary| match (step.finished_at, step.state) {
        (Some(at), _) => at,
        // An interrupted step lasted until the run's end.
        (None, _) => axis.get().to,
    };
    let bar = move || {
        step.with(|step| {
            step.as_ref()
                .map(|step| axis.get().bar(step.started_at, until(step)))
        })
    };
    let duration = move || {
        step.with(|step| {
            step.as_ref()
                .map(|step| short_duration(step.started_at, until(step)))
                .unwrap_or_default()
        })
    };
    let attempts =
        Memo::new(move |_| step.with(|step| step.as_ref().map_or(1, |step| step.attempt)));
    let colour = move || match state.get() {
        StepState::Succeeded => "fill-brand/70",
        StepState::Running => "fill-brand pulse-dot",
        StepState::Failed => "fill-destructive",
        StepState::Interrupted => "fill-muted-foreground/60",
    };
    let failed = state.get_untracked() == StepState::Failed;
    view! {
        <li data-step-state=move || state_name(state.get())>
            <details class="group/step" open=failed>
                <summary class=format!("min-h-10 cursor-pointer list-none py-2 text-sm hover:bg-accent/50 focus-ring-inset [&::-webkit-details-marker]:hidden {COLUMNS}")>
                    <span class="text-muted-foreground transition-transform group-open/step:rotate-90 motion-reduce:transition-none">
                        <Icon name=IconName::ChevronRight/>
                    </span>
                    <span class="flex min-w-0 items-center gap-2">
                        <StepMark state/>
                        <span class="min-w-0 truncate font-mono text-[0.8125rem]" title=title>{name}</span>
                        {part(move || match attempts.get() {
                            ..=1 => ().into_any(),
                            count => view! { <Badge variant=BadgeVariant::Outline>{format!("{count} attempts")}</Badge> }.into_any(),
                        })}
                    </span>
                    <svg aria-hidden="true" class="h-2 w-full rounded-full bg-muted max-md:order-last max-md:col-span-2 max-md:col-start-2 max-md:mt-2">
                        <rect class=colour x=move || bar().map(|bar| bar.0) width=move || bar().map(|bar| bar.1) height="100%" rx="4"></rect>
                    </svg>
                    <span class="text-right text-xs tabular-nums">{words(duration)}</span>
                    <span class="text-right text-xs text-muted-foreground tabular-nums max-md:hidden">
                        {words(move || text(|step| tokens(step.spent)))}
                    </span>
                </summary>
                <div class="flex flex-col gap-3 border-t border-border bg-muted/40 px-4 py-3 md:pl-12">
                    {part(move || match text(spent_line) {
                        line if line.is_empty() => ().into_any(),
                        line => view! { <p class="text-xs text-muted-foreground">{line}</p> }.into_any(),
                    })}
                    <Texts step/>
                </div>
            </details>
        </li>
    }
}

/// The cost of the step, if it is an answer of the model.
fn spent_line(step: &StepSummary) -> String {
    match tokens_in_and_out(step.spent) {
        none if none == UNKNOWN => String::new(),
        tokens => format!("Tokens: {tokens}. Cost: {}.", cost(step.spent)),
    }
}

/// The error and the output, if there are any.
#[component]
fn Texts(step: Memo<Option<StepSummary>>) -> impl IntoView {
    let state = Memo::new(move |_| step.with(|step| step.as_ref().map(|step| step.state)));
    let error =
        Memo::new(move |_| step.with(|step| step.as_ref().and_then(|step| step.error.clone())));
    let output =
        Memo::new(move |_| step.with(|step| step.as_ref().and_then(|step| step.output.clone())));
    let heading = move || {
        let failed = state.get() == Some(StepState::Failed);
        if failed {
            "Error"
        } else {
            "Error from an earlier attempt"
        }
        .to_owned()
    };
    let silence = move || {
        match state.get() {
            Some(StepState::Running) => "No output yet.",
            Some(StepState::Interrupted) => "The run ended in the middle of this step.",
            _ => "No output.",
        }
        .to_owned()
    };
    view! {
        {part(move || match error.get() {
            Some(error) => view! {
                <div>
                    <p class="flex items-center gap-1.5 text-xs font-medium text-destructive">
                        <Icon name=IconName::CircleAlert class="size-3.5"/>
                        {words(heading)}
                    </p>
                    <pre tabindex="0" dir="auto" class=format!("text-destructive {TEXT}")>{error}</pre>
                </div>
            }
            .into_any(),
            None => ().into_any(),
        })}
        {part(move || match output.get() {
            Some(output) => view! {
                <div>
                    <p class="text-xs font-medium">"Output"</p>
                    <pre tabindex="0" dir="auto" class=TEXT>{output}</pre>
                </div>
            }
            .into_any(),
            None => view! { <p class="text-xs text-muted-foreground">{words(silence)}</p> }.into_any(),
        })}
    }
}

/// Preformatted text that wraps where it must.
const TEXT: &str = "mt-1 max-h-96 overflow-auto rounded font-mono text-xs leading-5 whitespace-pre-wrap wrap-anywhere focus-ring";

fn state_name(state: StepState) -> &'static str {
    match state {
        StepState::Running => "running",
        StepState::Succeeded => "succeeded",
        StepState::Failed => "failed",
        StepState::Interrupted => "interrupted",
    }
}

/// The step's state as an icon, with a word for screen readers.
#[component]
fn StepMark(state: Memo<StepState>) -> impl IntoView {
    part(move || {
        let state = state.get();
        let mark = match state {
            StepState::Running => {
                view! { <span class="inline-flex text-brand"><Spinner class="size-3.5"/></span> }
                    .into_any()
            }
            StepState::Succeeded => {
                view! { <Icon name=IconName::Check class="size-3.5 text-success"/> }.into_any()
            }
            StepState::Failed => {
                view! { <Icon name=IconName::CircleAlert class="size-3.5 text-destructive"/> }
                    .into_any()
            }
            StepState::Interrupted => {
                view! { <Icon name=IconName::Square class="size-3.5 text-muted-foreground"/> }
                    .into_any()
            }
        };
        view! { {mark} <span class="sr-only">{state_name(state)}</span> }.into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_spans_the_time_of_its_step_and_is_never_too_short_to_see() {
        let axis = Axis {
            from: Timestamp(1_000),
            to: Timestamp(5_000),
        };
        let bar = |from, to| {
            let (left, width) = axis.bar(Timestamp(from), Timestamp(to));
            format!("{left} {width}")
        };
        assert_eq!(bar(2_000, 3_002), "25.00% 25.05%");
        assert_eq!(bar(1_000, 1_001), "0.00% 0.60%");
        assert_eq!(bar(5_000, 5_000), "99.40% 0.60%");
        assert_eq!(bar(0, 9_000), "0.00% 100.00%");
    }
}
