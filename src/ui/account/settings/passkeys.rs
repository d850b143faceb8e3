//! The account's passkeys. Adding one needs scripts, and a browser that has passkeys.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::{
    super::{
        form::{Field, Form, Refusal, Submit, value},
        passkey::{self, Ceremony},
    },
    section::Section,
};
use crate::{
    api::passkeys::{add_passkey, begin_passkey, list_passkeys, remove_passkey, rename_passkey},
    protocol::{ApiError, Passkey, PasskeyId},
    ui::{
        components::{
            Alert, Button, ButtonSize, ButtonVariant, ConfirmDialog, Dialog, Skeleton, Toast,
            Toaster,
        },
        erased::part,
        time::RelativeTime,
        visitor,
    },
};

#[component]
pub fn PasskeysSection() -> impl IntoView {
    let passkeys = Resource::new_blocking(|| (), |()| list_passkeys());
    let form = Form::new(None);
    let changed = Callback::new(move |()| passkeys.refetch());
    // The dialogs belong to the list, because its rows are recreated whenever something changes.
    let chosen = RwSignal::new(None::<(PasskeyId, String)>);
    let (renames, removes) = (RwSignal::new(false), RwSignal::new(false));
    let remove = Callback::new(move |()| {
        if let Some((id, _)) = chosen.get_untracked() {
            form.send(remove_passkey(id), move |()| passkeys.refetch());
        }
    });
    let question = Signal::derive(move || {
        let name = chosen.get().map(|(_, name)| name).unwrap_or_default();
        format!("Remove “{name}”?")
    });
    let (are_there, adds) = (passkey::are_there(), RwSignal::new(false));
    let offer = match visitor::expect().passkeys {
        true => part(move || match (are_there.get(), adds.get()) {
            (false, _) => ().into_any(),
            (true, false) => view! {
                <div>
                    <Button variant=ButtonVariant::Outline on:click=move |_| adds.set(true)>"Add a passkey"</Button>
                </div>
            }
            .into_any(),
            (true, true) => view! { <Add adds changed/> }.into_any(),
        }),
        false => view! {
            <p class="text-sm leading-6 text-pretty text-muted-foreground">
                "Browsers have no passkeys for this CodeFlow's address. They want one with a host name and https; an administrator sets it as PUBLIC_URL."
            </p>
        }
        .into_any(),
    };
    view! {
        <Section
            id="passkeys"
            heading="Passkeys"
            lead="A passkey signs you in with your device's fingerprint, face or PIN, without your password or a two-step code. A new password does not remove it."
        >
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-9 w-full"/> }>
                {move || Suspend::new(async move {
                    match passkeys.await {
                        Ok(all) if all.is_empty() => view! {
                            <p class="text-sm leading-6 text-muted-foreground">"There are no passkeys yet."</p>
                        }
                        .into_any(),
                        Ok(all) => view! {
                            <ul aria-label="Passkeys" class="flex flex-col divide-y divide-border">
                                {all.into_iter().map(|passkey| view! { <Row passkey chosen renames removes/> }).collect_view()}
                            </ul>
                        }
                        .into_any(),
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
            {offer}
            <Dialog open=renames title="Rename the passkey" description="Only you see the name: it tells your passkeys apart.">
                <Rename chosen renames changed/>
            </Dialog>
            <ConfirmDialog
                open=removes
                title=question
                description="It can't sign in any more. The device keeps its part until you delete it there."
                action="Remove passkey"
                on_confirm=remove
            />
        </Section>
    }
}

#[component]
fn Row(
    passkey: Passkey,
    chosen: RwSignal<Option<(PasskeyId, String)>>,
    renames: RwSignal<bool>,
    removes: RwSignal<bool>,
) -> impl IntoView {
    let (id, name) = (passkey.id, passkey.name);
    let used = match passkey.used_at {
        Some(at) => view! { ", used "<RelativeTime at/> }.into_any(),
        None => ", never used".into_any(),
    };
    let button = |word: &'static str, opens: RwSignal<bool>| {
        let own = name.clone();
        view! {
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-label=format!("{word} {name}")
                on:click=move |_| {
                    chosen.set(Some((id, own.clone())));
                    opens.set(true);
                }
            >
                {word}
            </Button>
        }
    };
    view! {
        <li class="flex items-center gap-3 py-3 first:pt-0 last:pb-0">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm" title=name.clone()>{name.clone()}</p>
                <p class="text-xs leading-5 text-muted-foreground">"Added "<RelativeTime at=passkey.created_at/>{used}</p>
            </div>
            {button("Rename", renames)}
            {button("Remove", removes)}
        </li>
    }
}

#[component]
fn Rename(
    chosen: RwSignal<Option<(PasskeyId, String)>>,
    renames: RwSignal<bool>,
    changed: Callback<()>,
) -> impl IntoView {
    let Some((id, before)) = chosen.get_untracked() else {
        return ().into_any();
    };
    let form = Form::new(None);
    let name = NodeRef::<html::Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(rename_passkey(id, value(name)), move |()| {
            renames.set(false);
            changed.run(());
        });
    };
    view! {
        <form class="flex flex-col gap-4" on:submit=submit>
            <Refusal form/>
            <Field form of="rename-" label="Passkey name" name="name" autocomplete="off" value=before node_ref=name/>
            <div class="flex justify-end gap-2">
                <Button variant=ButtonVariant::Outline on:click=move |_| renames.set(false)>"Cancel"</Button>
                <Submit form label="Rename passkey"/>
            </div>
        </form>
    }
    .into_any()
}

/// Asks for a name and the password, then the authenticator.
#[component]
fn Add(adds: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let form = Form::new(None);
    let (name, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let (cancelled, toaster) = (RwSignal::new(false), Toaster::expect());
    Effect::new(move || {
        if let Some(field) = name.get() {
            let _ = field.focus();
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        cancelled.set(false);
        form.send(make(value(name), value(password)), move |is_made| {
            if !is_made {
                cancelled.set(true);
                return;
            }
            toaster.show(Toast::new("Passkey added."));
            adds.set(false);
            changed.run(());
        });
    };
    view! {
        <form class="flex flex-col items-start gap-4" on:submit=submit>
            <Refusal form/>
            <div class="flex w-full max-w-sm flex-col gap-4">
                <Field form of="passkey-" label="Passkey name" name="name" autocomplete="off" hint="Such as the device that will hold it." node_ref=name/>
                <Field form of="passkey-" label="Your password" name="current" kind="password" autocomplete="current-password" node_ref=password/>
            </div>
            <p role="status" class="text-sm leading-6 text-muted-foreground empty:hidden">
                {move || cancelled.get().then_some("No passkey was added.")}
            </p>
            <div class="flex gap-2">
                <Submit form label="Create passkey"/>
                <Button variant=ButtonVariant::Ghost on:click=move |_| adds.set(false)>"Cancel"</Button>
            </div>
        </form>
    }
}

/// Whether a passkey was added; `false` if the user cancelled.
async fn make(name: String, password: String) -> Result<bool, ApiError> {
    let question = begin_passkey(name, password).await?;
    match passkey::ask(Ceremony::Create, &question).await? {
        Some(answer) => add_passkey(answer).await.map(|()| true),
        None => Ok(false),
    }
}
