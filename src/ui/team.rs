//! The open project's people: the user's role, the authors of changes, and who else has it open.
//! The feed keeps this up to date.

use leptos::prelude::*;

use super::erased::{part, words};
use crate::protocol::{Person, ProjectRole, Team, UserId};

/// The project's people, for the whole workspace.
#[derive(Clone, Copy)]
pub struct TeamState(RwSignal<Team>);

impl TeamState {
    pub fn provide(team: Team) -> Self {
        let state = Self(RwSignal::new(team));
        provide_context(state);
        state
    }

    /// Applies the feed's news. If the user's role changed, the page is reloaded.
    pub fn follow(self, team: Team) {
        match self.0.try_with_untracked(|before| before.role) {
            Some(before) if before != team.role => _ = location().reload(),
            Some(_) => _ = self.0.try_set(team),
            None => {}
        }
    }
}

/// The user's role in the project.
fn role() -> ProjectRole {
    let state = use_context::<TeamState>();
    let role = state.and_then(|state| state.0.try_with_untracked(|team| team.role));
    role.unwrap_or_default()
}

pub fn can_edit() -> bool {
    role() >= ProjectRole::Editor
}

pub fn is_owner() -> bool {
    role() == ProjectRole::Owner
}

/// The name of the author, if the project has more than one person; no recorded author means the
/// owner.
pub fn name_of(user: Option<&UserId>) -> Option<String> {
    let state = use_context::<TeamState>()?;
    let name = state
        .0
        .try_with(|team| team.is_shared().then(|| team.name_of(user)));
    name.flatten()
}

/// The author of a message, if the project has more than one person.
pub fn author(user: Option<UserId>) -> AnyView {
    view! { <span class="font-medium empty:hidden">{words(move || name_of(user.as_ref()).unwrap_or_default())}</span> }
        .into_any()
}

/// The others who have the project open.
#[component]
pub fn AlsoHere() -> impl IntoView {
    let state = use_context::<TeamState>();
    let others = Memo::new(move |_| {
        let others = state.map(|state| state.0.with(Team::others_here));
        others.unwrap_or_default()
    });
    part(move || {
        let others = others.get();
        if others.is_empty() {
            return ().into_any();
        }
        view! {
            <div role="group" aria-label="Also here" class="flex shrink-0 items-center -space-x-1">
                {others.iter().map(portrait).collect_view()}
            </div>
        }
        .into_any()
    })
}

fn portrait(person: &Person) -> AnyView {
    view! {
        <span
            role="img"
            aria-label=person.name.clone()
            title=person.name.clone()
            class="grid size-6 place-items-center rounded-full border border-background bg-secondary text-[0.625rem] font-semibold text-secondary-foreground"
        >
            {person.initials()}
        </span>
    }
    .into_any()
}
