//! The place of the preview's frame: as large as the pane, or as a device, scaled to fit it and
//! with handles to drag. The style sheet (`preview.css`) does the arithmetic.

use leptos::{ev, html, prelude::*};

use super::viewport::Viewport;
use crate::ui::{
    browser,
    components::{Drag, follow_size},
    erased::part,
    pane::panes,
};

/// The preference for the size.
const KEY: &str = "preview-size";
/// The space that handles and shadow take beside and below the frame, in CSS pixels.
const EDGES: (u32, u32) = (40, 28);

/// The frame's size, and the pane's.
#[derive(Clone, Copy)]
pub struct Stage {
    pub element: NodeRef<html::Div>,
    pub viewport: RwSignal<Viewport>,
    room: RwSignal<(u32, u32)>,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            element: NodeRef::new(),
            viewport: RwSignal::new(Viewport::PANE),
            room: RwSignal::new((0, 0)),
        }
    }

    /// In thousandths.
    pub fn scale(self) -> u32 {
        self.viewport.get().scale(self.room.get())
    }

    /// The device's width and height; `None` if the frame is as large as the pane.
    pub fn size(self) -> Option<(u32, u32)> {
        self.viewport.get().size()
    }

    /// Sets the size, and saves it as the user's preference.
    pub fn choose(self, viewport: Viewport) {
        self.viewport.set(viewport);
        self.keep();
    }

    pub fn keep(self) {
        browser::remember(KEY, &self.viewport.get_untracked());
    }

    /// Restores the preferred size, and follows the pane's size. In the browser only.
    pub fn begin(self) {
        if let Some(viewport) = browser::remembered(KEY) {
            self.viewport.set(viewport);
        }
        follow_size(self.element, move |pane| {
            let side = |side: i32, edge: u32| side.unsigned_abs().saturating_sub(edge);
            self.room.set((
                side(pane.client_width(), EDGES.0),
                side(pane.client_height(), EDGES.1),
            ));
        });
    }
}

/// The sides of a device that a handle moves.
#[derive(Debug, Clone, Copy)]
struct Sides {
    width: bool,
    height: bool,
}

panes! {
    workspace:

    /// The handles of a device. Keyboard users have the fields of the toolbar.
    pub fn handles(stage: Stage) {
        handles_of(stage)
    }
}

fn handles_of(stage: Stage) -> AnyView {
    let has_size = Memo::new(move |_| stage.size().is_some());
    part(move || {
        if !has_size.get() {
            return ().into_any();
        }
        [
            ("frame-handle-x", true, false),
            ("frame-handle-y", false, true),
            ("frame-handle-xy", true, true),
        ]
        .map(|(class, width, height)| handle(stage, class, Sides { width, height }))
        .into_any()
    })
}

fn handle(stage: Stage, class: &'static str, sides: Sides) -> AnyView {
    let drag = Drag::new();
    let grab = move |pointer: ev::PointerEvent| {
        let viewport = stage.viewport.get_untracked();
        if let Some(size) = viewport.size() {
            drag.grab(&pointer, (size, viewport.scale(stage.room.get_untracked())));
        }
    };
    let moved = move |pointer: ev::PointerEvent| {
        if let Some((right, down, ((width, height), scale))) = drag.moved(&pointer) {
            let scale = scale.cast_signed();
            // The frame is centred: its right edge moves by half of its growth.
            let (right, down) = (right * 2000 / scale, down * 1000 / scale);
            let side = |side: u32, by: i32, moves: bool| match moves {
                true => side.saturating_add_signed(by),
                false => side,
            };
            stage.viewport.set(Viewport::custom(
                side(width, right, sides.width),
                side(height, down, sides.height),
            ));
        }
    };
    let release = move |_| {
        if drag.release() {
            stage.keep();
        }
    };
    view! {
        <div
            node_ref=drag.element
            aria-hidden="true"
            class=format!("frame-handle {class}")
            on:pointerdown=grab
            on:pointermove=moved
            on:pointerup=release
            on:pointercancel=release
        ></div>
    }
    .into_any()
}
