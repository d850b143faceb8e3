//! Dragging an element by mouse, pen or finger.

use leptos::{ev, html, prelude::*};

/// A drag of an element. It captures all pointer events until it is released, even those over
/// frames. `S` is the state at its beginning, such as the element's size.
pub struct Drag<S: 'static> {
    pub element: NodeRef<html::Div>,
    /// The pointer's position and the state at the beginning.
    start: StoredValue<Option<((i32, i32), S)>>,
}

impl<S> Clone for Drag<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Drag<S> {}

impl<S: Copy + Send + Sync> Drag<S> {
    pub fn new() -> Self {
        Self {
            element: NodeRef::new(),
            start: StoredValue::new(None),
        }
    }

    /// For `pointerdown`. The element gets the focus, if it can have it.
    pub fn grab(self, pointer: &ev::PointerEvent, begin: S) {
        if let Some(element) = self.element.get_untracked()
            && element.set_pointer_capture(pointer.pointer_id()).is_ok()
        {
            pointer.prevent_default();
            let _ = element.focus();
            let at = (pointer.client_x(), pointer.client_y());
            self.start.set_value(Some((at, begin)));
        }
    }

    /// For `pointermove`: the distance from the start, to the right and down in CSS pixels, and the
    /// state at the beginning.
    pub fn moved(self, pointer: &ev::PointerEvent) -> Option<(i32, i32, S)> {
        self.start
            .get_value()
            .map(|((x, y), begin)| (pointer.client_x() - x, pointer.client_y() - y, begin))
    }

    /// For `pointerup` and `pointercancel`: whether this ends a drag.
    pub fn release(self) -> bool {
        self.start
            .try_update_value(|start| start.take().is_some())
            .unwrap_or_default()
    }
}
