//! The menu of a line of the tree: by the mouse's other button, the menu key or Shift+F10 there,
//! and by the toolbar's button "More".

use leptos::prelude::*;

use super::{
    row::Row,
    session::{Session, raw_url},
};
use crate::ui::{
    browser,
    components::{DropdownMenuContent, DropdownMenuItem, DropdownMenuSeparator, Icon, IconName},
};

/// The menu's id: lines name it in `data-menu`.
pub const MENU: &str = "file-menu";

/// What can be done with the selected line.
#[component]
pub fn FileMenu(
    session: Session,
    selected: RwSignal<Option<Row>>,
    on_open: Callback<String>,
    on_rename: Callback<()>,
    on_delete: Callback<()>,
) -> impl IntoView {
    let path = move || {
        let path = selected.with_untracked(|row| row.as_ref().map(|row| row.path.clone()));
        path.unwrap_or_default()
    };
    let is_file =
        Memo::new(move |_| selected.with(|row| row.as_ref().is_some_and(|row| row.open.is_none())));
    let none = Signal::derive(move || selected.with(Option::is_none));
    let no_file = Signal::derive(move || !is_file.get());
    let open_raw = move |()| {
        let address = raw_url(session.project, &path());
        let _ = window().open_with_url_and_target_and_features(&address, "_blank", "noopener");
    };
    view! {
        <button type="button" popovertarget=MENU aria-haspopup="menu" aria-label="More" title="More (Shift F10)" class="tool-button focus-ring">
            <Icon name=IconName::Ellipsis class="size-3.5"/>
        </button>
        <DropdownMenuContent id=MENU label="The selected file">
            <DropdownMenuItem icon=Some(IconName::Code) disabled=no_file on_select=move |()| on_open.run(path())>"Open"</DropdownMenuItem>
            <DropdownMenuItem icon=Some(IconName::Download) disabled=no_file on_select=open_raw>"Open as it is"</DropdownMenuItem>
            <DropdownMenuItem
                icon=Some(IconName::Copy)
                disabled=none
                on_select=move |()| {
                    browser::copy(&path());
                }
            >
                "Copy path"
            </DropdownMenuItem>
            {session
                .can_edit
                .then(|| {
                    view! {
                        <DropdownMenuSeparator/>
                        <DropdownMenuItem icon=Some(IconName::Pencil) disabled=none on_select=on_rename>"Rename or move"</DropdownMenuItem>
                        <DropdownMenuItem icon=Some(IconName::Trash) destructive=true disabled=none on_select=on_delete>"Delete"</DropdownMenuItem>
                    }
                })}
        </DropdownMenuContent>
    }
}
