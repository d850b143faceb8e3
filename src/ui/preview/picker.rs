//! The element picker: a button lets the user point at an element in the preview. The app's report
//! about it accompanies the next message, and opens a panel to change the element.

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

/// Starts or stops picking.
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
