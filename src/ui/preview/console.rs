//! The console under the preview: what the page logs, throws and fails to load, and the dev
//! server's output. It collects from the page's first load on, open or not; its view is fetched
//! when it is first opened.

mod entries;
mod server_log;

use leptos::{ev, html, prelude::*};

use super::frame::{ASK_CONSOLE, AppFrame};
use crate::{
    protocol::{LogLevel, ProjectId},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Drag, Icon, IconName, Toast, Toaster},
        erased::{part, rows},
        pane::panes,
    },
};

use entries::{Batch, Entries, Entry};
use server_log::ServerLog;

/// The preference: whether it is open, and its height in CSS pixels.
const KEY: &str = "preview-console";
const LOWEST: i32 = 96;
const HIGHEST: i32 = 640;
const DEFAULT: i32 = 224;
const STEP: i32 = 24;

/// The console's state.
#[derive(Clone, Copy)]
pub struct Console {
    pub is_open: RwSignal<bool>,
    entries: RwSignal<Entries>,
    height: RwSignal<i32>,
}

/// The kinds of entries to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    All,
    Only(LogLevel),
}

const FILTERS: [(Filter, &str); 5] = [
    (Filter::All, "All"),
    (Filter::Only(LogLevel::Error), "Errors"),
    (Filter::Only(LogLevel::Warning), "Warnings"),
    (Filter::Only(LogLevel::Message), "Messages"),
    (Filter::Only(LogLevel::Network), "Network"),
];

impl Filter {
    fn passes(self, level: LogLevel) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == level,
        }
    }
}

impl Console {
    pub fn new() -> Self {
        Self {
            is_open: RwSignal::new(false),
            entries: RwSignal::new(Entries::default()),
            height: RwSignal::new(DEFAULT),
        }
    }

    /// Restores the preferred state, and listens to the app in the frame. In the browser only.
    pub fn begin(self, frame: AppFrame) {
        if let Some(kept) = browser::remembered::<String>(KEY)
            && let Some((state, height)) = kept.split_once(' ')
        {
            self.is_open.set(state == "open");
            if let Ok(height) = height.parse::<i32>() {
                self.height.set(height.clamp(LOWEST, HIGHEST));
            }
        }
        frame.listen(move |message| {
            if let Some(batch) = Batch::read(message) {
                self.entries.update(|entries| entries.take(batch));
            }
        });
        // What the page sent before this was fetched. A page loaded later sends everything.
        if frame.speaks() {
            frame.post(ASK_CONSOLE);
        }
    }

    pub fn toggle(self) {
        self.is_open.update(|is_open| *is_open = !*is_open);
        self.keep();
    }

    fn keep(self) {
        let state = match self.is_open.get_untracked() {
            true => "open",
            false => "closed",
        };
        let height = self.height.get_untracked();
        browser::remember(KEY, &format!("{state} {height}"));
    }

    /// Whether the page has an error that was not cleared.
    pub fn has_errors(self) -> bool {
        self.entries.with(|entries| {
            entries
                .rows()
                .any(|entry| matches!(entry.level, LogLevel::Error | LogLevel::Network))
        })
    }
}

panes! {
    preview_tools:

    /// The console; its code is fetched when it is first opened.
    pub fn console_drawer(console: Console, frame: AppFrame, project: ProjectId) {
        drawer(console, frame, project)
    }
}

fn drawer(console: Console, frame: AppFrame, project: ProjectId) -> AnyView {
    let filter = RwSignal::new(Filter::All);
    let of_server = RwSignal::new(false);
    let server_log = ServerLog::new(project, of_server);
    let shown = Memo::new(move |_| {
        let filter = filter.get();
        let pick = |entries: &mut dyn Iterator<Item = &Entry>| {
            entries
                .filter(|entry| filter.passes(entry.level))
                .cloned()
                .collect::<Vec<Entry>>()
        };
        if of_server.get() {
            server_log.entries.with(|rows| pick(&mut rows.iter()))
        } else {
            console.entries.with(|entries| pick(&mut entries.rows()))
        }
    });
    let clear = move |_| {
        if of_server.get_untracked() {
            server_log.entries.update(std::collections::VecDeque::clear);
        } else {
            console.entries.update(Entries::clear);
        }
    };
    let toaster = Toaster::expect();
    let copy = move |_| {
        let text = shown.with_untracked(|rows| {
            let texts: Vec<&str> = rows.iter().map(|entry| entry.text.as_str()).collect();
            texts.join("\n")
        });
        toaster.show(match browser::copy(&text) {
            true => Toast::new("The console is copied."),
            false => Toast::error("The browser didn't let the console be copied."),
        });
    };
    let nothing = Signal::derive(move || shown.with(Vec::is_empty));
    view! {
        <section aria-label="Console" class="console" style:height=move || format!("{}px", console.height.get())>
            {border(console)}
            <div class="console-bar">
                {choices("Source", &[(false, "Page"), (true, "Dev server")], of_server)}
                {choices("Level", &FILTERS, filter)}
                <span class="ml-auto flex items-center">
                    <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=nothing on:click=copy>"Copy all"</Button>
                    <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm disabled=nothing on:click=clear>"Clear"</Button>
                    <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label="Close" on:click=move |_| console.toggle()>
                        <Icon name=IconName::X class="size-3.5"/>
                    </Button>
                </span>
            </div>
            {list(shown)}
            {part(move || {
                let note = match (nothing.get(), of_server.get()) {
                    (false, _) => return ().into_any(),
                    (true, true) => server_log.note(),
                    (true, false) if frame.has_tools.get() == Some(false) => {
                        "This page doesn't carry CodeFlow's script, so what it writes to its console can't be shown here."
                    }
                    (true, false) => "Nothing here. What the page writes to its console shows up as it happens.",
                };
                view! { <p class="console-empty">{note}</p> }.into_any()
            })}
        </section>
    }
    .into_any()
}

/// The border above it, which can be dragged or moved with the arrow keys.
fn border(console: Console) -> AnyView {
    let drag = Drag::new();
    let resize = move |height: i32| console.height.set(height.clamp(LOWEST, HIGHEST));
    let on_key = move |key: ev::KeyboardEvent| {
        let height = console.height.get_untracked();
        resize(match key.key().as_str() {
            "ArrowUp" => height + STEP,
            "ArrowDown" => height - STEP,
            "Home" => LOWEST,
            "End" => HIGHEST,
            _ => return,
        });
        key.prevent_default();
        console.keep();
    };
    let release = move |_| {
        if drag.release() {
            console.keep();
        }
    };
    view! {
        <div
            node_ref=drag.element
            role="separator"
            aria-label="Height of the console"
            aria-orientation="horizontal"
            aria-valuemin=LOWEST.to_string()
            aria-valuemax=HIGHEST.to_string()
            aria-valuenow=move || console.height.get().to_string()
            tabindex="0"
            class="console-border"
            on:keydown=on_key
            on:pointerdown=move |pointer| drag.grab(&pointer, console.height.get_untracked())
            on:pointermove=move |pointer| {
                if let Some((_, down, height)) = drag.moved(&pointer) {
                    resize(height - down);
                }
            }
            on:pointerup=release
            on:pointercancel=release
        ></div>
    }
    .into_any()
}

/// Buttons, one of which is pressed.
fn choices<T: Copy + PartialEq + Send + Sync + 'static>(
    label: &'static str,
    all: &[(T, &'static str)],
    chosen: RwSignal<T>,
) -> AnyView {
    let buttons: Vec<AnyView> = all
        .iter()
        .map(|(choice, label)| {
            let choice = *choice;
            view! {
                <button
                    type="button"
                    aria-pressed=move || (chosen.get() == choice).to_string()
                    on:click=move |_| chosen.set(choice)
                >
                    {*label}
                </button>
            }
            .into_any()
        })
        .collect();
    view! { <div role="group" aria-label=label class="console-choices">{buttons}</div> }.into_any()
}

/// The rows; the newest stays in view unless the user scrolled up.
fn list(shown: Memo<Vec<Entry>>) -> AnyView {
    let element = NodeRef::<html::Div>::new();
    let at_end = StoredValue::new(true);
    let on_scroll = move |_| {
        if let Some(list) = element.get_untracked() {
            at_end.set_value(list.scroll_height() - list.scroll_top() - list.client_height() < 8);
        }
    };
    Effect::new(move || {
        shown.track();
        if let Some(list) = element.get().filter(|_| at_end.get_value()) {
            request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
        }
    });
    let keys = move || shown.with(|rows| rows.iter().map(key).collect());
    let row = move |wanted: String| {
        let found = shown.with_untracked(|rows| {
            let found = rows.iter().find(|entry| key(entry) == wanted);
            found.cloned()
        });
        found.map_or_else(|| ().into_any(), row)
    };
    view! {
        <div node_ref=element role="list" aria-label="Console entries" tabindex="0" class="console-list" on:scroll=on_scroll>
            {rows(keys, row)}
        </div>
    }
    .into_any()
}

fn key(entry: &Entry) -> String {
    format!("{}-{}", entry.number, entry.count)
}

fn row(entry: Entry) -> AnyView {
    let (class, name) = match entry.level {
        LogLevel::Error => ("console-error", "Error"),
        LogLevel::Network => ("console-error", "Network"),
        LogLevel::Warning => ("console-warning", "Warning"),
        LogLevel::Message => ("", ""),
    };
    let count = (entry.count > 1)
        .then(|| view! { <span class="console-count">{format!("×{}", entry.count)}</span> });
    view! {
        <div role="listitem" class=class>
            <span class="sr-only">{name}</span>
            {count}
            <code dir="auto">{entry.text}</code>
        </div>
    }
    .into_any()
}
