//! The usage of the user's runs: in total, by day and by model; and the credits' ledger.

use leptos::prelude::*;

use super::chart::{Bar, BarChart};
use crate::{
    api::{
        account::{get_credits, list_credit_entries},
        usage::{get_usage_report, list_usage},
    },
    protocol::{CreditEntry, CreditReason, Credits, ModelUsage, Spent, UsageReport, UserUsage},
    ui::{
        components::{Alert, CARD, EmptyState, IconName, Skeleton},
        home::SiteHeader,
        page_title::PageTitle,
        runs::figures,
        time::{RelativeTime, day},
        visitor,
    },
};

const LINK: &str = "underline underline-offset-3 focus-ring";
const HEADING: &str = "text-lg font-semibold tracking-tight";

#[component]
pub fn UsagePage() -> impl IntoView {
    let usage = Resource::new_blocking(|| (), |()| list_usage());
    let report = Resource::new_blocking(|| (), |()| get_usage_report());
    let credits = Resource::new_blocking(|| (), |()| get_credits());
    let entries = Resource::new_blocking(|| (), |()| list_credit_entries());
    let own = visitor::expect().account.map(|account| account.id);
    let content = move || {
        let own = own.clone();
        Suspend::new(async move {
            let (usage, report) = (usage.await, report.await);
            match (usage, report) {
                (Ok(mut all), Ok(report)) => {
                    all.retain(|user| own.as_ref().is_none_or(|own| *own == user.user));
                    match all.pop() {
                        Some(usage) => {
                            let charts = charts(&report);
                            view! { {figures_of(usage)} {charts} {models(report.models)} }.into_any()
                        }
                        None => view! {
                            <EmptyState
                                icon=IconName::Sparkles
                                title="Nothing used yet"
                                hint="Once the agent has worked for you, your runs, tokens and costs appear here."
                            />
                        }
                        .into_any(),
                    }
                }
                (Err(error), _) | (_, Err(error)) => {
                    view! { <Alert>{error.message}</Alert> }.into_any()
                }
            }
        })
    };
    let credits = move || {
        Suspend::new(async move {
            match (credits.await, entries.await) {
                (Ok(None), _) => ().into_any(),
                (Ok(Some(credits)), Ok(entries)) => credits_of(credits, entries),
                (Err(error), _) | (_, Err(error)) => {
                    view! { <Alert>{error.message}</Alert> }.into_any()
                }
            }
        })
    };
    view! {
        <PageTitle text="Usage"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-3xl flex-col gap-6 px-5 pt-6 pb-24">
            <h1 class="text-2xl font-semibold tracking-tight">"Usage"</h1>
            <Transition fallback=|| view! { <Skeleton class="h-24 w-full"/> }>{content}</Transition>
            <Transition fallback=|| view! { <Skeleton class="h-24 w-full"/> }>{credits}</Transition>
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

/// Runs, tokens and cost by day, as charts and as a table.
fn charts(report: &UsageReport) -> AnyView {
    const OF: &str = "by day, the last 30 days";
    let mut all = Spent::default();
    for used in &report.days {
        all.add(used.spent);
    }
    let runs: u64 = report.days.iter().map(|used| used.runs).sum();
    let bars = |value: fn(u64, Spent) -> u64, words: fn(u64, Spent) -> String| {
        let bars = report.days.iter().map(|used| Bar {
            label: day(used.day),
            value: value(used.runs, used.spent),
            words: words(used.runs, used.spent),
        });
        bars.collect::<Vec<_>>()
    };
    let rows = report.days.iter().rev().filter(|used| used.runs > 0);
    let rows = rows.map(|used| row(day(used.day), used.runs, used.spent));
    view! {
        <section aria-labelledby="by-day" class=format!("flex flex-col gap-5 p-5 {CARD}")>
            <h2 id="by-day" class=HEADING>"The last 30 days"</h2>
            <div class="grid gap-6 sm:grid-cols-3">
                <BarChart heading="Runs" sum=runs.to_string() of=OF bars=bars(|runs, _| runs, |runs, _| counted(runs, "run"))/>
                <BarChart heading="Tokens" sum=figures::tokens(all) of=OF bars=bars(|_, spent| tokens(spent), |_, spent| figures::tokens(spent))/>
                <BarChart
                    heading="Cost"
                    sum=figures::cost(all)
                    of=OF
                    bars=bars(|_, spent| spent.cost_micros.unwrap_or_default(), |_, spent| figures::cost(spent))
                />
            </div>
            <details>
                <summary class="w-fit cursor-pointer rounded-sm text-sm text-muted-foreground focus-ring">"As a table"</summary>
                <div class="mt-3 overflow-x-auto">{table("Day", rows.collect_view().into_any())}</div>
            </details>
        </section>
    }
    .into_any()
}

fn models(models: Vec<ModelUsage>) -> AnyView {
    if models.is_empty() {
        return ().into_any();
    }
    let rows = models.into_iter().map(|used| {
        let name = used.model.unwrap_or_else(|| "Other work".to_owned());
        row(name, used.runs, used.spent)
    });
    view! {
        <section aria-labelledby="by-model" class=format!("flex flex-col gap-3 p-5 {CARD}")>
            <h2 id="by-model" class=HEADING>"By model"</h2>
            <div class="overflow-x-auto">{table("Model", rows.collect_view().into_any())}</div>
        </section>
    }
    .into_any()
}

fn table(of: &'static str, rows: AnyView) -> AnyView {
    view! {
        <table class="w-full text-sm tabular-nums">
            <thead class="text-muted-foreground">
                <tr>
                    <th scope="col" class="py-1 pr-4 text-left font-medium">{of}</th>
                    <th scope="col" class="py-1 pr-4 text-right font-medium">"Runs"</th>
                    <th scope="col" class="py-1 pr-4 text-right font-medium">"Tokens"</th>
                    <th scope="col" class="py-1 text-right font-medium">"Cost"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(of: String, runs: u64, spent: Spent) -> AnyView {
    view! {
        <tr class="border-t border-border">
            <th scope="row" class="py-1.5 pr-4 text-left font-normal">{of}</th>
            <td class="py-1.5 pr-4 text-right">{runs.to_string()}</td>
            <td class="py-1.5 pr-4 text-right">{figures::tokens(spent)}</td>
            <td class="py-1.5 text-right">{figures::cost(spent)}</td>
        </tr>
    }
    .into_any()
}

/// The balance, the time of the next refill, and the ledger's latest entries.
fn credits_of(credits: Credits, entries: Vec<CreditEntry>) -> AnyView {
    let rows = entries.into_iter().map(|entry| {
        let sign = if entry.amount > 0 { "+" } else { "−" };
        view! {
            <tr class="border-t border-border">
                <td class="py-1.5 pr-4"><RelativeTime at=entry.at/></td>
                <td class="py-1.5 pr-4">{reason(entry.reason)}</td>
                <td class="py-1.5 text-right tabular-nums">{sign}{entry.amount.unsigned_abs().to_string()}</td>
            </tr>
        }
    });
    let rows: Vec<_> = rows.collect();
    let ledger = (!rows.is_empty()).then(|| {
        view! {
            <div class="overflow-x-auto">
                <table class="w-full text-sm">
                    <caption class="sr-only">"The last changes of your credits"</caption>
                    <thead class="text-muted-foreground">
                        <tr>
                            <th scope="col" class="py-1 pr-4 text-left font-medium">"When"</th>
                            <th scope="col" class="py-1 pr-4 text-left font-medium">"What"</th>
                            <th scope="col" class="py-1 text-right font-medium">"Credits"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
    });
    view! {
        <section aria-labelledby="credits" class=format!("flex flex-col gap-3 p-5 {CARD}")>
            <h2 id="credits" class=HEADING>{format!("{} left", counted(credits.left.unsigned_abs(), "credit"))}</h2>
            <p class="text-sm leading-6 text-muted-foreground">
                {format!("A run costs {}. The next refill is on {}. ", credits.cost, day(credits.next_refill))}
                <a href="/pricing" class=LINK>"See the plans"</a>
            </p>
            {ledger}
        </section>
    }
    .into_any()
}

fn reason(reason: CreditReason) -> &'static str {
    match reason {
        CreditReason::Refill => "Refill",
        CreditReason::Plan => "Plan changed",
        CreditReason::Run => "Run",
        CreditReason::Refund => "Run returned",
    }
}

fn tokens(spent: Spent) -> u64 {
    spent.input_tokens + spent.output_tokens
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
