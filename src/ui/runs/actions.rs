//! What can be done about a run: end it while it goes on, try it again when it did not work out.

use leptos::prelude::*;

use crate::{
    api::runs::{cancel_run, replay_run},
    protocol::{ApiError, Run, RunId, RunState},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
    },
};

/// `described_by` is the id of the element that says which run it is; it gets the focus when the button that was pressed goes away.
#[component]
pub fn RunActions(
    id: RunId,
    state: Memo<RunState>,
    described_by: String,
    on_cancelled: Callback<Result<Run, ApiError>>,
    on_replayed: Callback<Result<Run, ApiError>>,
) -> impl IntoView {
    let cancel = Action::new(move |_: &()| async move {
        let cancelled = cancel_run(id).await;
        on_cancelled.try_run(cancelled);
    });
    let replay = Action::new(move |_: &()| async move {
        let replayed = replay_run(id).await;
        on_replayed.try_run(replayed);
    });
    let described_by = StoredValue::new(described_by);
    // Not disabled while they are at work: that would take the focus away.
    let cancel_it = move |_| {
        if !cancel.pending().get_untracked() {
            cancel.dispatch(());
            described_by.with_value(|id| browser::focus(id));
        }
    };
    let replay_it = move |_| {
        if !replay.pending().get_untracked() {
            replay.dispatch(());
        }
    };
    // Each in a place of its own: one button that changes its meaning could be pressed for what it was a moment ago.
    view! {
        <Show when=move || !state.get().is_final()>
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-describedby=described_by.get_value()
                on:click=cancel_it
            >
                <Mark pending=cancel.pending() icon=IconName::Square/>
                "Cancel"
            </Button>
        </Show>
        <Show when=move || matches!(state.get(), RunState::Failed | RunState::Cancelled)>
            <Button
                variant=ButtonVariant::Outline
                size=ButtonSize::Sm
                attr:aria-describedby=described_by.get_value()
                attr:title="Run the same message again"
                on:click=replay_it
            >
                <Mark pending=replay.pending() icon=IconName::RotateCw/>
                "Replay"
            </Button>
        </Show>
    }
}

/// The button's icon, or the sign that it is at work.
#[component]
fn Mark(pending: Memo<bool>, icon: IconName) -> impl IntoView {
    move || {
        if pending.get() {
            view! { <Spinner class="size-3.5"/> }.into_any()
        } else {
            view! { <Icon name=icon class="size-3.5"/> }.into_any()
        }
    }
}
