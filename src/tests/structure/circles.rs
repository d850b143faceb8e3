//! Circles of imports between the files of a room: whoever wants to understand one of these files
//! has to read all of them. Read off the `use` declarations.

use std::collections::{BTreeMap, BTreeSet};

use super::code;

/// The circles there are. One that is opened leaves the list; none is added.
const CIRCLES: &[&[&str]] = &[];

/// Names a file by its module's path, such as `sandbox_host::record`.
type Files = BTreeMap<String, Source>;

/// What a file imports.
struct Source {
    code: String,
    uses: Vec<Use>,
}

/// One name of a `use` declaration.
struct Use {
    /// From the crate's root on.
    path: Vec<String>,
    /// What the file calls it.
    name: String,
    /// It is declared `pub`, in whatever form: other files may take the name from here.
    is_public: bool,
}

#[test]
fn circles_inside_a_room_only_become_fewer() {
    let code = code()
        .into_iter()
        .map(|(path, code)| (path.trim_end_matches(".rs").replace('/', "::"), code))
        .collect();
    let found = circles(&read(&code));
    let is_part = |circle: &[String], known: &[&str]| {
        circle.iter().all(|file| known.contains(&file.as_str()))
    };
    let added: Vec<_> = found
        .iter()
        .filter(|circle| !CIRCLES.iter().any(|known| is_part(circle, known)))
        .collect();
    assert!(added.is_empty(), "files that import each other: {added:#?}");
    let opened: Vec<_> = CIRCLES
        .iter()
        .filter(|known| !found.iter().any(|circle| is_part(circle, known)))
        .collect();
    assert!(
        opened.is_empty(),
        "take off the list what is open: {opened:#?}"
    );
}

/// The sources, read from code by module.
fn read(code: &BTreeMap<String, String>) -> Files {
    let uses = |file: &str| {
        let declarations = code[file].split(';').filter_map(declaration);
        declarations
            .flat_map(|(is_public, tree)| {
                let mut paths = Vec::new();
                expand(&[], tree, &mut paths);
                paths.into_iter().map(move |path| (is_public, path))
            })
            .map(|(is_public, path)| absolute(file, &path, is_public, code))
            .collect()
    };
    code.iter()
        .map(|(file, text)| {
            let source = Source {
                code: text.clone(),
                uses: uses(file),
            };
            (file.clone(), source)
        })
        .collect()
}

/// What is behind `use` in a statement at the file's outer level, and whether it is public.
fn declaration(statement: &str) -> Option<(bool, &str)> {
    let start = statement
        .match_indices("use ")
        .map(|(start, _)| start)
        .find(|start| {
            let line = statement[..*start].rsplit('\n').next().unwrap_or_default();
            line.is_empty() || (line.starts_with("pub") && line.ends_with(' '))
        })?;
    let line = statement[..start].rsplit('\n').next().unwrap_or_default();
    Some((!line.is_empty(), &statement[start + "use ".len()..]))
}

/// The paths of a tree of imports, such as `a::{b, c::d}`.
fn expand(above: &[&str], tree: &str, paths: &mut Vec<Vec<String>>) {
    let Some((start, group)) = tree.split_once('{') else {
        let segments = tree.trim().split("::").map(str::trim);
        let segments = segments.filter(|segment| !segment.is_empty());
        let path = above.iter().copied().chain(segments);
        paths.push(path.map(str::to_owned).collect());
        return;
    };
    let segments = start
        .trim()
        .split("::")
        .filter(|segment| !segment.is_empty());
    let above: Vec<&str> = above.iter().copied().chain(segments).collect();
    let group = group.rsplit_once('}').map_or(group, |(inside, _)| inside);
    let mut depth = 0;
    let branches = group.split(|sign| {
        depth += i32::from(sign == '{') - i32::from(sign == '}');
        sign == ',' && depth == 0
    });
    for branch in branches.filter(|branch| !branch.trim().is_empty()) {
        expand(&above, branch, paths);
    }
}

fn absolute(file: &str, path: &[String], is_public: bool, files: &BTreeMap<String, String>) -> Use {
    let mut from: Vec<&str> = file.split("::").collect();
    let mut rest: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut name = rest.last().copied().unwrap_or_default();
    if let Some((original, alias)) = name.split_once(" as ") {
        rest.pop();
        rest.push(original);
        name = alias;
    }
    if rest.last() == Some(&"self") {
        rest.pop();
        name = rest.last().copied().unwrap_or_default();
    }
    match rest.first().copied().unwrap_or_default() {
        "crate" => {
            from.clear();
            rest.remove(0);
        }
        "self" => _ = rest.remove(0),
        "super" => {
            while rest.first() == Some(&"super") {
                from.pop();
                rest.remove(0);
            }
        }
        // A module below this file, or another crate.
        first if files.contains_key(&format!("{file}::{first}")) => {}
        _ => from.clear(),
    }
    Use {
        path: from.into_iter().chain(rest).map(str::to_owned).collect(),
        name: name.to_owned(),
        is_public,
    }
}

/// The file that defines what a path names; modules that only pass a name on are passed.
fn definer<'a>(path: &[String], files: &'a Files, hops: usize) -> Option<&'a str> {
    let length = (1..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length].join("::")))?;
    let (file, source) = files.get_key_value(&path[..length].join("::"))?;
    let passed_on = path.get(length).and_then(|name| {
        let mut uses = source.uses.iter();
        uses.find(|found| found.is_public && found.name == *name)
    });
    match passed_on {
        Some(passed_on) if hops > 0 => definer(&passed_on.path, files, hops - 1),
        _ => Some(file),
    }
}

fn room(file: &str) -> &str {
    file.split("::").next().unwrap_or(file)
}

/// The files of its own room that a file needs.
fn imports<'a>(file: &str, files: &'a Files) -> BTreeSet<&'a str> {
    let source = &files[file];
    let is_needed = |import: &&Use| {
        let is_word = |sign: char| sign.is_alphanumeric() || sign == '_';
        let words = source.code.split(|sign| !is_word(sign));
        !import.is_public || words.filter(|word| *word == import.name).count() > 1
    };
    let needed = source.uses.iter().filter(is_needed);
    needed
        .filter_map(|import| definer(&import.path, files, 8))
        .filter(|other| *other != file && room(other) == room(file))
        .collect()
}

/// What a file needs, and what that needs in turn.
fn reached_from<'a>(
    file: &'a str,
    imports: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> BTreeSet<&'a str> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![file]);
    while let Some(file) = left.pop() {
        let others = imports[file].iter().copied();
        left.extend(others.filter(|other| reached.insert(*other)));
    }
    reached
}

/// Each circle by its files' paths, in order.
fn circles(files: &Files) -> BTreeSet<Vec<String>> {
    let imports: BTreeMap<&str, BTreeSet<&str>> = files
        .keys()
        .map(|file| (file.as_str(), imports(file, files)))
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|file| (*file, reached_from(file, &imports)))
        .collect();
    let circle_of = |file: &&str| {
        let others = reached[file].iter();
        let circle = others.filter(|other| reached[*other].contains(file));
        circle
            .map(|other| format!("{}.rs", other.replace("::", "/")))
            .collect::<Vec<_>>()
    };
    reached
        .keys()
        .map(circle_of)
        .filter(|circle| !circle.is_empty())
        .collect()
}

#[test]
fn a_circle_is_found_through_names_that_are_passed_on() {
    let text = BTreeMap::from([
        ("room", "mod a;\nmod b;\npub(crate) use b::Name;\n"),
        (
            "room::a",
            "use super::Name;\nuse std::{fs, io::{self, Read}};\n",
        ),
        ("room::b", "use crate::room::a::{self as other, c::Deep};\n"),
        ("room::c", "use super::a;\n"),
    ]);
    let text: BTreeMap<String, String> = text
        .into_iter()
        .map(|(file, code)| (file.to_owned(), code.to_owned()))
        .collect();
    let circle = circles(&read(&text));
    assert_eq!(
        circle.into_iter().collect::<Vec<_>>(),
        [["room/a.rs", "room/b.rs"]]
    );
}
