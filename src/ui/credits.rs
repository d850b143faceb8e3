//! The visitor's balance: in the header, and beside the send button. The server sends it with the
//! page; it is fetched again when a run begins or ends, which costs or refunds credits.

use leptos::{prelude::*, task::spawn_local};

use super::{
    components::{ButtonSize, ButtonVariant, button_class},
    erased::part,
    time::day,
};
use crate::{api::account::get_credits, protocol::Credits};

/// `None` where runs cost nothing.
#[derive(Debug, Clone, Copy)]
struct Left(RwSignal<Option<Credits>>);

/// Made once, by the app.
pub fn provide(credits: Option<Credits>) {
    provide_context(Left(RwSignal::new(credits)));
}

/// Fetches the balance.
pub fn count() {
    let Left(left) = expect_context();
    if left.with_untracked(Option::is_none) {
        return;
    }
    spawn_local(async move {
        if let Ok(credits) = get_credits().await {
            left.try_set(credits);
        }
    });
}

/// In the header: the balance, with a link to the ledger.
#[component]
pub fn CreditsBadge() -> impl IntoView {
    let Left(left) = expect_context();
    part(move || match left.get() {
        None => ().into_any(),
        Some(Credits {
            left, next_refill, ..
        }) => {
            let words = if left == 1 { " credit" } else { " credits" };
            view! {
                <a
                    href="/usage"
                    data-credits=left.to_string()
                    title=format!("The next refill is on {}", day(next_refill))
                    class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)
                >
                    <span>
                        <span class="tabular-nums">{left.to_string()}</span>
                        <span class="max-sm:sr-only">{words}</span>
                    </span>
                </a>
            }
            .into_any()
        }
    })
}

/// Beside the send button: the price of a message, and the time of the next refill. `own_key`:
/// whether it is answered with the visitor's own key.
#[component]
pub fn CreditsNote(#[prop(into)] own_key: Signal<bool>) -> impl IntoView {
    let Left(left) = expect_context();
    part(move || match left.get() {
        Some(credits) if credits.cost > 0 && own_key.get() => view! {
            <p class="px-2 text-xs text-muted-foreground">"Your own key: no credits."</p>
        }
        .into_any(),
        Some(credits) if credits.cost > 0 => {
            let Credits {
                left,
                cost,
                next_refill,
            } = credits;
            let day = day(next_refill);
            let words = match left < cost {
                true => format!("Out of credits until the next refill on {day}."),
                false => format!("Costs {cost} of your {left} credits. Next refill: {day}."),
            };
            view! {
                <p class="px-2 text-xs text-muted-foreground">
                    {words} " "
                    <a href="/pricing" class="underline underline-offset-2 hover:text-foreground focus-ring">"Plans"</a>
                </p>
            }
            .into_any()
        }
        _ => ().into_any(),
    })
}
