//! The file tree: one tab stop, arrow keys inside, and folders that stay as the user left them.

use std::collections::HashMap;

use leptos::{ev::KeyboardEvent, html, prelude::*};

use crate::{
    protocol::FileNode,
    ui::components::{Icon, IconName, focus_child},
};

/// A visible line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    path: String,
    name: String,
    level: usize,
    /// Whether the folder is open; `None` for a file.
    open: Option<bool>,
    /// Why it is not kept in versions.
    notice: Option<String>,
}

/// The nodes as lines, without the content of closed folders. At first only the folders with the
/// app's own pages are open.
fn rows(nodes: &[FileNode], touched: &HashMap<String, bool>) -> Vec<Row> {
    fn walk(
        nodes: &[FileNode],
        level: usize,
        touched: &HashMap<String, bool>,
        rows: &mut Vec<Row>,
    ) {
        for node in nodes {
            let first_open = level == 1 && matches!(node.name.as_str(), "app" | "src");
            let open = node
                .children
                .as_ref()
                .map(|_| touched.get(&node.path).copied().unwrap_or(first_open));
            rows.push(Row {
                path: node.path.clone(),
                name: node.name.clone(),
                level,
                open,
                notice: node.notice.clone(),
            });
            if let (Some(children), Some(true)) = (&node.children, open) {
                walk(children, level + 1, touched, rows);
            }
        }
    }
    let mut found = Vec::new();
    walk(nodes, 1, touched, &mut found);
    found
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
        _ => None,
    }
}

#[component]
pub fn FileTree(
    nodes: Memo<Vec<FileNode>>,
    path: Memo<Option<String>>,
    on_choose: impl Fn(String) + Copy + Send + 'static,
) -> impl IntoView {
    let touched = RwSignal::new(HashMap::<String, bool>::new());
    let rows = Memo::new(move |_| nodes.with(|nodes| touched.with(|touched| rows(nodes, touched))));
    let tree = NodeRef::<html::Div>::new();
    // The line that the Tab key leads to: the last focused one, else the shown file's, else the
    // first.
    let focused = RwSignal::new(None::<String>);
    let stop = Memo::new(move |_| {
        rows.with(|rows| {
            let line = |path: Option<String>| {
                path.and_then(|path| rows.iter().position(|row| row.path == path))
            };
            line(focused.get())
                .or_else(|| line(path.get()))
                .unwrap_or(0)
        })
    });

    let act = move |at: usize| {
        let Some(row) = rows.with_untracked(|rows| rows.get(at).cloned()) else {
            return;
        };
        focused.set(Some(row.path.clone()));
        match row.open {
            Some(open) => touched.update(|touched| {
                touched.insert(row.path, !open);
            }),
            None => on_choose(row.path),
        }
    };
    let on_key = move |key: KeyboardEvent| {
        if key.ctrl_key() || key.meta_key() || key.alt_key() {
            return;
        }
        let Some(action) =
            rows.with_untracked(|rows| key_move(rows, stop.get_untracked(), &key.key()))
        else {
            return;
        };
        key.prevent_default();
        match action {
            Move::Focus(at) => {
                focused.set(rows.with_untracked(|rows| rows.get(at).map(|row| row.path.clone())));
                focus_child(tree, at);
            }
            Move::Toggle(at) | Move::Choose(at) => act(at),
        }
    };

    let line = move |row: Row| {
        let at = {
            let path = row.path.clone();
            move || rows.with(|rows| rows.iter().position(|other| other.path == path))
        };
        let is_stop = {
            let at = at.clone();
            move || at() == Some(stop.get())
        };
        let is_shown = {
            let own = row.path.clone();
            move || path.with(|path| path.as_ref() == Some(&own)).to_string()
        };
        let name = row.name;
        let open = row.open;
        let notice = row
            .notice
            .map(|notice| format!("Not kept in versions: {notice}"));
        let mark = notice
            .is_some()
            .then(|| view! { <Icon name=IconName::Info class="ml-auto size-3.5"/> });
        view! {
            <div
                role="treeitem"
                title=notice
                attr:aria-level=row.level.to_string()
                aria-expanded=open.map(|open| open.to_string())
                aria-selected=is_shown
                tabindex=move || if is_stop() { "0" } else { "-1" }
                style=format!("padding-left: {}px", row.level * 14 - 4)
                class="flex h-7 cursor-pointer items-center gap-1.5 rounded-md pr-2 text-xs whitespace-nowrap text-muted-foreground hover:bg-accent hover:text-foreground aria-selected:bg-accent aria-selected:font-medium aria-selected:text-foreground focus-ring-inset"
                on:click=move |_| {
                    if let Some(at) = untrack(&at) {
                        act(at);
                    }
                }
            >
                {match open {
                    Some(open) => {
                        let turn = if open { "size-3.5 rotate-90" } else { "size-3.5" };
                        view! { <Icon name=IconName::ChevronRight class=turn/> <Icon name=IconName::Folder class="size-3.5"/> }.into_any()
                    }
                    None => view! { <span class="w-3.5 shrink-0"></span> <Icon name=IconName::File class="size-3.5"/> }.into_any(),
                }}
                {name}
                {mark}
            </div>
        }
    };
    view! {
        <div node_ref=tree role="tree" aria-label="Files" class="p-1.5" class=("hidden", move || rows.with(Vec::is_empty)) on:keydown=on_key>
            <For each=move || rows.get() key=|row| (row.path.clone(), row.open) children=line/>
        </div>
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
        let first = rows(&nodes(), &HashMap::new());
        assert_eq!(
            paths(&first),
            ["app", "app/about", "app/page.tsx", "lib", "package.json"]
        );
        let touched = HashMap::from([("app".to_owned(), false), ("lib".to_owned(), true)]);
        assert_eq!(
            paths(&rows(&nodes(), &touched)),
            ["app", "lib", "lib/utils.ts", "package.json"]
        );
    }

    #[test]
    fn the_keys_walk_open_close_and_choose() {
        let rows = rows(&nodes(), &HashMap::new());
        assert_eq!(key_move(&rows, 0, "ArrowDown"), Some(Move::Focus(1)));
        assert_eq!(key_move(&rows, 4, "ArrowDown"), Some(Move::Focus(4)));
        assert_eq!(key_move(&rows, 0, "End"), Some(Move::Focus(4)));
        assert_eq!(key_move(&rows, 0, "ArrowLeft"), Some(Move::Toggle(0)));
        assert_eq!(key_move(&rows, 2, "ArrowLeft"), Some(Move::Focus(0)));
        assert_eq!(key_move(&rows, 3, "ArrowRight"), Some(Move::Toggle(3)));
        assert_eq!(key_move(&rows, 2, "Enter"), Some(Move::Choose(2)));
        assert_eq!(key_move(&rows, 3, "Enter"), Some(Move::Toggle(3)));
        assert_eq!(key_move(&[], 0, "End"), None);
    }
}
