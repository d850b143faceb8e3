//! The user's own account: profile, sign-in, passkeys, sessions, API tokens, model keys, usage,
//! data, and its deletion.

mod connected;
mod data;
mod email;
mod keys;
mod passkeys;
mod section;
mod sessions;
mod tokens;
mod two_step;

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::form::{Field, Form, Refusal, Submit, value};
use crate::{
    api::account::{ChangePassword, RenameAccount, change_password, rename_account},
    protocol::Account,
    ui::{
        components::{
            ButtonSize, ButtonVariant, EmptyState, IconName, Toast, Toaster, button_class,
        },
        home::SiteHeader,
        page_title::PageTitle,
        visitor,
    },
};
use connected::ConnectedSection;
use data::DataSection;
use email::EmailSection;
use keys::KeysSection;
use passkeys::PasskeysSection;
use section::Section;
use sessions::SessionsSection;
use tokens::TokensSection;
use two_step::TwoStepSection;

#[component]
pub fn SettingsPage() -> impl IntoView {
    let content = match visitor::expect().account {
        Some(account) => {
            let email = account.email.clone();
            view! {
                <Profile account/>
                <EmailSection email/>
                <Security/>
                <PasskeysSection/>
                <TwoStepSection/>
                <ConnectedSection/>
                <SessionsSection/>
                <TokensSection/>
                <KeysSection/>
                <Usage/>
                <DataSection/>
            }
            .into_any()
        }
        None => view! {
            <EmptyState
                icon=IconName::User
                title="This CodeFlow has no accounts"
                hint="Everyone who can reach it is the same user. With AUTH=on, people sign in and have their own projects."
            />
        }
        .into_any(),
    };
    view! {
        <PageTitle text="Settings"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-2xl flex-col gap-6 px-5 pt-6 pb-24">
            <h1 class="text-2xl font-semibold tracking-tight">"Settings"</h1>
            {content}
        </main>
    }
}

#[component]
fn Profile(account: Account) -> impl IntoView {
    let refusal = ServerAction::<RenameAccount>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let name = NodeRef::<html::Input>::new();
    let toaster = Toaster::expect();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(rename_account(value(name)), move |()| {
            toaster.show(Toast::new("Saved."))
        });
    };
    let plan = account.plan.as_str();
    view! {
        <Section id="profile" heading="Profile">
            <dl class="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
                <dt class="text-muted-foreground">"Email"</dt>
                <dd class="wrap-anywhere">{account.email}</dd>
                <dt class="text-muted-foreground">"Plan"</dt>
                <dd class="capitalize">{plan}</dd>
            </dl>
            <form method="post" action="/api/account/rename" class="flex flex-col items-start gap-4" on:submit=submit>
                <Refusal form/>
                <div class="w-full max-w-sm">
                    <Field form label="Name" name="name" autocomplete="name" value=account.name required=false node_ref=name/>
                </div>
                <Submit form label="Save"/>
            </form>
        </Section>
    }
}

#[component]
fn Security() -> impl IntoView {
    let refusal = ServerAction::<ChangePassword>::new()
        .value()
        .get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let (current, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(change_password(value(current), value(password)));
    };
    view! {
        <Section id="security" heading="Password" lead="When it changes you are signed out everywhere else.">
            <form method="post" action="/api/account/password" class="flex flex-col items-start gap-4" on:submit=submit>
                <Refusal form/>
                <div class="flex w-full max-w-sm flex-col gap-4">
                    <Field form label="Current password" name="current" kind="password" autocomplete="current-password" node_ref=current/>
                    <Field form label="New password" name="password" kind="password" autocomplete="new-password" node_ref=password/>
                </div>
                <Submit form label="Change password"/>
            </form>
        </Section>
    }
}

#[component]
fn Usage() -> impl IntoView {
    view! {
        <Section id="usage" heading="Usage" lead="The runs, tokens and dollars that your apps have used.">
            <div><a href="/usage" class=button_class(ButtonVariant::Outline, ButtonSize::Default)>"Show usage"</a></div>
        </Section>
    }
}
