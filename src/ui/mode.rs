//! The choice of a message's mode, beside its field. It is remembered for each project as long as
//! the page is open.

use std::cell::RefCell;

use leptos::prelude::*;

use super::components::{Choice, RadioGroup};
use crate::protocol::{Mode, ProjectId};

const MODES: [Choice; 3] = [
    Choice {
        value: "build",
        label: "Build",
        icon: None,
        title: Some("Change the app"),
    },
    Choice {
        value: "plan",
        label: "Plan",
        icon: None,
        title: Some("Get questions and a plan first; nothing is changed before you approve it"),
    },
    Choice {
        value: "ask",
        label: "Ask",
        icon: None,
        title: Some("Get an answer; nothing is changed"),
    },
];

thread_local! {
    /// Only used in the browser, where there is one thread.
    static CHOSEN: RefCell<Vec<(ProjectId, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// The project's chosen mode, by default a build.
pub fn chosen(project: ProjectId) -> &'static str {
    CHOSEN.with_borrow(|all| {
        let found = all.iter().find(|(of, _)| *of == project);
        found.map_or(Mode::Build.as_str(), |(_, mode)| mode)
    })
}

/// Remembers the choice for the project. Only called in the browser.
pub fn keep(project: ProjectId, mode: &'static str) {
    CHOSEN.with_borrow_mut(|all| {
        all.retain(|(of, _)| *of != project);
        if mode != Mode::Build.as_str() {
            all.push((project, mode));
        }
    });
}

/// The choice, as a part of a form.
#[component]
pub fn ModePicker(mode: RwSignal<&'static str>) -> impl IntoView {
    view! { <RadioGroup name="mode" label="Mode" choices=&MODES selected=mode compact=true/> }
}
