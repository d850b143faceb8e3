//! Two-step sign-in: set up with an authenticator app, and turned off again. It needs scripts: the
//! recovery codes are shown only once, and never sent with a page.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::{
    super::form::{Field, Form, Refusal, Submit, value},
    section::Section,
};
use crate::{
    api::account::{
        EndSecondStep, begin_second_step, confirm_second_step, end_second_step,
        renew_recovery_codes, second_step,
    },
    protocol::{SecondStepSetup, SecondStepState},
    ui::{
        browser,
        components::{
            Alert, Badge, BadgeVariant, Button, ButtonVariant, Dialog, Skeleton, Toast, Toaster,
        },
        erased::part,
    },
};

/// The stage of the set-up.
#[derive(Debug, Clone)]
enum Stage {
    Idle,
    Password,
    /// Asks for the password before renewing the recovery codes.
    Renewal,
    Scan(SecondStepSetup),
    Codes(Vec<String>),
}

#[component]
pub fn TwoStepSection() -> impl IntoView {
    let state = Resource::new_blocking(|| (), |()| second_step());
    let stage = RwSignal::new(Stage::Idle);
    let done = Callback::new(move |()| {
        state.refetch();
        stage.set(Stage::Idle);
    });
    let idle = move || {
        view! {
            <Transition fallback=|| view! { <Skeleton class="h-9 w-full"/> }>
                {move || Suspend::new(async move {
                    match state.await {
                        Ok(state) if state.is_on => view! { <On state stage/> }.into_any(),
                        Ok(_) => view! {
                            <div>
                                <Button variant=ButtonVariant::Outline on:click=move |_| stage.set(Stage::Password)>
                                    "Set up two-step sign-in"
                                </Button>
                            </div>
                        }
                        .into_any(),
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
        }
        .into_any()
    };
    view! {
        <Section
            id="two-step"
            heading="Two-step sign-in"
            lead="With an authenticator app, a stolen password alone is not enough to sign in."
        >
            {part(move || match stage.get() {
                Stage::Idle => idle(),
                Stage::Password => view! { <AskPassword stage renews=false/> }.into_any(),
                Stage::Renewal => view! { <AskPassword stage renews=true/> }.into_any(),
                Stage::Scan(setup) => view! { <Scan setup stage/> }.into_any(),
                Stage::Codes(codes) => view! { <Codes codes done/> }.into_any(),
            })}
        </Section>
    }
}

/// Focuses the field once it exists.
fn focus(field: NodeRef<html::Input>) {
    Effect::new(move || {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
}

/// Asks for the password before the set-up, or before replacing the recovery codes.
#[component]
fn AskPassword(stage: RwSignal<Stage>, renews: bool) -> impl IntoView {
    let form = Form::new(None);
    let password = NodeRef::<html::Input>::new();
    focus(password);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if renews {
            form.send(renew_recovery_codes(value(password)), move |codes| {
                stage.set(Stage::Codes(codes));
            });
        } else {
            form.send(begin_second_step(value(password)), move |setup| {
                stage.set(Stage::Scan(setup));
            });
        }
    };
    let warning = renews.then(|| {
        view! { <p class="text-sm leading-6">"The recovery codes that you have stop working when you get new ones."</p> }
    });
    view! {
        <form class="flex flex-col items-start gap-4" on:submit=submit>
            {warning}
            <Refusal form/>
            <div class="w-full max-w-sm">
                <Field form of="two-step-" label="Your password" name="current" kind="password" autocomplete="current-password" node_ref=password/>
            </div>
            <div class="flex gap-2">
                <Submit form label="Continue"/>
                <Button variant=ButtonVariant::Ghost on:click=move |_| stage.set(Stage::Idle)>"Cancel"</Button>
            </div>
        </form>
    }
}

#[component]
fn Scan(setup: SecondStepSetup, stage: RwSignal<Stage>) -> impl IntoView {
    let form = Form::new(None);
    let code = NodeRef::<html::Input>::new();
    focus(code);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(confirm_second_step(value(code)), move |codes| {
            stage.set(Stage::Codes(codes));
        });
    };
    view! {
        <form class="flex flex-col items-start gap-4" on:submit=submit>
            <p class="text-sm leading-6 text-pretty">
                "Scan this code with your authenticator app, or type the secret below into it. Then enter the six digits that the app shows."
            </p>
            <div class="size-48 overflow-hidden rounded-lg border border-border" inner_html=setup.qr_code></div>
            <p class="text-sm leading-6">
                "Secret: "<code class="font-mono text-xs break-all select-all">{setup.secret}</code>
            </p>
            <Refusal form/>
            <div class="w-full max-w-sm">
                <Field form of="two-step-" label="Code" name="code" autocomplete="one-time-code" node_ref=code/>
            </div>
            <div class="flex gap-2">
                <Submit form label="Turn on"/>
                <Button variant=ButtonVariant::Ghost on:click=move |_| stage.set(Stage::Idle)>"Cancel"</Button>
            </div>
        </form>
    }
}

#[component]
fn Codes(codes: Vec<String>, done: Callback<()>) -> impl IntoView {
    let heading = NodeRef::<html::P>::new();
    Effect::new(move || {
        if let Some(heading) = heading.get() {
            let _ = heading.focus();
        }
    });
    let (text, toaster) = (codes.join("\n"), Toaster::expect());
    let copy = move |_| {
        if browser::copy(&text) {
            toaster.show(Toast::new("Copied."));
        }
    };
    view! {
        <p node_ref=heading tabindex="-1" role="status" class="rounded-sm text-sm leading-6 text-pretty focus-ring">
            "Two-step sign-in is on. Keep these recovery codes: each signs you in once when you don't have the app. They are not shown again."
        </p>
        <ul aria-label="Recovery codes" class="grid gap-x-6 gap-y-1 font-mono text-sm sm:grid-cols-2">
            {codes.into_iter().map(|code| view! { <li>{code}</li> }).collect_view()}
        </ul>
        <div class="flex gap-2">
            <Button on:click=move |_| done.run(())>"I have saved them"</Button>
            <Button variant=ButtonVariant::Outline on:click=copy>"Copy"</Button>
        </div>
    }
}

#[component]
fn On(state: SecondStepState, stage: RwSignal<Stage>) -> impl IntoView {
    let refusal = ServerAction::<EndSecondStep>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let open = RwSignal::new(false);
    let (password, code) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(end_second_step(value(password), value(code)));
    };
    let left = match state.codes {
        0 => "No recovery code is left. Get new ones before you need one.".to_owned(),
        1 => "1 recovery code is left.".to_owned(),
        codes => format!("{codes} recovery codes are left."),
    };
    view! {
        <p class="flex items-center gap-3 text-sm"><Badge variant=BadgeVariant::Outline>"On"</Badge>{left}</p>
        <div class="flex flex-wrap gap-2">
            <Button variant=ButtonVariant::Outline on:click=move |_| stage.set(Stage::Renewal)>"New recovery codes"</Button>
            <Button variant=ButtonVariant::Outline on:click=move |_| open.set(true)>"Turn off"</Button>
        </div>
        <Dialog open title="Turn off two-step sign-in?" description="Your password alone will sign you in. The app's entry and the recovery codes become useless.">
            <form method="post" action="/api/account/two-step/end" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <Field form of="off-" label="Your password" name="current" kind="password" autocomplete="current-password" node_ref=password/>
                <Field form of="off-" label="Code" name="code" autocomplete="one-time-code" node_ref=code/>
                <div class="flex justify-end gap-2">
                    <Button variant=ButtonVariant::Outline on:click=move |_| open.set(false)>"Cancel"</Button>
                    <Submit form label="Turn off two-step sign-in"/>
                </div>
            </form>
        </Dialog>
    }
}
