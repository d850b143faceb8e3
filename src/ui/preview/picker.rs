//! The element picker: a button lets the visitor point at an element in the preview. What the app
//! reports of it goes with the next message, and opens a panel in which it is changed.

mod notice;
mod panel;
mod state;

use leptos::prelude::*;

use super::frame::AppFrame;
use crate::ui::{
    components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
    team,
};

pub use panel::picked_panel;
pub use state::Picker;

/// Begins to pick, or ends it.
pub fn pick_button(picker: Picker, frame: AppFrame) -> AnyView {
    if !team::can_edit() {
        return ().into_any();
    }
    let disabled = Signal::derive(move || frame.has_tools.get() != Some(true));
    view! {
        <Button
            variant=ButtonVariant::Ghost
            size=ButtonSize::Icon
            disabled
            attr:aria-label="Pick an element"
            attr:data-tooltip="Pick an element"
            attr:aria-pressed=move || picker.is_picking.get().to_string()
            on:click=move |_| picker.toggle(frame)
        >
            <Icon name=IconName::SquarePointer/>
        </Button>
    }
    .into_any()
}
