//! What one's runs have used so far.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    api::usage::list_usage,
    protocol::UserUsage,
    ui::{
        components::{Alert, CARD, EmptyState, IconName, Skeleton},
        home::SiteHeader,
        runs::figures,
        visitor,
    },
};

#[component]
pub fn UsagePage() -> impl IntoView {
    let usage = Resource::new_blocking(|| (), |()| list_usage());
    let own = visitor::expect().account.map(|account| account.id);
    let content = move || {
        let own = own.clone();
        Suspend::new(async move {
            match usage.await {
                Ok(mut all) => {
                    all.retain(|user| own.as_ref().is_none_or(|own| *own == user.user));
                    match all.pop() {
                        Some(usage) => figures_of(usage),
                        None => view! {
                            <EmptyState
                                icon=IconName::Sparkles
                                title="Nothing used yet"
                                hint="When the agent has worked for you, its runs, tokens and cost are here."
                            />
                        }
                        .into_any(),
                    }
                }
                Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
            }
        })
    };
    view! {
        <Title text="Usage"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-2xl flex-col gap-6 px-5 pt-6 pb-24">
            <h1 class="text-2xl font-semibold tracking-tight">"Usage"</h1>
            <Transition fallback=|| view! { <Skeleton class="h-24 w-full"/> }>{content}</Transition>
        </main>
    }
}

fn figures_of(usage: UserUsage) -> AnyView {
    let all = [
        ("Runs", usage.runs.to_string()),
        ("Tokens", figures::tokens(usage.spent)),
        ("Cost", figures::cost(usage.spent)),
    ];
    let figure = |(name, value): (&'static str, String)| {
        view! {
            <div class=format!("p-5 {CARD}")>
                <dt class="text-sm text-muted-foreground">{name}</dt>
                <dd class="mt-1 text-2xl font-semibold tracking-tight tabular-nums">{value}</dd>
            </div>
        }
    };
    view! { <dl class="grid gap-4 sm:grid-cols-3">{all.map(figure)}</dl> }.into_any()
}
