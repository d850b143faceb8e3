//! The plans' allowances, the visitor's own plan, and how to get another one. It is plain HTML,
//! because everything here is a link, some of them to Stripe.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    api::account::get_pricing,
    protocol::{CreditRules, Plan, Pricing},
    ui::{
        components::{
            Alert, Badge, BadgeVariant, ButtonSize, ButtonVariant, CARD, Skeleton, button_class,
        },
        home::SiteHeader,
        page_title::PageTitle,
        visitor,
    },
};

#[component]
pub fn PricingPage() -> impl IntoView {
    let pricing = Resource::new_blocking(|| (), |()| get_pricing());
    let query = use_query_map();
    let has = move |name| query.with_untracked(|query| query.get(name).is_some());
    let (bought, unreachable) = (has("bought"), has("unreachable"));
    let content = move || {
        Suspend::new(async move {
            match pricing.await {
                Ok(pricing) => plans(pricing),
                Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
            }
        })
    };
    view! {
        <PageTitle text="Pricing"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-3xl flex-col gap-6 px-5 pt-6 pb-24">
            <h1 class="text-2xl font-semibold tracking-tight">"Pricing"</h1>
            {unreachable.then(|| view! { <Alert>"Stripe can't be reached right now, and nothing was changed. Try again in a moment."</Alert> })}
            {bought
                .then(|| {
                    view! {
                        <p role="status" class=format!("px-4 py-3 text-sm leading-6 {CARD}")>
                            "Thank you. Your plan changes as soon as Stripe confirms the payment, usually within seconds: reload this page then."
                        </p>
                    }
                })}
            <Transition fallback=|| view! { <Skeleton class="h-64 w-full"/> }>{content}</Transition>
        </main>
    }
}

fn plans(pricing: Pricing) -> AnyView {
    let Some(rules) = pricing.rules else {
        return view! {
            <div class=format!("p-6 {CARD}")>
                <h2 class="font-semibold">"Free"</h2>
                <p class="mt-1 text-sm leading-6 text-muted-foreground">"Runs cost no credits here: build as much as you like."</p>
            </div>
        }
        .into_any();
    };
    let cost = match rules.cost {
        0 => "A run costs nothing.".to_owned(),
        1 => "A run costs one credit.".to_owned(),
        cost => format!("A run costs {cost} credits."),
    };
    let current = pricing.current;
    let (free, pro) = (free_way(&pricing), pro_way(&pricing));
    let pro_price = match &pricing.price {
        Some(price) => format!("{price} a month"),
        None => "For those who build a lot".to_owned(),
    };
    view! {
        <p class="text-sm leading-6 text-pretty text-muted-foreground">
            {cost} " It comes back when the run fails, or is stopped before its first answer."
        </p>
        <div class="grid gap-4 sm:grid-cols-2">
            <PlanCard name="Free" plan=Plan::Free points=rules.free rules price="Free of charge" current>
                {free}
            </PlanCard>
            <PlanCard name="Pro" plan=Plan::Pro points=rules.pro rules price=pro_price current>
                {pro}
            </PlanCard>
        </div>
    }
    .into_any()
}

#[component]
fn PlanCard(
    name: &'static str,
    plan: Plan,
    points: i64,
    rules: CreditRules,
    #[prop(into)] price: String,
    current: Option<Plan>,
    /// The available actions.
    children: Children,
) -> impl IntoView {
    let heading = format!("plan-{}", plan.as_str());
    let label = heading.clone();
    let is_current = current == Some(plan);
    view! {
        <section aria-labelledby=label class=format!("flex flex-col gap-3 p-6 {CARD}")>
            <div class="flex items-center gap-2">
                <h2 id=heading class="text-lg font-semibold tracking-tight">{name}</h2>
                {is_current.then(|| view! { <Badge variant=BadgeVariant::Success>"Current plan"</Badge> })}
            </div>
            <p class="text-sm text-muted-foreground">{price}</p>
            <p class="text-2xl font-semibold tracking-tight tabular-nums">
                {format!("{points} {}", if points == 1 { "credit" } else { "credits" })}
            </p>
            <p class="text-sm text-muted-foreground">{format!("filled up again every {} days", rules.days)}</p>
            <div class="mt-auto pt-2 text-sm leading-6 text-muted-foreground">{children()}</div>
        </section>
    }
}

/// The actions for the free plan.
fn free_way(pricing: &Pricing) -> AnyView {
    match pricing.current {
        Some(Plan::Free) => "You have this plan.".into_any(),
        Some(Plan::Pro) => ().into_any(),
        None if visitor::expect().accounts => view! {
            <a href="/sign-up" rel="external" class=button_class(ButtonVariant::Outline, ButtonSize::Default)>"Sign up"</a>
        }
        .into_any(),
        None => ().into_any(),
    }
}

/// How to get the larger plan.
fn pro_way(pricing: &Pricing) -> AnyView {
    // Plain links: they lead to Stripe.
    let link = |to: &'static str, label: &'static str| {
        view! { <a href=to rel="external" class=button_class(ButtonVariant::Default, ButtonSize::Default)>{label}</a> }
            .into_any()
    };
    match (pricing.current, &pricing.price) {
        (Some(Plan::Pro), Some(_)) if pricing.subscribed => {
            link("/api/billing/portal", "Manage the subscription")
        }
        (Some(Plan::Pro), _) => "You have this plan.".into_any(),
        (Some(Plan::Free), Some(_)) => link("/api/billing/checkout", "Upgrade to Pro"),
        (None, Some(_)) => "Sign up or sign in to buy it.".into_any(),
        (_, None) => "Ask the administrator of this CodeFlow for the plan Pro.".into_any(),
    }
}
