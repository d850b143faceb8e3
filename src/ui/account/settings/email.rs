//! The address that the account signs in with.

use leptos::{ev::SubmitEvent, html, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    super::form::{Field, Form, Refusal, Submit, value},
    section::Section,
};
use crate::{
    api::account::{RequestEmail, request_email},
    ui::visitor,
};

#[component]
pub fn EmailSection(email: String) -> impl IntoView {
    let refusal = ServerAction::<RequestEmail>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let (address, current) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(request_email(value(address), value(current)));
    };
    let is_sent = use_query_map().with_untracked(|query| query.get("sent").is_some());
    let notice = is_sent.then(|| {
        view! { <p role="status" class="text-sm leading-6">"A link is on its way to the new address. Open it within 24 hours to confirm."</p> }
    });
    let content = if visitor::expect().mail {
        view! {
            {notice}
            <form method="post" action="/api/account/email" class="flex flex-col items-start gap-4" on:submit=submit>
                <Refusal form/>
                <div class="flex w-full max-w-sm flex-col gap-4">
                    <Field form of="new-" label="New email" name="email" kind="email" autocomplete="email" node_ref=address/>
                    <Field form of="email-" label="Confirm with your password" name="current" kind="password" autocomplete="current-password" node_ref=current/>
                </div>
                <Submit form label="Change email"/>
            </form>
        }
        .into_any()
    } else {
        view! {
            <p class="text-sm leading-6 text-pretty text-muted-foreground">
                "This CodeFlow sends no e-mail. Ask an administrator to change your address."
            </p>
        }
        .into_any()
    };
    view! {
        <Section id="email" heading="Email" lead=format!("You sign in with {email}.")>{content}</Section>
    }
}
