//! The file tree: one tab stop with the keys of a WAI-ARIA tree, and folders that stay as the user
//! left them. Only visible lines are rendered, so that thousands of files stay smooth.

use std::collections::{HashMap, HashSet};

use leptos::{ev::KeyboardEvent, html, prelude::*};

use super::{
    drops::{DropTarget, Drops},
    row::Row,
};
use crate::{
    protocol::FileNode,
    ui::components::{Icon, IconName, follow_size},
};

/// The height of a line, and how many lines are rendered beyond the visible ones.
const LINE: i32 = 28;
const SPARE: i32 = 8;
/// The minimum height that the tree assumes: it is measured before it is laid out, and may grow
/// with the window.
const LEAST_HEIGHT: i32 = 1200;

/// The nodes as lines, without the contents of closed folders. Initially, only the folders with the
/// app's own pages are open; with a filter, every folder that has matches.
fn rows(nodes: &[FileNode], touched: &HashMap<String, bool>, filter: &str) -> Vec<Row> {
    fn matches(node: &FileNode, filter: &str) -> bool {
        match &node.children {
            Some(children) => children.iter().any(|child| matches(child, filter)),
            None => node.path.to_lowercase().contains(filter),
        }
    }
    fn walk(
        nodes: &[FileNode],
        level: usize,
        touched: &HashMap<String, bool>,
        filter: &str,
        rows: &mut Vec<Row>,
    ) {
        let shown: Vec<&FileNode> = match filter {
            "" => nodes.iter().collect(),
            filter => nodes.iter().filter(|node| matches(node, filter)).collect(),
        };
        for (index, node) in shown.iter().enumerate() {
            let first_open = level == 1 && matches!(node.name.as_str(), "app" | "src");
            let is_open =
                || !filter.is_empty() || touched.get(&node.path).copied().unwrap_or(first_open);
            let open = node.children.as_ref().map(|_| is_open());
            rows.push(Row {
                path: node.path.clone(),
                name: node.name.clone(),
                level,
                place: (index + 1, shown.len()),
                open,
                notice: node.notice.clone(),
            });
            if let (Some(children), Some(true)) = (&node.children, open) {
                walk(children, level + 1, touched, filter, rows);
            }
        }
    }
    let mut found = Vec::new();
    walk(nodes, 1, touched, &filter.to_lowercase(), &mut found);
    found
}

/// Whether there is a file of this path.
pub fn contains(nodes: &[FileNode], path: &str) -> bool {
    nodes.iter().any(|node| match &node.children {
        Some(children) => contains(children, path),
        None => node.path == path,
    })
}

/// Opens the folders that the path is in.
fn open_folders_of(path: &str, touched: &mut HashMap<String, bool>) {
    for (end, _) in path.match_indices('/') {
        touched.insert(path[..end].to_owned(), true);
    }
}

/// What a key does in the tree.
#[derive(Debug, PartialEq, Eq)]
enum Move {
    Focus(usize),
    Toggle(usize),
    Choose(usize),
}

/// The WAI-ARIA tree's keys, at the line `at`.
fn key_move(rows: &[Row], at: usize, key: &str) -> Option<Move> {
    let row = rows.get(at)?;
    let last = rows.len() - 1;
    match key {
        "ArrowDown" => Some(Move::Focus((at + 1).min(last))),
        "ArrowUp" => Some(Move::Focus(at.saturating_sub(1))),
        "Home" => Some(Move::Focus(0)),
        "End" => Some(Move::Focus(last)),
        "ArrowRight" => match row.open {
            Some(false) => Some(Move::Toggle(at)),
            Some(true) => Some(Move::Focus((at + 1).min(last))),
            None => None,
        },
        "ArrowLeft" => match row.open {
            Some(true) => Some(Move::Toggle(at)),
            _ => rows[..at]
                .iter()
                .rposition(|above| above.level < row.level)
                .map(Move::Focus),
        },
        "Enter" | " " => Some(if row.open.is_some() {
            Move::Toggle(at)
        } else {
            Move::Choose(at)
        }),
        _ => {
            // A letter moves to the next line that begins with it.
            let letter = key.to_lowercase();
            let is_letter = letter.chars().count() == 1;
            let begins = |row: &Row| row.name.to_lowercase().starts_with(&letter);
            let after = (at + 1..rows.len()).chain(0..=at);
            is_letter
                .then(|| after.into_iter().find(|index| begins(&rows[*index])))
                .flatten()
                .map(Move::Focus)
        }
    }
}

/// The range of lines to render.
fn window_of(top: i32, height: i32, count: usize) -> (usize, usize) {
    let from = (top / LINE - SPARE).max(0);
    let to = (top + height) / LINE + SPARE + 1;
    let index = |line: i32| usize::try_from(line).unwrap_or(0).min(count);
    (index(from), index(to))
}

/// Marks beside the lines.
#[derive(Clone, Copy)]
pub struct TreeMarks {
    /// The file that is shown.
    pub shown: Signal<Option<String>>,
    /// Files edited since the latest version, or with unsaved text.
    pub changed: Memo<HashSet<String>>,
}

/// `selected` is the line that keys act on. `on_choose` opens a file; `on_key` gets the keys that
/// the tree does not handle.
#[component]
pub fn FileTree(
    nodes: Memo<Vec<FileNode>>,
    filter: RwSignal<String>,
    marks: TreeMarks,
    selected: RwSignal<Option<Row>>,
    on_choose: impl Fn(String) + Copy + Send + 'static,
    on_key: impl Fn(&KeyboardEvent) + Copy + Send + 'static,
    /// The id of the menu of a line, if it has one.
    #[prop(optional)]
    menu: Option<&'static str>,
    /// The drag and drop handlers, if there are any.
    #[prop(optional_no_strip)]
    drops: Option<Drops>,
) -> impl IntoView {
    let touched = RwSignal::new(HashMap::<String, bool>::new());
    let rows = Memo::new(move |_| {
        nodes.with(|nodes| {
            touched.with(|touched| filter.with(|filter| rows(nodes, touched, filter)))
        })
    });
    let target = DropTarget::new(drops, rows);
    let tree = NodeRef::<html::Div>::new();
    let scroll = RwSignal::new((0, LEAST_HEIGHT));
    let measure = move || {
        if let Some(tree) = tree.try_get_untracked().flatten() {
            let height = tree.client_height().max(LEAST_HEIGHT);
            scroll.set((tree.scroll_top(), height));
        }
    };
    // The active line: the last one moved to with the keys or the pointer, else the shown file's.
    let active = RwSignal::new(None::<String>);
    let at = Memo::new(move |_| {
        rows.with(|rows| {
            let line = |path: Option<String>| {
                path.and_then(|path| rows.iter().position(|row| row.path == path))
            };
            line(active.get())
                .or_else(|| line(marks.shown.get()))
                .unwrap_or(0)
        })
    });
    Effect::new(move || selected.set(rows.with(|rows| rows.get(at.get()).cloned())));

    let go_to = move |index: usize| {
        active.set(rows.with_untracked(|rows| rows.get(index).map(|row| row.path.clone())));
        if let Some(tree) = tree.get_untracked() {
            let top = i32::try_from(index)
                .unwrap_or(i32::MAX)
                .saturating_mul(LINE);
            let (from, height) = (tree.scroll_top(), tree.client_height());
            if top < from {
                tree.set_scroll_top(top);
            } else if top + LINE > from + height {
                tree.set_scroll_top(top + LINE - height);
            }
            measure();
        }
    };
    // The shown file's folders are opened, and its line comes into view once there is room for it: on
    // a phone, and in another tab, the tree is there without being seen.
    let owed = StoredValue::new(None::<String>);
    let reveal = move || {
        let tree = tree.try_get_untracked().flatten();
        let is_seen = tree.is_some_and(|tree| tree.client_height() > 0);
        let Some(Some(path)) = owed.try_get_value().filter(|_| is_seen) else {
            return;
        };
        let line = rows.with_untracked(|rows| rows.iter().position(|row| row.path == path));
        if let Some(line) = line {
            owed.set_value(None);
            go_to(line);
        }
    };
    follow_size(tree, move |_| {
        measure();
        reveal();
    });
    Effect::new(move |revealed: Option<Option<String>>| {
        let shown = marks.shown.get();
        if revealed.is_some_and(|revealed| revealed == shown) {
            return shown;
        }
        let path = shown.filter(|path| nodes.with(|nodes| contains(nodes, path)))?;
        touched.update(|touched| open_folders_of(&path, touched));
        owed.set_value(Some(path.clone()));
        Some(path)
    });
    Effect::new(move || {
        rows.track();
        marks.shown.track();
        request_animation_frame(reveal);
    });
    let act = move |index: usize| {
        let Some(row) = rows.with_untracked(|rows| rows.get(index).cloned()) else {
            return;
        };
        active.set(Some(row.path.clone()));
        match row.open {
            Some(open) => touched.update(|touched| {
                touched.insert(row.path, !open);
            }),
            None => on_choose(row.path),
        }
    };
    let press = move |key: KeyboardEvent| {
        if key.ctrl_key() || key.meta_key() || key.alt_key() {
            return;
        }
        match rows.with_untracked(|rows| key_move(rows, at.get_untracked(), &key.key())) {
            None => on_key(&key),
            Some(action) => {
                key.prevent_default();
                match action {
                    Move::Focus(index) => go_to(index),
                    Move::Toggle(index) | Move::Choose(index) => act(index),
                }
            }
        }
    };

    let visible = Memo::new(move |_| {
        let (top, height) = scroll.get();
        rows.with(|rows| {
            let (from, to) = window_of(top, height, rows.len());
            let lines = rows[from..to].iter().cloned().enumerate();
            lines
                .map(|(index, row)| (from + index, row))
                .collect::<Vec<_>>()
        })
    });
    let line = move |(index, row): (usize, Row)| {
        let is_active = move || at.get() == index;
        let own = row.path.clone();
        let is_shown = move || {
            marks
                .shown
                .with(|path| path.as_ref() == Some(&own))
                .to_string()
        };
        let own = row.path.clone();
        let is_changed = move || marks.changed.with(|changed| changed.contains(&own));
        let notice = row
            .notice
            .map(|notice| format!("Not kept in versions: {notice}"));
        let mark = notice
            .is_some()
            .then(|| view! { <Icon name=IconName::Info class="ml-auto size-3.5"/> });
        let (place, count) = row.place;
        let own = row.path.clone();
        let is_target = row.open.is_some();
        let is_over = move || is_target && target.is_over(&own);
        let own = row.path.clone();
        let icon = match row.open {
            Some(open) => {
                let turn = if open { "size-3.5 rotate-90" } else { "size-3.5" };
                view! { <Icon name=IconName::ChevronRight class=turn/> <Icon name=IconName::Folder class="size-3.5 text-brand"/> }.into_any()
            }
            None => view! { <span class="w-3.5 shrink-0"></span> <Icon name=icon_of(&row.name) class="size-3.5"/> }.into_any(),
        };
        view! {
            <div
                role="treeitem"
                id=format!("file-{index}")
                title=notice.unwrap_or_else(|| row.path.clone())
                attr:aria-level=row.level.to_string()
                attr:aria-posinset=place.to_string()
                attr:aria-setsize=count.to_string()
                aria-expanded=row.open.map(|open| open.to_string())
                aria-selected=is_shown
                data-active=move || is_active().then_some("")
                data-drop=move || is_over().then_some("")
                draggable=target.can_drag().then_some("true")
                style:padding-left=format!("{}px", row.level * 14 - 4)
                style:top=format!("{}px", index as i32 * LINE)
                class="tree-line"
                on:click=move |_| act(index)
                on:contextmenu=move |_| go_to(index)
                on:dragstart=move |drag| target.drag(&drag, &own)
            >
                {icon}
                <span class="truncate" dir="auto">{row.name}</span>
                {move || is_changed().then(|| view! { <span role="img" aria-label="edited" class="ml-auto size-1.5 shrink-0 rounded-full bg-brand"></span> })}
                {mark}
            </div>
        }
    };
    view! {
        <div
            node_ref=tree
            role="tree"
            aria-label="Files"
            data-menu=menu
            tabindex="0"
            aria-activedescendant=move || {
                let index = at.get();
                let is_there = visible.with(|lines| lines.iter().any(|(other, _)| *other == index));
                is_there.then(|| format!("file-{index}"))
            }
            class="file-tree min-h-0 flex-1 overflow-auto focus-ring-inset"
            class=("hidden", move || rows.with(Vec::is_empty))
            on:keydown=press
            on:scroll=move |_| measure()
            on:focus=move |_| go_to(at.get_untracked())
            data-drop=move || target.is_over("").then_some("")
            on:dragover=move |drag| target.hover(&drag)
            on:dragleave=move |drag| target.leave(&drag)
            on:dragend=move |drag| target.leave(&drag)
            on:drop=move |drop| target.drop(&drop)
        >
            <div role="none" class="relative" style:height=move || format!("{}px", rows.with(Vec::len) as i32 * LINE)>
                <For
                    each=move || visible.get()
                    key=|(index, row)| (*index, row.path.clone(), row.open, row.place)
                    children=line
                />
            </div>
        </div>
    }
}

/// The icon of a file by its name.
fn icon_of(name: &str) -> IconName {
    let extension = name.rsplit('.').next().unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" | "ico" | "bmp" => IconName::Image,
        "ts" | "tsx" | "js" | "jsx" | "mjs" | "cjs" | "html" | "css" | "scss" => IconName::Code,
        "json" | "yaml" | "yml" | "toml" => IconName::ListTree,
        "sh" => IconName::Terminal,
        _ => IconName::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileNode {
        FileNode {
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            path: path.to_owned(),
            children: None,
            notice: None,
            edited: false,
        }
    }

    fn folder(path: &str, children: Vec<FileNode>) -> FileNode {
        FileNode {
            children: Some(children),
            ..file(path)
        }
    }

    fn nodes() -> Vec<FileNode> {
        vec![
            folder(
                "app",
                vec![
                    folder("app/about", vec![file("app/about/page.tsx")]),
                    file("app/page.tsx"),
                ],
            ),
            folder("lib", vec![file("lib/utils.ts")]),
            file("package.json"),
        ]
    }

    fn paths(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.path.as_str()).collect()
    }

    #[test]
    fn closed_folders_hide_their_files_and_the_app_s_pages_are_open_at_first() {
        let first = rows(&nodes(), &HashMap::new(), "");
        assert_eq!(
            paths(&first),
            ["app", "app/about", "app/page.tsx", "lib", "package.json"]
        );
        let touched = HashMap::from([("app".to_owned(), false), ("lib".to_owned(), true)]);
        assert_eq!(
            paths(&rows(&nodes(), &touched, "")),
            ["app", "lib", "lib/utils.ts", "package.json"]
        );
    }

    #[test]
    fn the_folders_of_the_shown_file_are_opened_and_no_others() {
        let mut touched = HashMap::from([("app".to_owned(), false)]);
        open_folders_of("app/about/page.tsx", &mut touched);
        assert_eq!(
            paths(&rows(&nodes(), &touched, "")),
            [
                "app",
                "app/about",
                "app/about/page.tsx",
                "app/page.tsx",
                "lib",
                "package.json"
            ]
        );
        let before = touched.clone();
        open_folders_of("package.json", &mut touched);
        assert_eq!(touched, before);
    }

    #[test]
    fn the_keys_walk_open_close_and_choose() {
        let rows = rows(&nodes(), &HashMap::new(), "");
        assert_eq!(key_move(&rows, 0, "ArrowDown"), Some(Move::Focus(1)));
        assert_eq!(key_move(&rows, 4, "ArrowDown"), Some(Move::Focus(4)));
        assert_eq!(key_move(&rows, 0, "End"), Some(Move::Focus(4)));
        assert_eq!(key_move(&rows, 0, "ArrowLeft"), Some(Move::Toggle(0)));
        assert_eq!(key_move(&rows, 2, "ArrowLeft"), Some(Move::Focus(0)));
        assert_eq!(key_move(&rows, 3, "ArrowRight"), Some(Move::Toggle(3)));
        assert_eq!(key_move(&rows, 2, "Enter"), Some(Move::Choose(2)));
        assert_eq!(key_move(&rows, 3, "Enter"), Some(Move::Toggle(3)));
        assert_eq!(key_move(&rows, 2, "L"), Some(Move::Focus(3)));
        assert_eq!(key_move(&rows, 3, "x"), None);
        assert_eq!(key_move(&[], 0, "End"), None);
    }

    #[test]
    fn a_filter_opens_the_folders_of_what_it_finds_and_hides_the_rest() {
        let found = rows(&nodes(), &HashMap::new(), "UTIL");
        assert_eq!(paths(&found), ["lib", "lib/utils.ts"]);
        assert_eq!(found[0].place, (1, 1));
    }

    #[test]
    fn only_lines_near_those_that_can_be_seen_are_in_the_page() {
        assert_eq!(window_of(0, 280, 5000), (0, 19));
        assert_eq!(window_of(28 * 1000, 280, 5000), (992, 1019));
        assert_eq!(window_of(28 * 1000, 280, 20), (20, 20));
    }
}
