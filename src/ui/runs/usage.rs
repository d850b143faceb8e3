//! The total cost so far, by user.

use leptos::prelude::*;

use super::figures::{cost, tokens};
use crate::protocol::{ApiError, UserUsage};

/// One line for each user whose runs used tokens; empty if there is none, or if the usage can't be
/// fetched.
#[component]
pub fn UsageLine(usage: Resource<Result<Vec<UserUsage>, ApiError>>) -> impl IntoView {
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let mut all = usage.await.unwrap_or_default();
                // The demo uses no tokens.
                all.retain(|user| user.spent.input_tokens + user.spent.output_tokens > 0);
                let line = |user: UserUsage| {
                    let runs = if user.runs == 1 { "run" } else { "runs" };
                    let least = if user.unpriced && user.spent.cost_micros.is_some() && !user.spent.estimated { "at least " } else { "" };
                    let (tokens, cost) = (tokens(user.spent), cost(user.spent));
                    view! { <li>{format!("{}: {} {runs}, {tokens} tokens, {least}{cost}", user.user.0, user.runs)}</li> }
                };
                (!all.is_empty())
                    .then(|| {
                        view! {
                            <ul aria-label="Spent so far" class="mt-1 text-sm text-muted-foreground tabular-nums">
                                {all.into_iter().map(line).collect_view()}
                            </ul>
                        }
                    })
            })}
        </Transition>
    }
}
