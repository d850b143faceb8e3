//! The rules of the design, checked in the sources: who may import whom, and that the options of
//! the build and the binary agree.

mod circles;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom: the rooms of `src`, each with those it may name.
const IMPORTS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("config", &["protocol", "http_client"]),
    ("e2b", &[]),
    ("retry_after", &[]),
    ("http_client", &[]),
    ("cgroup", &[]),
    ("allocator", &[]),
    ("listener", &["config"]),
    ("log", &[]),
    ("render", &["protocol"]),
    ("traces", &["config", "http_client"]),
    ("store", &["protocol", "config", "http_client", "traces"]),
    ("accounts", &["store", "protocol", "config", "http_client"]),
    (
        "sandbox",
        &[
            "protocol",
            "config",
            "e2b",
            "http_client",
            "retry_after",
            "traces",
        ],
    ),
    (
        "llm",
        &["protocol", "config", "http_client", "retry_after", "traces"],
    ),
    (
        "agent",
        &[
            "llm",
            "sandbox",
            "protocol",
            "config",
            "cgroup",
            "http_client",
        ],
    ),
    (
        "runs",
        &[
            "agent",
            "store",
            "protocol",
            "config",
            "http_client",
            "traces",
        ],
    ),
    (
        "projects",
        &[
            "runs", "agent", "store", "accounts", "render", "protocol", "config",
        ],
    ),
    ("api", &["projects", "accounts", "protocol"]),
    (
        "server",
        &["projects", "accounts", "protocol", "app", "traces"],
    ),
    ("alerts", &["accounts", "protocol", "config", "http_client"]),
    ("ui", &["api", "protocol"]),
    ("app", &["ui", "api", "protocol"]),
    (
        "sandbox_host",
        &["protocol", "config", "e2b", "cgroup", "listener", "traces"],
    ),
    ("lib", &["app"]),
    (
        "boot",
        &[
            "accounts",
            "agent",
            "alerts",
            "config",
            "e2b",
            "listener",
            "llm",
            "projects",
            "sandbox",
            "sandbox_host",
            "server",
            "store",
        ],
    ),
    ("setup", &["config", "sandbox_host"]),
    (
        "main",
        &[
            "agent",
            "allocator",
            "boot",
            "config",
            "listener",
            "log",
            "protocol",
            "sandbox",
            "sandbox_host",
            "server",
            "setup",
            "traces",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Recorded apps are data, and tests may reach everywhere.
            if !path.ends_with("recordings") && !path.ends_with("src/tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text of every source file by its path below `src`, without comments and without its tests.
fn code() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (
                path.strip_prefix(&root).unwrap().display().to_string(),
                code,
            )
        })
        .collect()
}

fn module(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or(path)
}

#[test]
fn modules_import_only_what_the_design_lets_them() {
    let code = code();
    let rooms: BTreeSet<&str> = code.keys().map(|path| module(path)).collect();
    let known: BTreeSet<&str> = IMPORTS.iter().map(|(room, _)| *room).collect();
    assert_eq!(rooms, known, "each room has its line in IMPORTS");

    let mut wrong = Vec::new();
    for (path, code) in &code {
        let allowed = IMPORTS
            .iter()
            .find(|(room, _)| *room == module(path))
            .map_or(&[][..], |(_, allowed)| allowed);
        let flat = code.replace(['\n', ' '], "");
        for other in &rooms {
            if *other != module(path) && !allowed.contains(other) && imports(&flat, other) {
                wrong.push(format!("{path} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether the code, without white space, names something of the room: by its path, or in a group.
fn imports(flat: &str, room: &str) -> bool {
    ["crate::", "codeflow::"].iter().any(|root| {
        let named = ["::", ";", ","]
            .iter()
            .any(|end| flat.contains(&format!("{root}{room}{end}")));
        let open = format!("use{root}{{");
        let mut groups = flat.split(&open).skip(1);
        named || groups.any(|group| outer_names(group).any(|name| name == room))
    })
}

/// The first names in a group of imports, whose opening brace is cut off.
fn outer_names(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let end = group.find(|sign| {
        depth += i32::from(sign == '{') - i32::from(sign == '}');
        depth < 0
    });
    let mut depth = 0;
    group[..end.unwrap_or(group.len())]
        .split(move |sign| {
            depth += i32::from(sign == '{') - i32::from(sign == '}');
            depth == 0 && sign == ','
        })
        .map(|item| item.split("::").next().unwrap_or(item))
}

#[test]
fn what_pages_ask_of_a_project_or_a_run_is_asked_in_somebodys_name() {
    const ASKS: [&str; 12] = [
        "self.expect_viewer(",
        "self.expect_editor(",
        "self.expect_owner(",
        "self.expect_role(",
        "self.visible_run(",
        "self.editable_run(",
        "self.user()",
        "self.dashboard_of()",
        "self.version(",
        "self.versions(",
        "self.pair(",
        // Administrators, whose looks are written down.
        "by.opened(",
    ];
    let mut wrong = Vec::new();
    let mut doors = 0;
    for (path, code) in code() {
        if module(&path) != "projects" {
            continue;
        }
        for block in code.split("\nimpl Projects {").skip(1) {
            let block = block.split("\n}\n").next().unwrap();
            for function in block.split("\n    pub ").skip(1) {
                let (head, body) = function.split_once(" {\n").unwrap();
                let names = ["ProjectId", "RunId", "&ImageId"];
                if !names.iter().any(|name| head.contains(&format!(": {name}"))) {
                    continue;
                }
                doors += 1;
                let body = body.split("\n    }").next().unwrap();
                let first: Vec<&str> = body.split(';').take(2).collect();
                if !ASKS.iter().any(|asks| first.join(";").contains(asks)) {
                    wrong.push(format!("{path}: {}", head.lines().next().unwrap_or(head)));
                }
            }
        }
    }
    assert!(doors > 20, "{doors}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_library_has_its_place() {
    let places: [(&str, &[&str]); 5] = [
        ("sea_orm", &["store"]),
        ("object_store", &["store"]),
        ("leptos", &["app", "api", "ui", "server", "lib", "main"]),
        ("async_openai", &["llm"]),
        ("oci_spec", &["sandbox_host"]),
    ];
    for (path, code) in code() {
        for (library, allowed) in places {
            let named = [format!("{library}::"), format!("use {library}")]
                .iter()
                .any(|name| code.contains(name.as_str()));
            assert!(
                !named || allowed.contains(&module(&path)),
                "{path} names {library}"
            );
        }
    }
}

/// The page's policy refuses style attributes. `style:name=` and `style=("name", …)` set an
/// element's `style` in the browser; only the server writes them as an attribute.
#[test]
fn no_page_has_style_attributes() {
    let mut wrong = Vec::new();
    for (path, code) in code() {
        if !["ui", "app"].contains(&module(&path)) {
            continue;
        }
        let is_whole = |line: &str| {
            let mut values = line.split("style=").skip(1);
            values.any(|value| !value.starts_with('(')) || line.contains("set_attribute(\"style\"")
        };
        let lines = code.lines().filter(|line| is_whole(line));
        wrong.extend(lines.map(|line| format!("{path}: {}", line.trim())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_outgrows_its_shape_and_each_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "src/tests", "benches", "migration"] {
        let before = found.len();
        sources(&root.join(folder), &mut found);
        assert!(found.len() > before, "{folder} has no sources");
    }
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let (path, lines) = (path.display(), text.lines().count());
        assert!(lines <= 500, "{path} has {lines} lines");
        assert!(
            text.starts_with("//!"),
            "{path} does not open with what it is for"
        );
    }
}

/// The value of `key = …` in the table `[package.metadata.leptos]` of a TOML file.
fn leptos_options(file: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let table = text.split("[package.metadata.leptos]").nth(1).unwrap();
    let table = table.split("\n[").next().unwrap();
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[test]
fn the_builds_and_the_binarys_options_agree() {
    let build = leptos_options("Cargo.toml");
    let runtime = leptos_options("Leptos.toml");
    assert!(!runtime.is_empty());
    for (key, value) in runtime {
        assert_eq!(build.get(&key), Some(&value), "{key}");
    }
}
