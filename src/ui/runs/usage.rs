//! What everything has cost so far, by user.

use leptos::prelude::*;

use super::figures::{cost, tokens};
use crate::{api::usage::list_usage, protocol::UserUsage};

/// One line for each user; nothing while there is nothing to tell, or when it can't be told.
#[component]
pub fn UsageLine() -> impl IntoView {
    let usage = Resource::new(|| (), |()| list_usage());
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let all = usage.await.unwrap_or_default();
                let line = |user: UserUsage| {
                    let runs = if user.runs == 1 { "run" } else { "runs" };
                    let told = format!("{}: {} {runs}, {} tokens, {}", user.user.0, user.runs, tokens(user.spent), cost(user.spent));
                    view! { <li>{told}</li> }
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
