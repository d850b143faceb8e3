//! The section "People" of the dialog "Share": the members and their roles, and invitations by
//! e-mail or by a link.

use leptos::{ev::SubmitEvent, html, prelude::*, task::spawn_local};

use super::{
    browser,
    components::{Alert, Button, ButtonSize, ButtonVariant, INPUT, SELECT, Skeleton},
    erased::{part, words},
};
use crate::{
    api::team::{invite, list_people, remove_member, revoke_invitation, set_member_role},
    protocol::{ApiError, Invited, Member, OpenInvitation, People, ProjectId, ProjectRole},
};

/// The section's contents, and the result of its last action.
#[derive(Clone, Copy)]
struct Section {
    project: ProjectId,
    people: LocalResource<Result<People, ApiError>>,
    trouble: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
    invited: RwSignal<Option<Invited>>,
    said: RwSignal<String>,
}

impl Section {
    /// Performs an action, and shows the server's new state.
    fn perform<T: 'static>(
        self,
        work: impl Future<Output = Result<T, ApiError>> + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.trouble.set(None);
        self.said.set(String::new());
        spawn_local(async move {
            let outcome = work.await;
            if self.busy.try_set(false).is_some() {
                return;
            }
            match outcome {
                Ok(outcome) => done(outcome),
                Err(error) => self.trouble.set(Some(error.message)),
            }
            self.people.refetch();
        });
    }
}

#[component]
pub fn PeopleSection(project: ProjectId) -> impl IntoView {
    let section = Section {
        project,
        people: LocalResource::new(move || list_people(project)),
        trouble: RwSignal::new(None),
        busy: RwSignal::new(false),
        invited: RwSignal::new(None),
        said: RwSignal::new(String::new()),
    };
    let Section {
        people, trouble, ..
    } = section;
    view! {
        <section aria-labelledby="people" class="mt-5 flex flex-col gap-4 border-t border-border pt-5">
            <div>
                <h3 id="people" class="text-sm font-medium">"People"</h3>
                <p class="mt-0.5 text-xs leading-5 text-muted-foreground">
                    "Editors send messages and change files, paid with their own credits. Viewers can only look."
                </p>
            </div>
            {part(move || trouble.get().map(|text| view! { <Alert>{text}</Alert> }).into_any())}
            {part(move || match people.get() {
                None => view! { <Skeleton class="h-9 w-full"/> }.into_any(),
                Some(Err(error)) => view! { <Alert>{error.message}</Alert> }.into_any(),
                Some(Ok(people)) => lists(section, people),
            })}
            <InviteForm section/>
        </section>
    }
}

fn lists(section: Section, people: People) -> AnyView {
    let People {
        members,
        invitations,
    } = people;
    let members = (!members.is_empty()).then(|| {
        let members = members.into_iter().map(|one| member(section, one));
        view! { <ul role="list" aria-label="Members" class="flex flex-col gap-3">{members.collect_view()}</ul> }
    });
    let invitations = (!invitations.is_empty()).then(|| {
        let invitations = invitations.into_iter().map(|one| invitation(section, one));
        view! { <ul role="list" aria-label="Invitations" class="flex flex-col gap-3">{invitations.collect_view()}</ul> }
    });
    view! { {members} {invitations} }.into_any()
}

fn member(section: Section, member: Member) -> AnyView {
    let (project, name) = (section.project, member.name.clone());
    let (changed, removed) = (member.id.clone(), member.id);
    let change = move |event| {
        if let Ok(role) = event_target_value(&event).parse::<ProjectRole>() {
            let changing = set_member_role(project, changed.clone(), role);
            section.perform(changing, move |()| {
                section.said.set("Role changed.".to_owned())
            });
        }
    };
    let remove = move |_| {
        let removing = remove_member(project, removed.clone());
        section.perform(removing, move |()| {
            section.said.set("Removed from the project.".to_owned())
        });
    };
    view! {
        <li class="flex items-center gap-2">
            <div class="min-w-0 flex-1">
                <p dir="auto" class="truncate text-sm">{member.name}</p>
                <p class="truncate text-xs text-muted-foreground">{member.email}</p>
            </div>
            <select aria-label=format!("Role of {name}") class=format!("{SELECT} h-8! w-auto! pr-3!") on:change=change>
                {roles(member.role)}
            </select>
            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label=format!("Remove {name}") on:click=remove>
                "Remove"
            </Button>
        </li>
    }
    .into_any()
}

fn invitation(section: Section, invitation: OpenInvitation) -> AnyView {
    let id = invitation.id;
    let withdraw = move |_| {
        section.perform(revoke_invitation(section.project, id), move |()| {
            section.said.set("Invitation revoked.".to_owned())
        });
    };
    let role = invitation.role.as_str();
    let whom = invitation
        .email
        .unwrap_or_else(|| "Whoever has the link".to_owned());
    view! {
        <li class="flex items-center gap-2">
            <div class="min-w-0 flex-1">
                <p class="truncate text-sm">{whom.clone()}</p>
                <p class="text-xs text-muted-foreground">{format!("Invited as {role}")}</p>
            </div>
            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label=format!("Withdraw the invitation of {whom}") on:click=withdraw>
                "Withdraw"
            </Button>
        </li>
    }
    .into_any()
}

fn roles(chosen: ProjectRole) -> AnyView {
    [
        (ProjectRole::Viewer, "Viewer"),
        (ProjectRole::Editor, "Editor"),
    ]
    .map(|(role, name)| {
        view! { <option value=role.as_str() selected=role == chosen>{name}</option> }
    })
    .into_any()
}

#[component]
fn InviteForm(section: Section) -> impl IntoView {
    let Section {
        project,
        busy,
        invited,
        said,
        ..
    } = section;
    let email = NodeRef::<html::Input>::new();
    let role = RwSignal::new(ProjectRole::Editor);
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = email.get_untracked() else {
            return;
        };
        let inviting = invite(project, role.get_untracked(), Some(field.value()));
        section.perform(inviting, move |done| {
            field.set_value("");
            said.set(match done.sent {
                true => "The invitation is on its way.".to_owned(),
                false => "This CodeFlow sends no e-mail: send them the link.".to_owned(),
            });
            invited.set((!done.sent).then_some(done));
        });
    };
    let make_link = move |_| {
        let inviting = invite(project, role.get_untracked(), None);
        section.perform(inviting, move |done| {
            said.set(match browser::copy(&done.link) {
                true => "Copied. The link works for one person, within 14 days.".to_owned(),
                false => "The link works for one person, within 14 days.".to_owned(),
            });
            invited.set(Some(done));
        });
    };
    view! {
        <form class="flex flex-col gap-3" on:submit=send>
            <div class="flex items-end gap-2">
                <div class="flex min-w-0 flex-1 flex-col gap-1.5">
                    <label for="invite-email" class="text-sm font-medium">"Invite by email"</label>
                    <input node_ref=email id="invite-email" type="email" required=true autocomplete="off" class=INPUT/>
                </div>
                <select
                    aria-label="Role"
                    class=format!("{SELECT} w-auto! pr-3!")
                    on:change=move |event| {
                        if let Ok(chosen) = event_target_value(&event).parse() {
                            role.set(chosen);
                        }
                    }
                >
                    {roles(ProjectRole::Editor)}
                </select>
                <Button submit=true disabled=busy>"Invite"</Button>
            </div>
            <Button variant=ButtonVariant::Outline disabled=busy on:click=make_link>"Copy invitation link"</Button>
            {part(move || match invited.get() {
                Some(invited) => view! {
                    <div class="flex flex-col gap-1.5">
                        <label for="invitation-link" class="text-sm font-medium">"Invitation link"</label>
                        <input id="invitation-link" type="text" readonly=true class=INPUT value=invited.link/>
                    </div>
                }
                .into_any(),
                None => ().into_any(),
            })}
            <p role="status" class="text-xs text-muted-foreground empty:hidden">{words(move || said.get())}</p>
        </form>
    }
}
