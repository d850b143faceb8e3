//! What the command menu lists of a page.

use leptos::prelude::*;

use crate::ui::components::IconName;

/// Something that the page in view can do.
#[derive(Debug, Clone)]
pub struct Command {
    pub label: String,
    pub icon: IconName,
    pub run: Callback<()>,
}
