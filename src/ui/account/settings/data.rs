//! The account's stored data: exporting and deleting it.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::{
    super::form::{Field, Form, Refusal, Submit, value},
    section::Section,
};
use crate::{
    api::account::{DeleteAccount, delete_account},
    ui::components::{Button, ButtonSize, ButtonVariant, Dialog, Icon, IconName, button_class},
};

#[component]
pub fn DataSection() -> impl IntoView {
    let refusal = ServerAction::<DeleteAccount>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let open = RwSignal::new(false);
    let password = NodeRef::<html::Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(delete_account(value(password)), |()| {
            let _ = location().set_href("/");
        });
    };
    view! {
        <Section id="export" heading="Your data" lead="Everything stored about you as a ZIP file: your account and, for each project, its conversation, its images and the files of its newest version.">
            <div>
                <a href="/api/account/export.zip" download rel="external" class=button_class(ButtonVariant::Outline, ButtonSize::Default)>
                    <Icon name=IconName::Download/>
                    "Download your data"
                </a>
            </div>
        </Section>
        <Section id="data" heading="Delete account" lead="Deletes your account with all projects, their versions, files and images. This can't be undone.">
            <div><Button variant=ButtonVariant::Destructive on:click=move |_| open.set(true)>"Delete account"</Button></div>
            <Dialog open title="Delete your account?" description="All your projects, their versions, files and images go with it. This can't be undone.">
                <form method="post" action="/api/account/delete" class="flex flex-col gap-4" on:submit=submit>
                    <Refusal form/>
                    <Field form of="delete-" label="Your password" name="current" kind="password" autocomplete="current-password" node_ref=password/>
                    <div class="flex justify-end gap-2">
                        <Button variant=ButtonVariant::Outline on:click=move |_| open.set(false)>"Cancel"</Button>
                        <Submit form label="Delete for ever"/>
                    </div>
                </form>
            </Dialog>
        </Section>
    }
}
