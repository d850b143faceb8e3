//! One's own account: profile, password, sessions, and its end.

use leptos::{ev::SubmitEvent, html, prelude::*};
use leptos_meta::Title;

use super::form::{Field, Form, Refusal, Submit, value};
use crate::{
    api::account::{
        ChangePassword, DeleteAccount, RenameAccount, change_password, delete_account,
        end_other_sessions, end_session, list_sessions, rename_account,
    },
    protocol::{Account, SessionSummary},
    ui::{
        components::{
            Alert, Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, CARD, Dialog,
            EmptyState, IconName, Skeleton, Toast, Toaster,
        },
        home::SiteHeader,
        time::RelativeTime,
        visitor,
    },
};

#[component]
pub fn SettingsPage() -> impl IntoView {
    let content = match visitor::expect().account {
        Some(account) => view! {
            <Profile account/>
            <Security/>
            <Sessions/>
            <End/>
        }
        .into_any(),
        None => view! {
            <EmptyState
                icon=IconName::User
                title="This CodeFlow has no accounts"
                hint="Everybody who reaches it is its one user. With AUTH=on people sign in, and each has their own projects."
            />
        }
        .into_any(),
    };
    view! {
        <Title text="Settings"/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-2xl flex-col gap-6 px-5 pt-6 pb-24">
            <h1 class="text-2xl font-semibold tracking-tight">"Settings"</h1>
            {content}
        </main>
    }
}

#[component]
fn Section(
    id: &'static str,
    heading: &'static str,
    #[prop(optional)] lead: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section aria-labelledby=id class=format!("flex flex-col gap-4 p-5 sm:p-6 {CARD}")>
            <div>
                <h2 id=id class="text-base font-semibold tracking-tight">{heading}</h2>
                <p class="mt-1 text-sm leading-6 text-pretty text-muted-foreground empty:hidden">{lead}</p>
            </div>
            {children()}
        </section>
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
fn Sessions() -> impl IntoView {
    let sessions = Resource::new_blocking(|| (), |()| list_sessions());
    let form = Form::new(None);
    let end = Callback::new(move |session: SessionSummary| {
        form.send(end_session(session.id), move |()| sessions.refetch());
    });
    let end_others = move |_| form.send(end_other_sessions(), move |()| sessions.refetch());
    view! {
        <Section id="sessions" heading="Sessions" lead="Where you are signed in. End those that you don't know, and change your password.">
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-16 w-full"/> }>
                {move || Suspend::new(async move {
                    match sessions.await {
                        Ok(all) => {
                            let others = all.iter().any(|session| !session.current);
                            view! {
                                <ul aria-label="Sessions" class="flex flex-col divide-y divide-border">
                                    {all.into_iter().map(|session| view! { <Session session end/> }).collect_view()}
                                </ul>
                                {others
                                    .then(|| {
                                        view! {
                                            <div><Button variant=ButtonVariant::Outline on:click=end_others>"Sign out everywhere else"</Button></div>
                                        }
                                    })}
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

#[component]
fn Session(session: SessionSummary, end: Callback<SessionSummary>) -> impl IntoView {
    let agent = if session.agent.is_empty() {
        "An unknown browser".to_owned()
    } else {
        session.agent.clone()
    };
    let (address, seen_at) = (session.address.clone(), session.seen_at);
    let action = if session.current {
        view! { <Badge variant=BadgeVariant::Outline>"This browser"</Badge> }.into_any()
    } else {
        view! {
            <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| end.run(session.clone())>"End"</Button>
        }
        .into_any()
    };
    view! {
        <li class="flex items-center gap-3 py-3 first:pt-0 last:pb-0">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm" title=agent.clone()>{agent.clone()}</p>
                <p class="text-xs leading-5 text-muted-foreground">{address}", used "<RelativeTime at=seen_at/></p>
            </div>
            {action}
        </li>
    }
}

#[component]
fn End() -> impl IntoView {
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
        <Section id="data" heading="Delete account" lead="Deletes your account with all projects, their versions, files and images. This can't be undone.">
            <div><Button variant=ButtonVariant::Destructive on:click=move |_| open.set(true)>"Delete account"</Button></div>
            <Dialog open title="Delete your account?" description="All your projects, their versions, files and images go with it. This can't be undone.">
                <form class="flex flex-col gap-4" on:submit=submit>
                    <Refusal form/>
                    <Field form label="Your password" name="current" kind="password" autocomplete="current-password" node_ref=password/>
                    <div class="flex justify-end gap-2">
                        <Button variant=ButtonVariant::Outline on:click=move |_| open.set(false)>"Cancel"</Button>
                        <Submit form label="Delete for ever"/>
                    </div>
                </form>
            </Dialog>
        </Section>
    }
}
