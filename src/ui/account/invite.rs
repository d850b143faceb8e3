//! The page behind an invitation's link: who invites to what, and the button that joins.

use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::hooks::use_params_map;

use super::{
    entrance::{Frame, LINK},
    form::{Form, Refusal, Submit},
};
use crate::{
    api::team::{JoinProject, get_invitation, join_project},
    protocol::{InvitationView, ProjectRole, Standing},
    ui::components::{Alert, ButtonSize, ButtonVariant, Skeleton, button_class},
};

#[component]
pub fn InvitePage() -> impl IntoView {
    let token = use_params_map()
        .with_untracked(|params| params.get("token"))
        .unwrap_or_default();
    let refusal = ServerAction::<JoinProject>::new().value().get_untracked();
    let form = Form::new(refusal.and_then(Result::err));
    let asked = token.clone();
    let invitation = Resource::new_blocking(move || asked.clone(), get_invitation);
    view! {
        <Frame heading="Invitation" lead="">
            <Suspense fallback=|| view! { <Skeleton class="h-16 w-full"/> }>
                {move || {
                    let token = token.clone();
                    Suspend::new(async move {
                        match invitation.await {
                            Ok(view) => standing(form, token, view),
                            Err(error) => view! {
                                <Alert>{error.message}</Alert>
                                <p class="text-sm"><a href="/" class=LINK>"Go to your projects"</a></p>
                            }
                            .into_any(),
                        }
                    })
                }}
            </Suspense>
        </Frame>
    }
}

fn standing(form: Form, token: String, view: InvitationView) -> AnyView {
    let InvitationView {
        project,
        title,
        inviter,
        role,
        standing,
    } = view;
    let said = match standing {
        Standing::Invited => match role {
            ProjectRole::Viewer => format!(
                "{inviter} invites you to the project “{title}” as a viewer: you see the app, its files and the conversation."
            ),
            ProjectRole::Editor | ProjectRole::Owner => format!(
                "{inviter} invites you to the project “{title}” as an editor: you send messages and change files, at the cost of your own credits."
            ),
        },
        Standing::Joined => format!("You are in the project “{title}” already."),
        Standing::Owner => format!(
            "“{title}” is your own project. Send this link to the person whom you want to invite."
        ),
        Standing::OtherAddress => format!(
            "This invitation is for another e-mail address. Sign in with the address it was sent to, or ask {inviter} for your own."
        ),
    };
    let way_on = match standing {
        Standing::Invited => join_form(form, token),
        Standing::Joined | Standing::Owner => view! {
            <a href=format!("/projects/{project}") class=button_class(ButtonVariant::Default, ButtonSize::Default)>"Open the project"</a>
        }
        .into_any(),
        Standing::OtherAddress => ().into_any(),
    };
    view! {
        <p dir="auto" class="text-sm leading-6 wrap-anywhere">{said}</p>
        {way_on}
    }
    .into_any()
}

fn join_form(form: Form, token: String) -> AnyView {
    let sent = token.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.send_and_go(join_project(sent.clone()));
    };
    view! {
        <form method="post" action="/api/invitations/join" class="flex flex-col gap-4" on:submit=submit>
            <Refusal form/>
            <input type="hidden" name="token" value=token/>
            <Submit form label="Join"/>
        </form>
    }
    .into_any()
}
