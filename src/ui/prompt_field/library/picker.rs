//! The list of saved prompts, with a search: Enter takes the first, the arrow keys move.

use leptos::{ev, html, prelude::*};

use super::state::{Library, News, SEARCH_ID, Shown};
use crate::{
    protocol::{SavedPrompt, SavedPromptId, shorten},
    ui::{
        browser,
        components::{
            Alert, Button, ButtonSize, ButtonVariant, DropdownMenuContent, DropdownMenuItem,
            DropdownMenuTrigger, EmptyState, Icon, IconName, SearchInput, Skeleton,
        },
        erased::{part, part_when, rows, words},
    },
};

/// How much of a prompt's text the list shows, in characters.
const EXCERPT: usize = 160;

pub fn picker(library: Library) -> AnyView {
    let search = RwSignal::new(String::new());
    let found = Memo::new(move |_| {
        let search = search.get();
        library.all.with(|all| {
            let all = all.iter().flatten();
            let found = all.filter(|prompt| prompt.matches(&search));
            found.map(|prompt| prompt.id).collect::<Vec<_>>()
        })
    });
    let count = Memo::new(move |_| library.all.with(|all| all.as_ref().map(Vec::len)));
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let Some(field) = field.get() {
            field.set_id(SEARCH_ID);
            request_animation_frame(|| browser::focus(SEARCH_ID));
        }
    });
    let on_key = move |key: ev::KeyboardEvent| {
        let all = found.get_untracked();
        let Some(at) = place(&all) else {
            return;
        };
        let last = all.len().checked_sub(1);
        let next = match (key.key().as_str(), at) {
            // Within the prompt's form, it would send that.
            ("Enter", None) => {
                key.prevent_default();
                if let Some(first) = all.first().filter(|_| !key.is_composing()) {
                    library.insert(*first);
                }
                return;
            }
            ("ArrowDown", None) => last.map(|_| 0),
            ("ArrowDown", Some(at)) => last.map(|last| (at + 1).min(last)),
            ("ArrowUp", Some(at)) => at.checked_sub(1),
            ("Home", Some(_)) => Some(0),
            ("End", Some(_)) => last,
            _ => return,
        };
        key.prevent_default();
        match next.and_then(|next| all.get(next)) {
            Some(next) => browser::focus(&element_id(*next)),
            None => browser::focus(SEARCH_ID),
        }
    };
    let row = move |id: String| match id.parse() {
        Ok(id) => row(library, id),
        Err(_) => ().into_any(),
    };
    let keys = move || {
        let found = found.get().into_iter();
        found.map(|id| id.to_string()).collect::<Vec<_>>()
    };
    view! {
        <div on:keydown=on_key>
            <SearchInput label="Search saved prompts" value=search class="" node_ref=field/>
            {news(library)}
            {part(move || none(count.get(), found.with(Vec::is_empty), library.news.get()))}
            <ul role="list" aria-label="Saved prompts" class="-mx-2 mt-3 max-h-[45dvh] overflow-y-auto empty:hidden">
                {rows(keys, row)}
            </ul>
            <p role="status" class="sr-only">
                {words(move || if search.with(String::is_empty) { String::new() } else { format!("{} found", found.with(Vec::len)) })}
            </p>
            {save(library)}
        </div>
    }
    .into_any()
}

/// Which of the prompts has the focus; `Some(None)` if the search has it, `None` if neither.
fn place(all: &[SavedPromptId]) -> Option<Option<usize>> {
    let active = document().active_element()?.id();
    if active == SEARCH_ID {
        return Some(None);
    }
    let at = all.iter().position(|id| element_id(*id) == active);
    at.map(Some)
}

fn element_id(id: SavedPromptId) -> String {
    format!("saved-prompt-{id}")
}

/// What is shown instead of prompts.
fn none(count: Option<usize>, none_found: bool, news: Option<News>) -> AnyView {
    let state = match count {
        None if matches!(news, Some(News::Failed(_))) => return ().into_any(),
        None => {
            view! {
                <div aria-busy="true">
                    <span class="sr-only">"Loading saved prompts"</span>
                    <Skeleton class="h-9 w-full"/>
                </div>
            }
            .into_any()
        }
        Some(0) => view! {
            <EmptyState
                icon=IconName::Bookmark
                title="No saved prompts yet"
                hint="Save what you write again and again, such as the look that you like or rules for every app. Write it into the message field, then open this list and choose “Save prompt”."
            />
        }
        .into_any(),
        Some(_) if none_found => view! {
            <EmptyState icon=IconName::Search title="No prompt matches" hint="Try other words, or clear the search."/>
        }
        .into_any(),
        Some(_) => return ().into_any(),
    };
    view! { <div class="mt-3">{state}</div> }.into_any()
}

/// A prompt, and the menu "More".
fn row(library: Library, id: SavedPromptId) -> AnyView {
    let Some(first) = library.find(id) else {
        return ().into_any();
    };
    let prompt = Memo::new(move |before: Option<&SavedPrompt>| {
        library.all.track();
        let found = library.find(id);
        found
            .or_else(|| before.cloned())
            .unwrap_or_else(|| first.clone())
    });
    let menu = format!("more-{}", element_id(id));
    let edit = move || library.show(Shown::Form(library.find(id)));
    let more = move || format!("More for {}", prompt.with(|prompt| prompt.name.clone()));
    let excerpt = move || prompt.with(|prompt| shorten(prompt.text.trim(), EXCERPT).into_owned());
    view! {
        <li class="flex items-center gap-1 rounded-lg pr-1 hover:bg-accent">
            <button
                type="button"
                id=element_id(id)
                title="Put it into the message field"
                class="min-w-0 flex-1 cursor-pointer rounded-lg px-2 py-2 text-left focus-ring-inset"
                on:click=move |_| library.insert(id)
            >
                <span dir="auto" class="block truncate text-sm font-medium">{words(move || prompt.with(|prompt| prompt.name.clone()))}</span>
                <span dir="auto" class="mt-0.5 line-clamp-2 text-xs leading-5 text-muted-foreground">{words(excerpt)}</span>
            </button>
            <DropdownMenuTrigger menu=menu.clone() attr:aria-label=more>
                <Icon name=IconName::Ellipsis/>
            </DropdownMenuTrigger>
            <DropdownMenuContent id=menu label="More">
                <DropdownMenuItem icon=Some(IconName::Pencil) on_select=edit>"Edit"</DropdownMenuItem>
                <DropdownMenuItem icon=Some(IconName::Trash) destructive=true on_select=move || library.delete(id)>"Delete"</DropdownMenuItem>
            </DropdownMenuContent>
        </li>
    }
    .into_any()
}

/// What happened last, with a button to undo a deletion.
fn news(library: Library) -> AnyView {
    let shown = part(move || match library.news.get() {
        None => ().into_any(),
        Some(News::Saved(name)) => line(format!("“{name}” was saved."), ().into_any()),
        Some(News::Deleted(prompt)) => {
            let undo = move |_| library.undelete(prompt.id);
            let undo = view! { <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=undo>"Undo"</Button> };
            line(format!("“{}” was deleted.", prompt.name), undo.into_any())
        }
        Some(News::Failed(why)) => {
            view! { <div class="mt-3"><Alert>{why}</Alert></div> }.into_any()
        }
    });
    view! { <div aria-live="polite">{shown}</div> }.into_any()
}

fn line(text: String, action: AnyView) -> AnyView {
    view! {
        <div class="mt-3 flex items-center gap-3 text-sm">
            <p dir="auto" class="min-w-0 flex-1 wrap-anywhere">{text}</p>
            {action}
        </div>
    }
    .into_any()
}

/// Saves the field's text.
fn save(library: Library) -> AnyView {
    let text = library.field.text;
    let is_blank = Memo::new(move |_| text.with(|text| text.trim().is_empty()));
    view! {
        <div class="mt-4 flex flex-wrap items-center justify-end gap-3">
            {part_when(move || is_blank.get(), || view! {
                <p class="min-w-0 flex-1 text-xs leading-5 text-muted-foreground">"To save a prompt, write it into the message field first."</p>
            }
            .into_any())}
            <Button
                variant=ButtonVariant::Outline
                disabled=is_blank
                on:click=move |_| library.show(Shown::Form(None))
            >
                <Icon name=IconName::Bookmark/>
                "Save prompt"
            </Button>
        </div>
    }
    .into_any()
}
