//! Search in all files: lines that contain a text, by file.

use std::time::Duration;

use leptos::{html, prelude::*};

use super::session::Session;
use crate::{
    api::files::search_files,
    protocol::{ApiError, FileMatches},
    ui::components::SearchInput,
};

/// The pause in typing after which the search begins.
const PAUSE: Duration = Duration::from_millis(350);

/// `on_choose` opens a line of a file.
#[component]
pub fn SearchFiles(
    session: Session,
    on_choose: impl Fn(String, u32) + Copy + Send + 'static,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let wanted = RwSignal::new(String::new());
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        let text = typed.get();
        let timer = set_timeout_with_handle(
            move || {
                wanted.try_set(text);
            },
            PAUSE,
        );
        if let Ok(timer) = timer {
            on_cleanup(move || timer.clear());
        }
    });
    Effect::new(move || {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
    let found = LocalResource::new(move || {
        let text = wanted.get();
        async move {
            match text.is_empty() {
                true => None,
                false => Some(search_files(session.project, text).await),
            }
        }
    });
    let row = move |path: String, line: u32, text: String| {
        let label = format!("{path}, line {line}: {text}");
        let to = path.clone();
        view! {
            <li>
                <button
                    type="button"
                    aria-label=label
                    class="flex w-full cursor-pointer flex-col gap-0.5 rounded-md px-2 py-1.5 text-left hover:bg-accent focus-ring-inset"
                    on:click=move |_| on_choose(to.clone(), line)
                >
                    <span class="w-full truncate text-[0.6875rem] text-muted-foreground" dir="auto">{path}":"{line}</span>
                    <code class="w-full truncate font-mono text-xs" dir="ltr">{text}</code>
                </button>
            </li>
        }
    };
    let results = move || match found.get().flatten() {
        None => ().into_any(),
        Some(Err(ApiError { message, .. })) => {
            view! { <p role="alert" class="px-3 text-xs text-muted-foreground">{message}</p> }
                .into_any()
        }
        Some(Ok(FileMatches { matches, more })) => {
            let said = match matches.len() {
                0 => "Nothing was found.".to_owned(),
                1 => "1 line".to_owned(),
                count if more => format!("The first {count} lines"),
                count => format!("{count} lines"),
            };
            view! {
                <p aria-live="polite" class="px-3 text-xs text-muted-foreground">{said}</p>
                <ul class="min-h-0 flex-1 overflow-auto p-1.5">
                    {matches.into_iter().map(|found| row(found.path, found.line, found.text)).collect_view()}
                </ul>
            }
            .into_any()
        }
    };
    view! {
        <div class="flex min-h-0 flex-1 flex-col gap-2">
            <div class="px-2">
                <SearchInput label="Search in all files" value=typed class="h-8 md:text-xs" node_ref=field/>
            </div>
            {results}
        </div>
    }
}
