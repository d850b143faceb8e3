//! The choice of a message's mode, beside its field. It is kept in the browser for each project.

use leptos::prelude::*;

use super::{
    browser,
    components::{Choice, RadioGroup},
};
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

/// The project's chosen mode, if it is another one than a build. Only called in the browser, as
/// [`keep`] is.
pub fn kept(project: ProjectId) -> Option<&'static str> {
    let mode: Mode = browser::draft(&key(project))?.parse().ok()?;
    Some(mode.as_str())
}

/// Keeps the choice for the project, as its unsent message is kept.
pub fn keep(project: ProjectId, mode: &'static str) {
    match mode == Mode::Build.as_str() {
        true => browser::forget_draft(&key(project)),
        false => browser::keep_draft(&key(project), mode),
    }
}

fn key(project: ProjectId) -> String {
    format!("mode-{project}")
}

/// The choice, as a part of a form.
#[component]
pub fn ModePicker(mode: RwSignal<&'static str>) -> impl IntoView {
    view! { <RadioGroup name="mode" label="Mode" choices=&MODES selected=mode compact=true/> }
}
