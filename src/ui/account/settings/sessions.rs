//! Where the account is signed in.

use leptos::{ev::SubmitEvent, prelude::*};

use super::{
    super::form::{Form, Refusal},
    section::Section,
};
use crate::{
    api::account::{end_other_sessions, end_session, list_sessions},
    protocol::{SessionId, SessionSummary},
    ui::{
        components::{Alert, Badge, BadgeVariant, Button, ButtonSize, ButtonVariant, Skeleton},
        time::RelativeTime,
    },
};

#[component]
pub fn SessionsSection() -> impl IntoView {
    let sessions = Resource::new_blocking(|| (), |()| list_sessions());
    let form = Form::new(None);
    let end = Callback::new(move |session: SessionId| {
        form.send(end_session(session), move |()| sessions.refetch());
    });
    let end_others = move |event: SubmitEvent| {
        event.prevent_default();
        form.send(end_other_sessions(), move |()| sessions.refetch());
    };
    let list = move |all: Vec<SessionSummary>| {
        let others = all.iter().any(|session| !session.current);
        let end_others = others.then(|| {
            view! {
                <form method="post" action="/api/account/sessions/end-others" on:submit=end_others>
                    <Button variant=ButtonVariant::Outline submit=true>"Sign out everywhere else"</Button>
                </form>
            }
        });
        view! {
            <ul aria-label="Sessions" class="flex flex-col divide-y divide-border">
                {all.into_iter().map(|session| view! { <Session session end/> }).collect_view()}
            </ul>
            {end_others}
        }
        .into_any()
    };
    view! {
        <Section id="sessions" heading="Sessions" lead="Where you are signed in. End sessions that you don't recognize, then change your password.">
            <Refusal form/>
            <Transition fallback=|| view! { <Skeleton class="h-16 w-full"/> }>
                {move || Suspend::new(async move {
                    match sessions.await {
                        Ok(all) => list(all),
                        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
                    }
                })}
            </Transition>
        </Section>
    }
}

#[component]
fn Session(session: SessionSummary, end: Callback<SessionId>) -> impl IntoView {
    let agent = if session.agent.is_empty() {
        "An unknown browser".to_owned()
    } else {
        session.agent
    };
    let id = session.id;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        end.run(id);
    };
    let action = if session.current {
        view! { <Badge variant=BadgeVariant::Outline>"This browser"</Badge> }.into_any()
    } else {
        view! {
            <form method="post" action="/api/account/sessions/end" on:submit=submit>
                <input type="hidden" name="session" value=id.to_string()/>
                <Button variant=ButtonVariant::Outline size=ButtonSize::Sm submit=true>"End"</Button>
            </form>
        }
        .into_any()
    };
    view! {
        <li class="flex items-center gap-3 py-3 first:pt-0 last:pb-0">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm" title=agent.clone()>{agent.clone()}</p>
                <p class="text-xs leading-5 text-muted-foreground">{session.address}", used "<RelativeTime at=session.seen_at/></p>
            </div>
            {action}
        </li>
    }
}
