//! The contents of a version: everything in the app's folder except what can't be read, what is not
//! a file, and what exceeds a version's limits. The app's own sources take precedence, and the
//! choice is deterministic.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    found::{Found, FoundEntry, FoundKind, MAX_DEPTH},
    path::HOME,
};
use crate::{protocol::LeftOut, sandbox::MAX_FILE};

/// The maximum number of files and links in a version, and of empty folders.
pub const MAX_FILES: usize = 5000;
const MAX_FOLDERS: usize = 1000;
/// The maximum total size of a version's files, in bytes.
pub const MAX_BYTES: u64 = 100 << 20;
/// The maximum length of a path, in bytes.
const MAX_PATH: usize = 1024;
/// Files larger than this, in bytes, are kept only if there is room.
const LARGE: u64 = 1 << 20;
/// Top-level folders with outputs of builds and tests: their contents are kept last.
const OUTPUT_FOLDERS: [&str; 5] = ["out", "dist", "build", "coverage", "storybook-static"];
/// Generated files, which belong to no version.
const GENERATED_FILES: [&str; 6] = [
    "next-env.d.ts",
    ".bash_history",
    ".node_repl_history",
    ".python_history",
    ".lesshst",
    ".wget-hsts",
];
/// The prefix of files that are still being written.
const PART_PREFIX: &str = ".codeflow-";

/// The app's folder, as a version keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by path.
    pub kept: Vec<Kept>,
    /// Sorted by path; many in the same folder become one entry.
    pub left_out: Vec<LeftOut>,
    /// The paths of named pipes: a program that reads one blocks until another writes to it.
    pub pipes: Vec<String>,
    /// Whether the folder could be listed.
    pub is_known: bool,
}

/// Something that a version keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub path: String,
    pub kind: KeptKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptKind {
    File {
        executable: bool,
    },
    Link {
        target: String,
    },
    /// A folder without kept contents.
    Folder,
}

impl Listing {
    /// For a folder that could not be listed.
    pub fn unknown(why: &str) -> Self {
        Self {
            left_out: vec![LeftOut {
                path: ".".to_owned(),
                reason: format!("the app's folder could not be listed ({why})"),
            }],
            ..Self::default()
        }
    }

    /// The paths of the files and links that a version keeps, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let kept = self
            .kept
            .iter()
            .filter(|kept| kept.kind != KeptKind::Folder);
        kept.map(|kept| kept.path.as_str())
    }

    /// The paths of the files that a version keeps, sorted.
    pub fn files(&self) -> Vec<String> {
        let files = self
            .kept
            .iter()
            .filter(|kept| matches!(kept.kind, KeptKind::File { .. }));
        files.map(|kept| kept.path.clone()).collect()
    }

    /// Chooses from the walk's results.
    pub fn choose(found: Found) -> Self {
        let mut left_out = Leftovers::default();
        let mut pipes = Vec::new();
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for entry in found
            .entries
            .into_iter()
            .filter(|entry| !is_generated(&entry.path))
        {
            if entry.kind == FoundKind::Pipe && entry.is_text {
                pipes.push(entry.path.clone());
            }
            match judge(&entry) {
                Err(reason) => left_out.one(entry.path, reason),
                Ok(KeptKind::Folder) => folders.push(entry.path),
                Ok(kind) => files.push((
                    entry.size,
                    Kept {
                        path: entry.path,
                        kind,
                    },
                )),
            }
        }
        if !found.whole {
            left_out.one(
                ".".to_owned(),
                "there are more files than can be listed".to_owned(),
            );
        }
        let mut kept = bounded(files, &mut left_out);
        keep_folders(&mut kept, folders, &mut left_out);
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        pipes.sort();
        Self {
            kept,
            left_out: left_out.sorted(),
            pipes,
            is_known: true,
        }
    }
}

/// The part of an entry that a version keeps, or why it keeps nothing.
fn judge(entry: &FoundEntry) -> Result<KeptKind, String> {
    if !entry.is_text {
        return Err("its name is not UTF-8".to_owned());
    }
    if entry.path.len() > MAX_PATH {
        return Err(format!("its path is longer than {MAX_PATH} bytes"));
    }
    match &entry.kind {
        FoundKind::File if !entry.readable => Err(format!(
            "a file that can't be read (mode {:03o})",
            entry.mode
        )),
        FoundKind::File if entry.size > MAX_FILE as u64 => Err(format!(
            "a file of {}; a version keeps files of up to {}",
            megabytes(entry.size),
            megabytes(MAX_FILE as u64)
        )),
        FoundKind::File => Ok(KeptKind::File {
            executable: entry.mode & 0o100 != 0,
        }),
        FoundKind::Folder if !entry.readable => Err(format!(
            "a folder that can't be read (mode {:03o})",
            entry.mode
        )),
        FoundKind::Folder if entry.path.split('/').count() >= MAX_DEPTH => {
            Err(format!("more than {MAX_DEPTH} folders deep"))
        }
        FoundKind::Folder => Ok(KeptKind::Folder),
        FoundKind::Link(Some(target)) if stays_inside(&entry.path, target) => Ok(KeptKind::Link {
            target: target.clone(),
        }),
        FoundKind::Link(Some(_)) => Err("a link to something outside of the app".to_owned()),
        FoundKind::Link(None) => Err("a link whose target is not UTF-8".to_owned()),
        FoundKind::Pipe => Err("a named pipe, which blocks programs that read it".to_owned()),
        FoundKind::Socket => Err("a socket".to_owned()),
        FoundKind::Other => Err("not a file, folder or link".to_owned()),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Whether a link's target, as written, is in the app's folder.
fn stays_inside(path: &str, target: &str) -> bool {
    if let Some(absolute) = target.strip_prefix('/') {
        let below = format!("/{absolute}");
        let below = below
            .strip_prefix(HOME)
            .and_then(|below| below.strip_prefix('/'));
        return below.is_some_and(|below| stays_inside("", below));
    }
    let mut depth = path.split('/').count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    !target.is_empty()
}

/// As many of the files (given with their sizes) as fit into a version. Build outputs, large files
/// and crowded folders are dropped first.
fn bounded(mut files: Vec<(u64, Kept)>, left_out: &mut Leftovers) -> Vec<Kept> {
    let mut crowds: HashMap<String, usize> = HashMap::new();
    for (_, file) in &files {
        *crowds.entry(folder_of(&file.path).to_owned()).or_default() += 1;
    }
    files.sort_by_cached_key(|(size, file)| {
        let top = file
            .path
            .split('/')
            .next()
            .filter(|top| top.len() < file.path.len());
        let is_output = top.is_some_and(|top| OUTPUT_FOLDERS.contains(&top));
        (
            is_output,
            *size > LARGE,
            crowds.get(folder_of(&file.path)).copied(),
            file.path.clone(),
        )
    });
    let (mut kept, mut bytes) = (Vec::new(), 0);
    for (size, file) in files {
        if kept.len() == MAX_FILES {
            left_out.of_many(
                &file.path,
                format!("a version keeps {} files", thousands(MAX_FILES)),
            );
        } else if bytes + size > MAX_BYTES {
            left_out.of_many(
                &file.path,
                format!("a version keeps {} in all", megabytes(MAX_BYTES)),
            );
        } else {
            bytes += size;
            kept.push(file);
        }
    }
    kept
}

/// Adds the folders without kept contents.
fn keep_folders(kept: &mut Vec<Kept>, folders: Vec<String>, left_out: &mut Leftovers) {
    let mut implied: BTreeSet<String> = BTreeSet::new();
    for path in kept.iter().map(|kept| &kept.path).chain(&folders) {
        for (end, _) in path.match_indices('/') {
            implied.insert(path[..end].to_owned());
        }
    }
    let mut empty: Vec<String> = folders
        .into_iter()
        .filter(|folder| !implied.contains(folder))
        .collect();
    empty.sort();
    for folder in empty.split_off(empty.len().min(MAX_FOLDERS)) {
        left_out.of_many(
            &folder,
            format!("a version keeps {} empty folders", thousands(MAX_FOLDERS)),
        );
    }
    kept.extend(empty.into_iter().map(|path| Kept {
        path,
        kind: KeptKind::Folder,
    }));
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

/// What is left out: on its own, or as one of many in its folder.
#[derive(Default)]
struct Leftovers {
    single: Vec<LeftOut>,
    /// By folder and reason: the first path, and the number of paths.
    many: BTreeMap<(String, String), (String, usize)>,
}

impl Leftovers {
    fn one(&mut self, path: String, reason: String) {
        self.single.push(LeftOut { path, reason });
    }

    fn of_many(&mut self, path: &str, reason: String) {
        let (_, count) = self
            .many
            .entry((folder_of(path).to_owned(), reason))
            .or_insert_with(|| (path.to_owned(), 0));
        *count += 1;
    }

    fn sorted(self) -> Vec<LeftOut> {
        let mut all = self.single;
        all.extend(
            self.many
                .into_iter()
                .map(|((folder, reason), (first, count))| match count {
                    1 => LeftOut {
                        path: first,
                        reason,
                    },
                    count => LeftOut {
                        path: folder,
                        reason: format!("{} of its files ({reason})", thousands(count)),
                    },
                }),
        );
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }
}

fn thousands(number: usize) -> String {
    match number {
        1000.. => format!("{},{:03}", number / 1000, number % 1000),
        number => number.to_string(),
    }
}

/// Whether the file is generated and belongs to no version.
pub fn is_generated(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    GENERATED_FILES.contains(&name)
        || name.ends_with(".tsbuildinfo")
        || name.starts_with(PART_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, kind: FoundKind, mode: u32, size: u64) -> FoundEntry {
        FoundEntry {
            path: path.to_owned(),
            is_text: true,
            kind,
            readable: mode & 0o400 != 0,
            mode,
            size,
        }
    }

    fn chosen(entries: Vec<FoundEntry>) -> (Vec<String>, Vec<String>) {
        let listing = Listing::choose(Found {
            entries,
            whole: true,
        });
        let kept = listing.kept.iter().map(|kept| match &kept.kind {
            KeptKind::File { executable: false } => kept.path.clone(),
            KeptKind::File { executable: true } => format!("{}*", kept.path),
            KeptKind::Link { target } => format!("{} -> {target}", kept.path),
            KeptKind::Folder => format!("{}/", kept.path),
        });
        (
            kept.collect(),
            listing.left_out.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn what_can_be_kept_is_kept_as_it_is_and_the_rest_is_named() {
        let link = |path: &str, target: &str| {
            found(path, FoundKind::Link(Some(target.to_owned())), 0o777, 1)
        };
        let (kept, left_out) = chosen(vec![
            found("app", FoundKind::Folder, 0o755, 0),
            found("app/page.tsx", FoundKind::File, 0o644, 10),
            found("app/empty", FoundKind::Folder, 0o755, 0),
            found("run.sh", FoundKind::File, 0o755, 10),
            found(".env.local", FoundKind::File, 0o600, 10),
            found("next-env.d.ts", FoundKind::File, 0o644, 10),
            found("closed", FoundKind::Folder, 0, 0),
            found("secret", FoundKind::File, 0, 10),
            found("film", FoundKind::File, 0o644, 10 << 30),
            found("pipe", FoundKind::Pipe, 0o644, 0),
            found("socket", FoundKind::Socket, 0o755, 0),
            link("app/again", "../run.sh"),
            link("loop", "loop"),
            link("own", "/home/user/app"),
            link("out", "../../etc/passwd"),
            link("far", "/etc/passwd"),
            link("near", "/home/user/../user2/x"),
        ]);
        assert_eq!(
            kept,
            [
                ".env.local",
                "app/again -> ../run.sh",
                "app/empty/",
                "app/page.tsx",
                "loop -> loop",
                "own -> /home/user/app",
                "run.sh*"
            ]
        );
        let paths: Vec<_> = left_out
            .iter()
            .map(|line| line.split('`').nth(1).unwrap_or_default())
            .collect();
        assert_eq!(
            paths,
            [
                "closed", "far", "film", "near", "out", "pipe", "secret", "socket"
            ]
        );
        assert!(
            left_out[0].contains("mode 000") && left_out[2].contains("10240 MiB"),
            "{left_out:?}"
        );
    }

    #[test]
    fn the_app_s_sources_come_first_and_crowded_folders_are_one_entry() {
        let mut entries: Vec<_> = (0..6000)
            .map(|number| {
                found(
                    &format!("public/many/{number:05}.txt"),
                    FoundKind::File,
                    0o644,
                    1,
                )
            })
            .collect();
        entries.extend(
            (0..200).map(|number| found(&format!("zoo/{number}.ts"), FoundKind::File, 0o644, 1)),
        );
        entries.push(found("out/index.html", FoundKind::File, 0o644, 1));
        let (kept, left_out) = chosen(entries);
        assert_eq!(kept.len(), MAX_FILES);
        assert_eq!(
            kept.iter().filter(|path| path.starts_with("zoo/")).count(),
            200
        );
        assert_eq!(kept[0], "public/many/00000.txt");
        assert_eq!(
            left_out,
            [
                "`out/index.html`: a version keeps 5,000 files",
                "`public/many`: 1,200 of its files (a version keeps 5,000 files)"
            ]
        );
        let large = (0..5).map(|number| {
            found(
                &format!("public/{number}.mp4"),
                FoundKind::File,
                0o644,
                30 << 20,
            )
        });
        let (kept, left_out) = chosen(
            large
                .chain([found("zoo.ts", FoundKind::File, 0o644, 9)])
                .collect(),
        );
        assert_eq!(
            kept,
            ["public/0.mp4", "public/1.mp4", "public/2.mp4", "zoo.ts"]
        );
        assert_eq!(
            left_out,
            ["`public`: 2 of its files (a version keeps 100 MiB in all)"]
        );
    }
}
