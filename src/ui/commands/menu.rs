//! The command menu: the current page's commands, pages, projects and themes, filtered by the typed
//! text.

use std::{sync::Arc, time::Duration};

use leptos::{
    ev, html,
    prelude::*,
    web_sys::{ScrollIntoViewOptions, ScrollLogicalPosition},
};

use super::list::{Command, CommandAction, Commands};
use crate::{
    api::projects::list_projects,
    ui::{
        browser,
        components::{Icon, IconName},
        erased::{part, part_when},
        pane::panes,
        theme::{self, THEMES},
        visitor,
    },
};

/// How many commands are shown at a time.
const MAX_COMMANDS: usize = 24;

/// How long a command's page may take to show the field to focus.
const ARRIVAL: Duration = Duration::from_millis(300);

/// What choosing an entry does.
#[derive(Clone)]
enum Act {
    Go(String),
    Do(CommandAction),
}

#[derive(Clone)]
struct Entry {
    label: String,
    hint: &'static str,
    icon: IconName,
    act: Act,
}

/// The entries that contain all words of the search; those that begin with it come first.
fn matching(entries: &[Entry], search: &str) -> Vec<Entry> {
    let search = search.trim().to_lowercase();
    let mut found: Vec<(bool, &Entry)> = entries
        .iter()
        .filter_map(|entry| {
            let label = entry.label.to_lowercase();
            let all = search.split_whitespace().all(|word| label.contains(word));
            all.then(|| (!label.starts_with(&search), entry))
        })
        .collect();
    found.sort_by_key(|(later, _)| *later);
    let found = found.into_iter().take(MAX_COMMANDS);
    found.map(|(_, entry)| entry.clone()).collect()
}

panes! {
    commands:

    /// The menu; its code is fetched when it is first opened.
    pub fn command_menu(commands: Commands) {
        menu(commands)
    }
}

fn menu(commands: Commands) -> AnyView {
    let help = commands.help_open;
    let go = |label: &str, icon, path: &str| Entry {
        label: label.to_owned(),
        hint: "Page",
        icon,
        act: Act::Go(path.to_owned()),
    };
    let mut fixed = vec![
        go("New project", IconName::Plus, "/#new-project"),
        go("Home", IconName::ArrowLeft, "/"),
    ];
    if visitor::is_administrator() {
        fixed.push(go("Runs", IconName::ListTree, "/admin/runs"));
    }
    let visitor = visitor::expect();
    if visitor.account.is_some() {
        fixed.push(go("Settings", IconName::Wrench, "/settings"));
        fixed.push(go("Usage", IconName::Clock, "/usage"));
    }
    if visitor.accounts {
        fixed.push(go("Pricing", IconName::Sparkles, "/pricing"));
    }
    fixed.extend(THEMES.map(|(value, name, icon)| Entry {
        label: format!("Theme: {}", name.to_lowercase()),
        hint: "Theme",
        icon,
        act: Act::Do(Arc::new(move || theme::choose(value))),
    }));
    fixed.push(Entry {
        label: "Keyboard shortcuts".to_owned(),
        hint: "Help",
        icon: IconName::Keyboard,
        act: Act::Do(Arc::new(move || help.set(true))),
    });
    let entries = RwSignal::new(fixed);
    leptos::task::spawn_local(async move {
        let listed = list_projects().await.unwrap_or_default();
        let projects = listed.into_iter().map(|project| Entry {
            act: Act::Go(format!("/projects/{}", project.id)),
            label: project.title,
            hint: "Project",
            icon: IconName::Folder,
        });
        entries.try_update(|entries| entries.extend(projects));
    });
    view_of(commands, entries)
}

impl From<&Command> for Entry {
    fn from(command: &Command) -> Self {
        Self {
            label: command.label.to_owned(),
            hint: "This page",
            icon: command.icon,
            act: Act::Do(command.act.clone()),
        }
    }
}

fn view_of(commands: Commands, entries: RwSignal<Vec<Entry>>) -> AnyView {
    let search = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let found = Memo::new(move |_| {
        let search = search.get();
        let added = commands
            .added
            .with(|added| added.iter().map(Entry::from).collect::<Vec<_>>());
        entries.with(|entries| {
            Found(matching(
                &[added.as_slice(), entries.as_slice()].concat(),
                &search,
            ))
        })
    });
    let navigate = leptos_router::hooks::use_navigate();
    let choose = Callback::new(move |index: usize| {
        let Some(entry) = found.with_untracked(|found| found.0.get(index).cloned()) else {
            return;
        };
        commands.is_open.set(false);
        match entry.act {
            Act::Go(path) => {
                navigate(&path, Default::default());
                if let Some((_, id)) = path.split_once('#') {
                    let id = id.to_owned();
                    set_timeout(move || browser::focus(&id), ARRIVAL);
                }
            }
            // After the dialog has restored the focus, which the command may move.
            Act::Do(run) => request_animation_frame(move || run()),
        }
    });
    let on_key = move |key: ev::KeyboardEvent| {
        let count = found.with_untracked(|found| found.0.len());
        match key.key().as_str() {
            "Enter" if !key.is_composing() => choose.run(at.get_untracked()),
            "ArrowDown" if count > 0 => at.update(|at| *at = (*at + 1) % count),
            "ArrowUp" if count > 0 => at.update(|at| *at = (*at + count - 1) % count),
            "Home" => at.set(0),
            "End" => at.set(count.saturating_sub(1)),
            _ => return,
        }
        key.prevent_default();
        show_option(at.get_untracked());
    };
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if field.get().is_some() {
            request_animation_frame(|| browser::focus("command-field"));
        }
    });
    view! {
        <div class="flex items-center gap-2.5 border-b border-border px-4">
            <Icon name=IconName::Search class="size-4 text-muted-foreground"/>
            <input
                node_ref=field
                id="command-field"
                role="combobox"
                aria-label="Search commands"
                aria-expanded="true"
                aria-controls="command-list"
                aria-activedescendant=move || format!("command-{}", at.get())
                autocomplete="off"
                placeholder="Go to a page or project, or do something…"
                class="h-12 w-full bg-transparent text-base outline-none placeholder:text-muted-foreground md:text-sm"
                on:input=move |input| {
                    search.set(event_target_value(&input));
                    at.set(0);
                }
                on:keydown=on_key
            />
        </div>
        <div id="command-list" role="listbox" aria-label="Commands" class="max-h-[min(24rem,60dvh)] overflow-y-auto p-1.5">
            {part(move || found.with(|found| found.0.iter().enumerate().map(|(index, entry)| row(index, entry, at, choose)).collect_view().into_any()))}
        </div>
        {part_when(move || found.with(|found| found.0.is_empty()), || view! {
            <p class="px-4 pb-5 text-center text-sm text-muted-foreground">"Nothing matches. Try another word."</p>
        }
        .into_any())}
    }
    .into_any()
}

/// Scrolls the active option into view.
fn show_option(index: usize) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    if let Some(option) = document().get_element_by_id(&format!("command-{index}")) {
        option.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Compared by what is visible.
#[derive(Clone)]
struct Found(Vec<Entry>);

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        let labels = |found: &Self| {
            let entries = found.0.iter();
            entries
                .map(|entry| (entry.label.clone(), entry.hint))
                .collect::<Vec<_>>()
        };
        labels(self) == labels(other)
    }
}

fn row(index: usize, entry: &Entry, at: RwSignal<usize>, choose: Callback<usize>) -> AnyView {
    view! {
        <div
            role="option"
            id=format!("command-{index}")
            aria-selected=move || (at.get() == index).to_string()
            class="flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-2 text-sm aria-selected:bg-accent"
            on:pointermove=move |_| at.set(index)
            on:click=move |_| choose.run(index)
        >
            <Icon name=entry.icon class="size-4 text-muted-foreground"/>
            <span dir="auto" class="min-w-0 flex-1 truncate">{entry.label.clone()}</span>
            <span class="text-xs text-muted-foreground">{entry.hint}</span>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_all_their_words_the_best_match_first() {
        let entry = |label: &str| Entry {
            label: label.to_owned(),
            hint: "",
            icon: IconName::Plus,
            act: Act::Go(String::new()),
        };
        let entries = [entry("Theme: dark"), entry("Dark notes"), entry("Home")];
        let found = |search: &str| {
            let found = matching(&entries, search).into_iter();
            found.map(|entry| entry.label).collect::<Vec<_>>()
        };
        assert_eq!(found(" dark "), ["Dark notes", "Theme: dark"]);
        assert_eq!(found("dark the"), ["Theme: dark"]);
        assert_eq!(found("").len(), 3);
        assert!(found("nothing").is_empty());
    }
}
