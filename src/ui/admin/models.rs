//! `/admin/models`: the providers' keys, the models in the order in which they are asked, their
//! abilities and prices, the outcome of their requests, and a test of each.

use leptos::prelude::*;

use super::frame::{CELL, columns, loaded, loading, page, table};
use crate::{
    api::admin::list_models,
    protocol::{LastError, ModelCalls, ModelOverview, ModelTask, ModelsOverview, ProviderKey},
    ui::{
        components::{Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, CARD},
        runs::figures::{UNKNOWN, cost, tokens},
        time::Moment,
    },
};

const PATH: &str = "/admin/models";
const LEAD: &str = "The models in the order in which they are asked, and how their requests went. AI_PROVIDER, AI_MODEL and AI_FALLBACK choose them.";
const COLUMNS: [&str; 8] = [
    "Model",
    "Used for",
    "Can do",
    "Price",
    "Since the start",
    "Last 30 days",
    "Last error",
    "Actions",
];

#[component]
pub fn ModelsPage() -> impl IntoView {
    page("Models", PATH, LEAD, || {
        let found = Resource::new_blocking(|| (), |()| list_models());
        view! {
            <Transition fallback=loading>
                {move || Suspend::new(async move { loaded(found.await, content) })}
            </Transition>
        }
        .into_any()
    })
}

fn content(overview: ModelsOverview) -> AnyView {
    let rows = overview.models.into_iter().map(row).collect();
    let keys = overview.keys.into_iter().map(key).collect_view();
    view! {
        {table("Models", columns(&COLUMNS), rows)}
        <section aria-labelledby="keys" class=format!("p-4 {CARD}")>
            <h2 id="keys" class="font-medium">"Keys"</h2>
            <p class="mt-1 text-sm text-muted-foreground">"Keys are set by their variables and never shown."</p>
            <ul class="mt-3 grid gap-2 text-sm sm:grid-cols-2">{keys}</ul>
        </section>
    }
    .into_any()
}

fn key(key: ProviderKey) -> AnyView {
    let state = match key.is_set {
        true => view! { <Badge variant=BadgeVariant::Success>"Set"</Badge> }.into_any(),
        false => view! { <Badge variant=BadgeVariant::Outline>"Not set"</Badge> }.into_any(),
    };
    view! {
        <li class="flex items-center justify-between gap-3 rounded-md border border-border px-3 py-2">
            <span>
                {key.provider}
                <code class="block font-mono text-xs text-muted-foreground">{key.variable}</code>
            </span>
            {state}
        </li>
    }
    .into_any()
}

fn row(model: ModelOverview) -> AnyView {
    let place = match model.alternative {
        0 => format!("{} · first", model.provider),
        number => format!("{} · fallback {number}", model.provider),
    };
    let tasks: Vec<&str> = model.tasks.iter().map(|task| task_word(*task)).collect();
    let context = model.context_tokens.map(|tokens| {
        view! { <span class="block text-xs text-muted-foreground">{format!("{}k tokens of context", tokens / 1000)}</span> }
    });
    let can = match model.abilities.is_empty() {
        true => UNKNOWN.to_owned(),
        false => model.abilities.join(", "),
    };
    let price = match model.price {
        Some(price) => format!("${} in · ${} out per million", price.input, price.output),
        None => UNKNOWN.to_owned(),
    };
    let lately = match model.runs {
        0 => UNKNOWN.to_owned(),
        1 => format!(
            "1 run · {} tokens · {}",
            tokens(model.spent),
            cost(model.spent)
        ),
        runs => format!(
            "{runs} runs · {} tokens · {}",
            tokens(model.spent),
            cost(model.spent)
        ),
    };
    let since = calls_words(&model.calls);
    let error = match model.calls.last_error {
        Some(LastError { at, message }) => view! {
            <details class="max-w-64">
                <summary class="cursor-pointer rounded-sm text-xs underline underline-offset-3 focus-ring"><Moment at/></summary>
                <p class="mt-1 text-xs leading-5 wrap-anywhere whitespace-normal">{message}</p>
            </details>
        }
        .into_any(),
        None => "None".into_any(),
    };
    let tested = model.tasks.first().copied().filter(|_| !model.demo);
    let name = model.model;
    let test = tested.map(|task| {
        let of = format!(" {name}");
        view! {
            <form method="post" action="/api/admin/models/test">
                <input type="hidden" name="alternative" value=model.alternative.to_string()/>
                <input type="hidden" name="task" value=task.as_str()/>
                <Button submit=true variant=ButtonVariant::Outline size=ButtonSize::Sm>
                    "Test"<span class="sr-only">{of}</span>
                </Button>
            </form>
        }
    });
    view! {
        <tr>
            <td class=CELL>
                <span class="font-mono text-xs wrap-anywhere">{name}</span>
                <span class="block text-xs whitespace-nowrap text-muted-foreground">{place}</span>
            </td>
            <td class=CELL>{tasks.join(", ")}</td>
            <td class=format!("{CELL} min-w-36")>{can}{context}</td>
            <td class=format!("{CELL} min-w-24 tabular-nums")>{price}</td>
            <td class=format!("{CELL} min-w-32 tabular-nums")>{since}</td>
            <td class=format!("{CELL} min-w-32 tabular-nums")>{lately}</td>
            <td class=CELL>{error}</td>
            <td class=CELL>{test}</td>
        </tr>
    }
    .into_any()
}

fn calls_words(calls: &ModelCalls) -> String {
    if calls.answered + calls.failed == 0 {
        return "Not asked yet".to_owned();
    }
    let mut words = vec![format!("{} answered", calls.answered)];
    if calls.failed > 0 {
        words.push(format!("{} failed", calls.failed));
    }
    if let Some(milliseconds) = calls.median_ms {
        words.push(match milliseconds {
            0..1_000 => format!("{milliseconds} ms each"),
            _ => format!(
                "{}.{} s each",
                milliseconds / 1_000,
                milliseconds % 1_000 / 100
            ),
        });
    }
    words.join(" · ")
}

fn task_word(task: ModelTask) -> &'static str {
    match task {
        ModelTask::Code => "code",
        ModelTask::Naming => "names",
        ModelTask::Vision => "images",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_in_words() {
        assert_eq!(calls_words(&ModelCalls::default()), "Not asked yet");
        let mut calls = ModelCalls {
            answered: 12,
            median_ms: Some(812),
            ..ModelCalls::default()
        };
        assert_eq!(calls_words(&calls), "12 answered · 812 ms each");
        (calls.failed, calls.median_ms) = (1, Some(14_320));
        assert_eq!(calls_words(&calls), "12 answered · 1 failed · 14.3 s each");
    }
}
