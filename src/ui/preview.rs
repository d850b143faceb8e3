//! The Preview tab: the running app in a frame, covered by an explanation while there is no page.
//! The frame stays mounted as long as its address does. It is reloaded if the app changed without
//! hot reload, and stays on its current page.

mod console;
mod errors;
mod fix;
mod frame;
mod freshness;
mod notice;
mod picked;
mod picker;
mod place;
mod screen;
mod stage;
mod toolbar;
mod viewport;

use std::time::Duration;

use leptos::{html, prelude::*};

use super::{
    browser::{self, Hydrated},
    conversation::Conversation,
    erased::{part, part_when},
    pane::{later, pane},
};
use crate::protocol::{PreviewState, ProjectId};

use console::{Console, console_drawer};
use errors::{AppErrors, ErrorBar};
use frame::AppFrame;
pub use frame::{FRAME_PERMISSIONS, SANDBOX};
use freshness::{Freshness, HOT_RELOAD};
use notice::PageNotice;
pub use picked::{Picked, PickedChip};
use picker::{Picker, picked_panel};
use place::address;
use screen::Screen;
use stage::{Stage, handles};
use toolbar::{Bar, preview_bar};

/// How long a page may take to confirm that it reloads itself.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(1);

/// A load of the frame: its address, and how many times it was reloaded.
type Load = (Option<String>, u32);

#[component]
pub fn PreviewPane(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    /// The number of the feed's current connection.
    line: Signal<u32>,
) -> impl IntoView {
    let hydrated = Hydrated::expect();
    let state = Memo::new(move |_| conversation.with(|all| all.preview().clone()));
    let url = Memo::new(move |known: Option<&Option<String>>| {
        state.with(|state| frame_url(state, known.cloned().flatten()))
    });
    let stage = Stage::new();
    let element = NodeRef::<html::Iframe>::new();
    let frame = AppFrame::new(element, url);

    // `loaded` is the last finished load; it is set again when the app navigates.
    let reloads = RwSignal::new(0_u32);
    let wanted = Memo::new(move |_| (url.get(), reloads.get()));
    let loaded = RwSignal::new(None::<Load>);
    let is_shown = Memo::new(move |_| loaded.get() == Some(wanted.get()));
    let freshness = StoredValue::new(Freshness::default());
    let errors = AppErrors::new();

    let page_changed = move || {
        freshness.try_update_value(|fresh| fresh.page_changed = browser::now());
    };
    // From outside, for a page that can't reload itself.
    let load_again = move || {
        if frame.load_again() {
            reloads.update(|reloads| *reloads += 1);
        }
    };
    let reload = move || {
        errors.replace(Vec::new());
        if !frame.ask_to_reload() {
            load_again();
            return;
        }
        let unless_it_does = move || {
            if frame.awaits_reload() {
                load_again();
            }
        };
        set_timeout(unless_it_does, RELOAD_TIMEOUT);
    };
    let on_load = move |_| {
        page_changed();
        frame.note_load();
        // Another page has other errors; it reports them when it is greeted.
        errors.replace(Vec::new());
        frame.greet();
        loaded.set(Some(wanted.get_untracked()));
    };

    Effect::new(move || {
        frame.listen(move |message| match PageNotice::read(message) {
            Some(PageNotice::Loaded | PageNotice::Updated) => page_changed(),
            Some(PageNotice::Connected) => {
                freshness.update_value(|fresh| fresh.disconnected = false)
            }
            Some(PageNotice::Disconnected) => {
                freshness.update_value(|fresh| fresh.disconnected = true)
            }
            Some(PageNotice::Errors(reported)) => errors.replace(reported),
            Some(PageNotice::Place(place)) => frame.set_place(place),
            Some(PageNotice::History(back, forward)) => frame.set_history(back, forward),
            Some(PageNotice::Reloading) => frame.note_reload(),
            None => {}
        });
    });

    let last_files = Memo::new(move |_| conversation.with(Conversation::last_files));
    Effect::new(move |before: Option<i64>| {
        let files = last_files.get();
        if before.is_some_and(|before| files > before) {
            freshness.update_value(|fresh| fresh.files_changed = browser::now());
        }
        files
    });
    let ended_runs = Memo::new(move |_| conversation.with(Conversation::ended_runs));
    Effect::new(move |before: Option<usize>| {
        let ended = ended_runs.get();
        if before.is_some_and(|before| ended > before) {
            let reload_if_stale = move || {
                if freshness.try_get_value().is_some_and(Freshness::is_stale) {
                    reload();
                }
            };
            if let Ok(timer) = set_timeout_with_handle(reload_if_stale, HOT_RELOAD) {
                on_cleanup(move || timer.clear());
            }
        }
        ended
    });
    // A new frame has loaded nothing.
    Effect::new(move || {
        if url.with(Option::is_none) {
            loaded.set(None);
        }
    });
    // A restarted sandbox serves the same address with a dev server that doesn't know this page.
    Effect::new(move |was_down: Option<bool>| {
        let (down, ready) = state.with(|state| {
            (
                matches!(state, PreviewState::Starting | PreviewState::Failed { .. }),
                matches!(state, PreviewState::Ready { .. }),
            )
        });
        let was_down = was_down.unwrap_or(false);
        if was_down && ready && loaded.with_untracked(Option::is_some) {
            reload();
        }
        down || (was_down && !ready)
    });

    let console = Console::new();
    let picker = Picker::new();
    let bar = Bar {
        frame,
        stage,
        console,
        picker,
        project,
        is_asleep: Memo::new(move |_| {
            state.with(|state| matches!(state, PreviewState::Asleep { .. }))
        }),
        on_reload: Callback::new(move |()| reload()),
    };
    view! {
        <div class="preview-top">{later("the preview's bar", move || preview_bar(bar))}</div>
        <div node_ref=stage.element class="relative flex min-h-0 flex-1 justify-center overflow-hidden bg-muted/50">
            <div
                class="frame-room"
                data-device=move || stage.size().map(|_| "")
                style=("--frame-width", move || Some(format!("{}px", stage.size()?.0)))
                style=("--frame-height", move || Some(format!("{}px", stage.size()?.1)))
                style=("--frame-scale", move || stage.size().map(|_| stage.scale().to_string()))
            >
                {part(move || {
                    url.get()
                        .filter(|_| hydrated.get())
                        .map(|url| {
                            view! {
                                <iframe
                                    node_ref=element
                                    title="Preview"
                                    src=address(&url, &frame.place.get_untracked())
                                    sandbox=SANDBOX
                                    allow=FRAME_PERMISSIONS
                                    class=("invisible", move || !is_shown.get())
                                    on:load=on_load
                                ></iframe>
                            }
                        })
                        .into_any()
                })}
                {later("the handles", move || handles(stage))}
            </div>
            <Screen project conversation state is_shown/>
        </div>
        {part_when(move || picker.has_element(), move || later("the picked element", move || picked_panel(picker, project)))}
        {part_when(move || console.is_open.get(), move || pane("the console", move || console_drawer(console, frame, project)))}
        <ErrorBar project conversation errors line/>
    }
}

/// The address for the frame: the first that answers, kept until another one answers.
fn frame_url(state: &PreviewState, known: Option<String>) -> Option<String> {
    match state {
        PreviewState::None | PreviewState::Asleep { .. } => None,
        PreviewState::Starting => known,
        PreviewState::Compiling { url } => known.filter(|known| known == url),
        PreviewState::Ready { url, .. } => Some(url.clone()),
        PreviewState::Failed { url, .. } => url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(url: &str) -> PreviewState {
        PreviewState::Ready {
            url: url.to_owned(),
            notice: None,
        }
    }

    #[test]
    fn the_frame_keeps_its_address_while_the_same_app_compiles_or_starts_again() {
        let url = "http://3000-a.localhost:3000/".to_owned();
        assert_eq!(
            frame_url(&PreviewState::Compiling { url: url.clone() }, None),
            None
        );
        assert_eq!(frame_url(&ready(&url), None), Some(url.clone()));
        assert_eq!(
            frame_url(
                &PreviewState::Compiling { url: url.clone() },
                Some(url.clone())
            ),
            Some(url.clone())
        );
        assert_eq!(
            frame_url(&PreviewState::Starting, Some(url.clone())),
            Some(url.clone())
        );
        assert_eq!(
            frame_url(&ready("http://3000-b.localhost:3000/"), Some(url)),
            Some("http://3000-b.localhost:3000/".to_owned())
        );
    }
}
