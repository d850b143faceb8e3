//! A run's state in a word, an icon and a colour: never by colour alone.

use leptos::prelude::*;

use crate::{
    protocol::RunState,
    ui::{
        components::{Badge, BadgeVariant, Icon, IconName, Spinner},
        erased::part,
    },
};

pub fn word(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "Queued",
        RunState::Running => "Running",
        RunState::Succeeded => "Succeeded",
        RunState::Failed => "Failed",
        RunState::Cancelled => "Cancelled",
    }
}

#[component]
pub fn StateBadge(state: Memo<RunState>) -> impl IntoView {
    part(move || {
        let state = state.get();
        let (variant, icon) = match state {
            RunState::Queued => (BadgeVariant::Outline, icon(IconName::Clock, "size-3")),
            RunState::Running => (
                BadgeVariant::Brand,
                view! { <span class="inline-flex text-brand"><Spinner class="size-3"/></span> }
                    .into_any(),
            ),
            RunState::Succeeded => (
                BadgeVariant::Success,
                icon(IconName::Check, "size-3 text-success"),
            ),
            RunState::Failed => (
                BadgeVariant::Destructive,
                icon(IconName::CircleAlert, "size-3 text-destructive"),
            ),
            RunState::Cancelled => (
                BadgeVariant::Secondary,
                icon(IconName::Square, "size-3 text-muted-foreground"),
            ),
        };
        view! { <Badge variant>{icon} {word(state)}</Badge> }.into_any()
    })
}

fn icon(name: IconName, class: &'static str) -> AnyView {
    view! { <Icon name class/> }.into_any()
}
