//! The accounts of other services that sign in to this one.

use leptos::{ev::SubmitEvent, prelude::*};

use super::{
    super::form::{Form, Refusal},
    section::Section,
};
use crate::{
    api::account::{link_identity, list_identities, unlink_identity},
    protocol::{IdentityProvider, LinkedIdentity},
    ui::{
        account::refusal::OutsideAlert,
        components::{Alert, Button, ButtonSize, ButtonVariant, Skeleton},
        visitor,
    },
};

#[component]
pub fn ConnectedSection() -> impl IntoView {
    let providers = visitor::expect().providers;
    if providers.is_empty() {
        return ().into_any();
    }
    let identities = Resource::new_blocking(|| (), |()| list_identities());
    let form = Form::new(None);
    let unlink = Callback::new(move |identity: LinkedIdentity| {
        let unlinking = unlink_identity(identity.issuer, identity.subject);
        form.send(unlinking, move |()| identities.refetch());
    });
    let connect = move |provider: IdentityProvider| {
        let submit = move |event: SubmitEvent| {
            event.prevent_default();
            form.send_and_go(link_identity(provider));
        };
        view! {
            <form method="post" action="/api/account/identities/link" on:submit=submit>
                <input type="hidden" name="provider" value=provider.as_str()/>
                <Button variant=ButtonVariant::Outline submit=true>{format!("Connect {}", provider.label())}</Button>
            </form>
        }
    };
    view! {
        <Section id="connected" heading="Connected accounts" lead="Accounts of other services that sign in to this one.">
            <OutsideAlert/>
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-9 w-full"/> }>
                {move || Suspend::new(async move {
                    match identities.await {
                        Ok(all) if all.is_empty() => ().into_any(),
                        Ok(all) => view! {
                            <ul aria-label="Connected accounts" class="flex flex-col divide-y divide-border">
                                {all.into_iter().map(|identity| view! { <Connected identity unlink/> }).collect_view()}
                            </ul>
                        }
                        .into_any(),
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
            <div class="flex flex-wrap gap-2">{providers.into_iter().map(connect).collect_view()}</div>
        </Section>
    }
    .into_any()
}

#[component]
fn Connected(identity: LinkedIdentity, unlink: Callback<LinkedIdentity>) -> impl IntoView {
    let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
    let (label, service) = (identity.label.clone(), identity.issuer.clone());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        unlink.run(identity.clone());
    };
    view! {
        <li class="flex items-center gap-3 py-3 first:pt-0 last:pb-0">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm">{label}</p>
                <p class="truncate text-xs leading-5 text-muted-foreground">{service}</p>
            </div>
            <form method="post" action="/api/account/identities/unlink" on:submit=submit>
                <input type="hidden" name="issuer" value=issuer/>
                <input type="hidden" name="subject" value=subject/>
                <Button variant=ButtonVariant::Outline size=ButtonSize::Sm submit=true>"Disconnect"</Button>
            </form>
        </li>
    }
}
