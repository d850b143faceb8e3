//! The buttons of a run: cancel it while it works, replay it when it failed or was cancelled.

use leptos::prelude::*;

use crate::{
    api::runs::{cancel_run, replay_run},
    protocol::{ApiError, Run, RunId, RunState},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
        erased::{part, part_when},
    },
};

/// `described_by` is the id of the element that names the run; it gets the focus when the pressed
/// button disappears.
#[component]
pub fn RunActions(
    id: RunId,
    state: Memo<RunState>,
    described_by: String,
    on_cancelled: Callback<Result<Run, ApiError>>,
    on_replayed: Callback<Result<Run, ApiError>>,
) -> impl IntoView {
    let act = Action::new(move |replay: &bool| {
        let replay = *replay;
        async move {
            if replay {
                on_replayed.try_run(replay_run(id).await);
            } else {
                on_cancelled.try_run(cancel_run(id).await);
            }
        }
    });
    let pending = act.pending();
    // Not disabled while pending: that would take the focus away.
    let cancel_it = {
        let described_by = described_by.clone();
        move |_| {
            if !pending.get_untracked() {
                act.dispatch(false);
                browser::focus(&described_by);
            }
        }
    };
    let replay_it = move |_| {
        if !pending.get_untracked() {
            act.dispatch(true);
        }
    };
    // Two buttons, because one that changes its meaning could be pressed for its previous one.
    let goes_on = move || !state.get().is_final();
    let can_replay = move || matches!(state.get(), RunState::Failed | RunState::Cancelled);
    let describes = described_by.clone();
    view! {
        {part_when(goes_on, move || view! {
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-describedby=described_by.clone()
                on:click=cancel_it.clone()
            >
                <Mark pending icon=IconName::Square/>
                "Cancel"
            </Button>
        }
        .into_any())}
        {part_when(can_replay, move || view! {
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-describedby=describes.clone()
                attr:title="Run the same message again"
                on:click=replay_it
            >
                <Mark pending icon=IconName::RotateCw/>
                "Replay"
            </Button>
        }
        .into_any())}
    }
}

/// The button's icon, or a spinner while it is pending.
#[component]
fn Mark(pending: Memo<bool>, icon: IconName) -> impl IntoView {
    part(move || {
        if pending.get() {
            view! { <Spinner class="size-3.5"/> }.into_any()
        } else {
            view! { <Icon name=icon class="size-3.5"/> }.into_any()
        }
    })
}
