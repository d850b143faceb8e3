//! The user's own keys for model providers. Adding one needs scripts; none is ever shown again.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::{
    super::form::{Field, Form, Refusal, Submit, value},
    section::Section,
};
use crate::{
    api::account::{list_model_keys, remove_model_key, set_model_key, test_model_key},
    protocol::{ModelKey, ModelProvider},
    ui::{
        components::{Alert, Button, ButtonSize, ButtonVariant, ConfirmDialog, Skeleton},
        erased::{part, words},
        time::RelativeTime,
    },
};

#[component]
pub fn KeysSection() -> impl IntoView {
    let keys = Resource::new_blocking(|| (), |()| list_model_keys());
    let form = Form::new(None);
    let changed = Callback::new(move |()| keys.refetch());
    let remove = Callback::new(move |provider: ModelProvider| {
        form.send(remove_model_key(provider), move |()| keys.refetch());
    });
    view! {
        <Section
            id="keys"
            heading="Model keys"
            lead="With your own key you can choose its provider's models. Messages to them cost no credits here; the provider bills you. Keys are stored encrypted and not shown again."
        >
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-9 w-full"/> }>
                {move || Suspend::new(async move {
                    match keys.await {
                        Ok(all) => {
                            let rows = ModelProvider::ALL.into_iter().map(|provider| {
                                let key = all.iter().find(|key| key.provider == provider).cloned();
                                view! { <Key provider key changed remove/> }
                            });
                            view! {
                                <ul aria-label="Model keys" class="flex flex-col divide-y divide-border">
                                    {rows.collect_view()}
                                </ul>
                            }
                            .into_any()
                        }
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
        </Section>
    }
}

/// A provider, with the user's key if there is one.
#[component]
fn Key(
    provider: ModelProvider,
    key: Option<ModelKey>,
    changed: Callback<()>,
    remove: Callback<ModelProvider>,
) -> impl IntoView {
    let (entering, asking) = (RwSignal::new(false), RwSignal::new(false));
    let label = provider.label();
    let (verb, has_key) = match &key {
        Some(_) => ("Replace", true),
        None => ("Add", false),
    };
    let state = match key {
        Some(key) => view! {
            <code class="font-mono">"…"{key.ending}</code>
            ", added "<RelativeTime at=key.added_at/>
        }
        .into_any(),
        None => "No key".into_any(),
    };
    let (testing, said) = (Form::new(None), RwSignal::new(String::new()));
    let test = move |_| {
        said.set(String::new());
        testing.send(test_model_key(provider), move |words| said.set(words));
    };
    let removal = has_key.then(|| {
        view! {
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                disabled=testing.is_busy()
                attr:aria-label=format!("Test {label} key")
                on:click=test
            >
                "Test"
            </Button>
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-label=format!("Remove {label} key")
                on:click=move |_| asking.set(true)
            >
                "Remove"
            </Button>
            <ConfirmDialog
                open=asking
                title=format!("Remove your {label} key?")
                description="It is deleted here, not at the provider. Messages waiting for an answer with it will fail."
                action="Remove key"
                on_confirm=Callback::new(move |()| remove.run(provider))
            />
        }
    });
    view! {
        <li class="flex flex-col gap-4 py-3 first:pt-0 last:pb-0">
            <div class="flex items-center gap-3">
                <div class="min-w-0 flex-1">
                    <p class="text-sm">{label}</p>
                    <p class="text-xs leading-5 wrap-anywhere text-muted-foreground">{state}</p>
                </div>
                <Button
                    variant=ButtonVariant::Outline
                    size=ButtonSize::Sm
                    attr:aria-label=format!("{verb} {label} key")
                    attr:aria-expanded=move || entering.get().to_string()
                    on:click=move |_| entering.update(|open| *open = !*open)
                >
                    {verb}
                </Button>
                {removal}
            </div>
            <p role="status" class="text-xs leading-5 wrap-anywhere text-muted-foreground empty:hidden">
                {words(move || match testing.is_busy().get() {
                    true => "Asking the provider…".to_owned(),
                    false => said.get(),
                })}
            </p>
            <Refusal form=testing/>
            {part(move || match entering.get() {
                true => view! { <Enter provider changed/> }.into_any(),
                false => ().into_any(),
            })}
        </li>
    }
}

#[component]
fn Enter(provider: ModelProvider, changed: Callback<()>) -> impl IntoView {
    let form = Form::new(None);
    let key = NodeRef::<html::Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(set_model_key(provider, value(key)), move |_| {
            changed.run(())
        });
    };
    let label = match provider {
        ModelProvider::OpenAi => "OpenAI key",
        ModelProvider::Anthropic => "Anthropic key",
        ModelProvider::Gemini => "Gemini key",
        ModelProvider::OpenRouter => "OpenRouter key",
    };
    view! {
        <form method="post" action="/api/account/model-keys/set" class="flex flex-col items-start gap-4" on:submit=submit>
            <Refusal form/>
            <input type="hidden" name="provider" value=provider.as_str()/>
            <div class="w-full max-w-sm">
                <Field form of=provider.as_str() label name="key" kind="password" autocomplete="off" autofocus=true node_ref=key/>
            </div>
            <Submit form label="Save key"/>
        </form>
    }
}
