//! API tokens, with which programs order builds for the account. Creating one needs scripts: it is
//! shown only once, and never sent with a page.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::{
    super::form::{Field, Form, Refusal, Submit, value},
    section::Section,
};
use crate::{
    api::account::{create_api_token, list_api_tokens, revoke_api_token},
    protocol::{ApiToken, ApiTokenId},
    ui::{
        browser,
        components::{
            Alert, Button, ButtonSize, ButtonVariant, ConfirmDialog, INPUT, Icon, IconName, SELECT,
            Skeleton, Toast, Toaster,
        },
        erased::part,
        time::{Moment, RelativeTime},
    },
};

/// The lifetimes of a token: days, and their label.
const LIFETIMES: [(&str, &str); 4] = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("", "No end"),
];

#[component]
pub fn TokensSection() -> impl IntoView {
    let tokens = Resource::new_blocking(|| (), |()| list_api_tokens());
    // The new token, while it is shown.
    let made = RwSignal::new(None::<String>);
    let form = Form::new(None);
    let revoke = Callback::new(move |token: ApiTokenId| {
        form.send(revoke_api_token(token), move |()| tokens.refetch());
    });
    let done = Callback::new(move |token: String| {
        made.set(Some(token));
        tokens.refetch();
    });
    view! {
        <Section
            id="tokens"
            heading="API tokens"
            lead="With a token, a program or your editor's agent can start builds on your behalf, over MCP or HTTP. Anyone who has it can do so until you revoke it; a new password does not."
        >
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-9 w-full"/> }>
                {move || Suspend::new(async move {
                    match tokens.await {
                        Ok(all) if all.is_empty() => view! {
                            <p class="text-sm leading-6 text-muted-foreground">"There are no tokens yet."</p>
                        }
                        .into_any(),
                        Ok(all) => view! {
                            <ul aria-label="API tokens" class="flex flex-col divide-y divide-border">
                                {all.into_iter().map(|token| view! { <Token token revoke/> }).collect_view()}
                            </ul>
                        }
                        .into_any(),
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
            {part(move || match made.get() {
                Some(token) => view! { <Made token made/> }.into_any(),
                None => view! { <Create done/> }.into_any(),
            })}
        </Section>
    }
}

#[component]
fn Token(token: ApiToken, revoke: Callback<ApiTokenId>) -> impl IntoView {
    let (id, open) = (token.id, RwSignal::new(false));
    let used = match token.used_at {
        Some(at) => view! { ", used "<RelativeTime at/> }.into_any(),
        None => ", never used".into_any(),
    };
    let end = match token.expires_at {
        None => ", no end".into_any(),
        Some(at) if token.expired => view! { ", expired on "<Moment at/> }.into_any(),
        Some(at) => view! { ", until "<Moment at/> }.into_any(),
    };
    view! {
        <li class="flex items-center gap-3 py-3 first:pt-0 last:pb-0">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm" title=token.name.clone()>{token.name.clone()}</p>
                <p class="text-xs leading-5 wrap-anywhere text-muted-foreground">
                    <code class="font-mono">{token.prefix}"…"</code>
                    ", made "<RelativeTime at=token.created_at/>{used}{end}
                </p>
            </div>
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-label=format!("Revoke {}", token.name)
                on:click=move |_| open.set(true)
            >
                "Revoke"
            </Button>
            <ConfirmDialog
                open
                title=format!("Revoke “{}”?", token.name)
                description="Programs that use this token are refused at once. This can't be undone."
                action="Revoke token"
                on_confirm=Callback::new(move |()| revoke.run(id))
            />
        </li>
    }
}

#[component]
fn Create(done: Callback<String>) -> impl IntoView {
    let form = Form::new(None);
    let (name, days) = (
        NodeRef::<html::Input>::new(),
        NodeRef::<html::Select>::new(),
    );
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let days = days.get_untracked().map(|days| days.value());
        let days = days.and_then(|days| days.parse().ok());
        form.send(create_api_token(value(name), days), move |made| {
            done.run(made.token);
        });
    };
    let lifetimes = LIFETIMES
        .map(|(days, words)| view! { <option value=days selected={days == "90"}>{words}</option> });
    view! {
        <form class="flex flex-col items-start gap-4" on:submit=submit>
            <Refusal form/>
            <div class="flex w-full max-w-sm flex-col gap-4">
                <Field form of="token-" label="Token name" name="name" autocomplete="off" hint="Such as the program that will use it." node_ref=name/>
                <div class="flex flex-col gap-1.5">
                    <label for="field-token-days" class="text-sm font-medium">"Good for"</label>
                    <div class="relative">
                        <select node_ref=days id="field-token-days" name="days" class=SELECT>{lifetimes}</select>
                        <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted-foreground">
                            <Icon name=IconName::ChevronRight class="size-4 rotate-90"/>
                        </span>
                    </div>
                </div>
            </div>
            <Submit form label="Create token"/>
        </form>
    }
}

/// The token, shown once.
#[component]
fn Made(token: String, made: RwSignal<Option<String>>) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(field) = field.get() {
            let _ = field.focus();
            field.select();
        }
    });
    let (text, toaster) = (token.clone(), Toaster::expect());
    let copy = move |_| {
        if browser::copy(&text) {
            toaster.show(Toast::new("Copied."));
        }
    };
    view! {
        <p role="status" class="text-sm leading-6 text-pretty">
            "Copy the token to where it is used. It is not shown again."
        </p>
        <input
            node_ref=field
            aria-label="New token"
            readonly
            value=token
            spellcheck="false"
            class=format!("{INPUT} font-mono")
        />
        <div class="flex gap-2">
            <Button on:click=copy>"Copy"</Button>
            <Button variant=ButtonVariant::Outline on:click=move |_| made.set(None)>"Done"</Button>
        </div>
    }
}
