//! The pages for visitors who are not signed in: signing in with its second step, signing up,
//! resetting a password by a link, and confirming an address by one.

use leptos::{ev::SubmitEvent, html, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    form::{Field, Form, Refusal, Submit, value},
    passkey::{self, Ceremony},
    refusal::OutsideAlert,
};
use crate::{
    api::{
        account::{
            ConfirmEmail, FinishSignIn, RequestReset, ResetPassword, SignIn, SignUp, confirm_email,
            finish_sign_in, request_reset, reset_password, sign_in, sign_up,
        },
        passkeys::{begin_passkey_sign_in, sign_in_by_passkey},
    },
    protocol::{self, ApiError},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, CARD, button_class},
        erased::part_when,
        home::SiteHeader,
        page_title::PageTitle,
        visitor,
    },
};

pub(super) const LINK: &str = "rounded-sm underline underline-offset-3 focus-ring";
const LONG_ENOUGH: &str = "At least 8 characters, hard to guess: a few uncommon words do well.";

/// The query parameter; empty if it is missing.
fn parameter(name: &str) -> String {
    use_query_map()
        .with_untracked(|query| query.get(name))
        .unwrap_or_default()
}

/// The query that makes the other page lead to the same place.
fn onward(to: &str) -> String {
    match to {
        "" => String::new(),
        to => format!("?to={}", leptos_router::location::Url::escape(to)),
    }
}

#[component]
pub fn Frame(
    heading: &'static str,
    #[prop(into)] lead: String,
    children: Children,
) -> impl IntoView {
    view! {
        <PageTitle text=heading/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-md flex-col px-5 pt-10 pb-24 sm:pt-16">
            <div class=format!("flex flex-col gap-5 p-6 sm:p-8 {CARD}")>
                <div>
                    <h1 class="text-xl font-semibold tracking-tight">{heading}</h1>
                    <p class="mt-1 text-sm leading-6 text-pretty text-muted-foreground empty:hidden">{lead}</p>
                </div>
                {children()}
            </div>
        </main>
    }
}

/// The other services that people can sign in with.
#[component]
fn Providers(to: String) -> impl IntoView {
    let providers = visitor::expect().providers.into_iter().map(|provider| {
        let page = format!("/sign-in/with/{}{}", provider.as_str(), onward(&to));
        view! {
            <a href=page rel="external" class=button_class(ButtonVariant::Outline, ButtonSize::Default)>
                {format!("Continue with {}", provider.label())}
            </a>
        }
    });
    view! { <div class="flex flex-col gap-2 empty:hidden">{providers.collect_view()}</div> }
}

#[component]
pub fn SignInPage() -> impl IntoView {
    let refusal = ServerAction::<SignIn>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let (email, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let to = parameter("to");
    let sign_up = format!("/sign-up{}", onward(&to));
    let onward_to = to.clone();
    let target = to.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(sign_in(value(email), value(password), Some(target.clone())));
    };
    view! {
        <Frame heading="Sign in" lead="">
            <OutsideAlert/>
            <form method="post" action="/api/account/sign-in" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <input type="hidden" name="to" value=to/>
                <Field form label="Email" name="email" kind="email" autocomplete="username" node_ref=email/>
                <Field form label="Password" name="password" kind="password" autocomplete="current-password" node_ref=password/>
                <Submit form label="Sign in"/>
            </form>
            <ByPasskey to=onward_to.clone()/>
            <Providers to=onward_to/>
            <p class="text-sm leading-6 text-muted-foreground">
                "No account yet? "<a href=sign_up class=LINK>"Make one"</a>
                ". "<a href="/reset" class=LINK>"Forgot your password?"</a>
            </p>
        </Frame>
    }
}

/// Signs in with a passkey, where the browser has any.
#[component]
fn ByPasskey(to: String) -> impl IntoView {
    let are_there = passkey::are_there();
    let form = Form::new(None);
    let cancelled = RwSignal::new(false);
    let to = StoredValue::new(to);
    let sign_in = move |_| {
        cancelled.set(false);
        form.send(by_passkey(to.get_value()), move |path| match path {
            Some(path) => form.go(&path),
            None => cancelled.set(true),
        });
    };
    part_when(
        move || are_there.get(),
        move || {
            view! {
                <div class="flex flex-col gap-2">
                    <Refusal form/>
                    <Button variant=ButtonVariant::Outline disabled=form.busy() on:click=sign_in>"Sign in with a passkey"</Button>
                    <p role="status" class="text-sm leading-6 text-muted-foreground empty:hidden">
                        {move || cancelled.get().then_some("No passkey was used.")}
                    </p>
                </div>
            }
            .into_any()
        },
    )
}

/// The page to go to; `None` if the user cancelled.
async fn by_passkey(to: String) -> Result<Option<String>, ApiError> {
    let question = begin_passkey_sign_in().await?;
    match passkey::ask(Ceremony::Get, &question).await? {
        Some(answer) => sign_in_by_passkey(answer, Some(to)).await.map(Some),
        None => Ok(None),
    }
}

#[component]
pub fn SignUpPage() -> impl IntoView {
    let refusal = ServerAction::<SignUp>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let (email, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let (to, link, address) = (parameter("to"), parameter("link"), parameter("email"));
    let sign_in = format!("/sign-in{}", onward(&to));
    let visitor = visitor::expect();
    // With e-mail, whoever reads the address's mail chooses the password.
    let asks_for_address = visitor.mail && link.is_empty();
    if asks_for_address && !parameter("sent").is_empty() {
        let lead = "We sent a link to your address. It works once, within 24 hours, and leads on \
                    from here. Look among unwanted mail too.";
        return view! {
            <Frame heading="Look into your mail" lead>
                <p class="text-sm"><a href=sign_in class=LINK>"Back to sign in"</a></p>
            </Frame>
        }
        .into_any();
    }
    let lead = match visitor.sign_up {
        _ if !address.is_empty() => "Choose the password that you will sign in with.",
        _ if !link.is_empty() => {
            "You were invited: choose the address and the password that you will sign in with."
        }
        protocol::SignUp::Open if asks_for_address => "We will send you a link to continue.",
        protocol::SignUp::Open => "",
        protocol::SignUp::Invite => {
            "Sign-up is by invitation here: open the link that an administrator gave you."
        }
        protocol::SignUp::Closed => "Sign-up is closed here. Ask an administrator for an account.",
    };
    let onward_to = to.clone();
    let (target, invitation) = (to.clone(), link.clone());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (to, link) = (Some(target.clone()), Some(invitation.clone()));
        form.send_and_go(sign_up(Some(value(email)), Some(value(password)), link, to));
    };
    let password = (!asks_for_address).then(|| {
        view! { <Field form label="Password" name="password" kind="password" autocomplete="new-password" hint=LONG_ENOUGH node_ref=password/> }
    });
    view! {
        <Frame heading="Sign up" lead>
            <form method="post" action="/api/account/sign-up" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <input type="hidden" name="to" value=to/>
                <input type="hidden" name="link" value=link/>
                <Field form label="Email" name="email" kind="email" autocomplete="username" readonly=!address.is_empty() value=address node_ref=email/>
                {password}
                <Submit form label="Sign up"/>
            </form>
            <Providers to=onward_to/>
            <p class="text-sm leading-6 text-muted-foreground">"You have an account? "<a href=sign_in class=LINK>"Sign in"</a></p>
        </Frame>
    }
    .into_any()
}

/// The second step of a sign-in.
#[component]
pub fn CodePage() -> impl IntoView {
    let refusal = ServerAction::<FinishSignIn>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let code = NodeRef::<html::Input>::new();
    let to = parameter("to");
    let back = format!("/sign-in{}", onward(&to));
    let target = to.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(finish_sign_in(value(code), Some(target.clone())));
    };
    let lead = "Enter the code that your authenticator app shows, or one of your recovery codes.";
    view! {
        <Frame heading="Two-step sign-in" lead>
            <form method="post" action="/api/account/sign-in/code" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <input type="hidden" name="to" value=to/>
                <Field form label="Code" name="code" autocomplete="one-time-code" autofocus=true node_ref=code/>
                <Submit form label="Continue"/>
            </form>
            <p class="text-sm leading-6 text-muted-foreground">
                "Lost both? Ask an administrator. "<a href=back class=LINK>"Back to sign in"</a>
            </p>
        </Frame>
    }
}

#[component]
pub fn ResetPage() -> impl IntoView {
    let link = parameter("link");
    if link.is_empty() {
        return view! { <AskForLink/> }.into_any();
    }
    let refusal = ServerAction::<ResetPassword>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let password = NodeRef::<html::Input>::new();
    let token = link.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(reset_password(token.clone(), value(password)));
    };
    view! {
        <Frame heading="Choose a new password" lead="You will be signed out everywhere else.">
            <form method="post" action="/api/account/reset" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <input type="hidden" name="link" value=link/>
                <Field form label="Password" name="password" kind="password" autocomplete="new-password" hint=LONG_ENOUGH node_ref=password/>
                <Submit form label="Set password"/>
            </form>
        </Frame>
    }
    .into_any()
}

/// How to get the link: by e-mail if the server sends any, else from an administrator.
#[component]
fn AskForLink() -> impl IntoView {
    let refusal = ServerAction::<RequestReset>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let email = NodeRef::<html::Input>::new();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(request_reset(value(email)));
    };
    let is_sent = !parameter("sent").is_empty();
    let (lead, content) = if !visitor::expect().mail {
        let lead = "This CodeFlow sends no e-mail. Ask an administrator for a link: it opens this \
                    page, where you choose a new password.";
        (lead, ().into_any())
    } else if is_sent {
        let lead = "If there is an account with this address, a link is on its way to it. It works \
                    once, within 24 hours. Look among unwanted mail too.";
        (lead, ().into_any())
    } else {
        let form = view! {
            <form method="post" action="/api/account/reset-link" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <Field form label="Email" name="email" kind="email" autocomplete="username" node_ref=email/>
                <Submit form label="Send a link"/>
            </form>
        };
        let lead = "We will send you a link to choose a new password.";
        (lead, form.into_any())
    };
    view! {
        <Frame heading="Reset your password" lead>
            {content}
            <p class="text-sm"><a href="/sign-in" class=LINK>"Back to sign in"</a></p>
        </Frame>
    }
}

/// Confirms an address. A button does it: programs that read mail open links by themselves.
#[component]
pub fn ConfirmPage() -> impl IntoView {
    let refusal = ServerAction::<ConfirmEmail>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let link = parameter("link");
    let token = link.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(confirm_email(token.clone()));
    };
    if !parameter("done").is_empty() {
        return view! {
            <Frame heading="Address confirmed" lead="You sign in with this address from now on.">
                <p class="text-sm"><a href="/settings" rel="external" class=LINK>"Go to the settings"</a></p>
            </Frame>
        }
        .into_any();
    }
    view! {
        <Frame heading="Confirm your address" lead="Your account's address will change to the one this link was sent to.">
            <form method="post" action="/api/account/email/confirm" class="flex flex-col gap-4" on:submit=submit>
                <Refusal form/>
                <input type="hidden" name="link" value=link/>
                <Submit form label="Confirm"/>
            </form>
        </Frame>
    }
    .into_any()
}
