//! The workspace's entries in the command menu. Stopping a run belongs to the message field.

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::{
    CODE, PREVIEW, TERMINAL,
    header::{PhonePart, ZIP_ID},
    title::RENAME_ID,
};
use crate::{
    protocol::ProjectId,
    ui::{
        browser,
        commands::Commands,
        components::IconName,
        consents::ConsentsOpen,
        prompt_field::{LIBRARY_ID, MESSAGE_ID},
        share::SHARE_ID,
        team,
    },
};

/// Adds them until the page is left. `viewed`: the version that is shown instead of the app.
pub fn add(
    project: ProjectId,
    (tab, part): (RwSignal<&'static str>, RwSignal<PhonePart>),
    viewed: Memo<Option<String>>,
    versions_open: RwSignal<bool>,
    consents_open: ConsentsOpen,
) {
    let commands = Commands::expect();
    let can_edit = team::can_edit();
    let navigate = use_navigate();
    Effect::new(move || {
        for shown in [PREVIEW, CODE, TERMINAL] {
            if shown == TERMINAL && !can_edit {
                continue;
            }
            let navigate = navigate.clone();
            commands.add(shown.label, shown.icon, move || {
                if viewed.with_untracked(Option::is_some) {
                    navigate(&format!("/projects/{project}"), Default::default());
                }
                part.set(PhonePart::App);
                tab.set(shown.id);
                request_animation_frame(move || browser::focus(shown.id));
            });
        }
        commands.add("Versions", IconName::Clock, move || versions_open.set(true));
        commands.add("Download ZIP", IconName::Download, || {
            browser::press(ZIP_ID)
        });
        if team::is_owner() {
            commands.add("Share", IconName::ExternalLink, || browser::press(SHARE_ID));
        }
        if can_edit {
            commands.add("Rename project", IconName::Pencil, || {
                browser::press(RENAME_ID)
            });
            commands.add("New message", IconName::MessageSquare, move || {
                part.set(PhonePart::Chat);
                request_animation_frame(|| browser::focus(MESSAGE_ID));
            });
            commands.add("Allowed tools", IconName::Wrench, move || {
                consents_open.set()
            });
            commands.add("Saved prompts", IconName::Bookmark, move || {
                part.set(PhonePart::Chat);
                request_animation_frame(|| browser::press(LIBRARY_ID));
            });
        }
    });
}
