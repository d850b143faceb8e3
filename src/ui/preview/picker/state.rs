//! Whether picking is active, and the picked element.

use leptos::prelude::*;

use super::notice::PickNotice;
use crate::{
    protocol::PickedElement,
    ui::preview::{
        frame::{AppFrame, PICK, PICK_END},
        picked::Picked,
    },
};

#[derive(Clone, Copy)]
pub struct Picker {
    pub is_picking: RwSignal<bool>,
    /// The element in the panel.
    pub element: RwSignal<Option<PickedElement>>,
}

impl Picker {
    pub fn new() -> Self {
        Self {
            is_picking: RwSignal::new(false),
            element: RwSignal::new(None),
        }
    }

    pub fn has_element(self) -> bool {
        self.element.with(Option::is_some)
    }

    /// Listens to the app in the frame. In the browser only.
    pub fn begin(self, frame: AppFrame) {
        let picked = Picked::expect();
        frame.listen(move |message| {
            let notice = self
                .is_picking
                .get_untracked()
                .then(|| PickNotice::read(message))
                .flatten();
            match notice {
                Some(PickNotice::Picked(element)) => {
                    self.is_picking.set(false);
                    picked.set(Some(element.clone()));
                    self.element.set(Some(element));
                }
                Some(PickNotice::Ended) => self.is_picking.set(false),
                None => {}
            }
        });
        // Another page does not know that picking is active.
        Effect::new(move || {
            frame.loaded.track();
            self.is_picking.set(false);
        });
    }

    /// Starts or stops picking.
    pub fn toggle(self, frame: AppFrame) {
        let is_picking = !self.is_picking.get_untracked();
        self.is_picking.set(is_picking);
        frame.post(if is_picking { PICK } else { PICK_END });
        if is_picking {
            // So that the arrow keys work there, too.
            frame.focus();
        }
    }
}
