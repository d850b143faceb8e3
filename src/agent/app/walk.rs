//! What is in the app's folder: one command walks it in the sandbox, with tools that every template
//! has (GNU find), and reports its entries as zero-terminated fields. Nothing in the app's folder can
//! make it fail: entries that can't be read are reported as such.

use std::time::Duration;

use super::{
    App,
    path::{GENERATED_FOLDERS, HOME},
};
use crate::{agent::RunError, sandbox::RunOptions};

/// Folders in the app's folder that belong to programs, beside those named in
/// [`GENERATED_FOLDERS`].
const PROGRAMS_FOLDERS: [&str; 5] = [
    "./.local",
    "./.bun",
    "./.deno",
    "./.yarn/cache",
    "./.yarn/unplugged",
];
/// How deep the walk goes: a folder tree as JSON stays below the depth that its parsers allow, 128.
pub const MAX_DEPTH: usize = 40;
/// The longest report that fits in the command's output, in bytes.
const SHORT: usize = 1_000_000;
/// The longest report, in bytes: some 300,000 entries. It comes through a file.
const LONG: usize = 24 << 20;
/// How long the walk may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Matches what is readable and, if it is a folder, can be entered.
const READABLE: &str = r"-readable \( ! -type d -o -executable \)";
/// What ends a whole report.
const END: &[u8] = b"end";

/// What the walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub entries: Vec<FoundEntry>,
    /// Whether that is all.
    pub whole: bool,
}

/// An entry of a folder, as it is in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Relative to the app; with replacement characters unless `is_text`.
    pub path: String,
    /// Whether the path is UTF-8.
    pub is_text: bool,
    pub kind: FoundKind,
    /// Whether the sandbox's user may read it and, if it is a folder, enter it.
    pub readable: bool,
    /// Permission bits.
    pub mode: u32,
    /// In bytes.
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    File,
    Folder,
    /// A symbolic link; `None` if its target is not UTF-8.
    Link(Option<String>),
    Pipe,
    Socket,
    /// A device, or what else there may be.
    Other,
}

impl App {
    /// Walks the app's folder. `Err(User)` if the sandbox can't do that.
    pub(super) async fn walk(&self) -> Result<Found, RunError> {
        let output = self
            .run_isolated(&format!("{} | head -c {SHORT}", command()))
            .await?;
        if output.len() < SHORT {
            return parse(&output);
        }
        match self.walk_by_file().await {
            Err(RunError::User(why)) => {
                tracing::warn!(
                    sandbox.id = self.id(),
                    why,
                    "could not read a long list of files; using only its beginning"
                );
                parse(&output)
            }
            walked => walked,
        }
    }

    /// The same with a report of any length.
    async fn walk_by_file(&self) -> Result<Found, RunError> {
        let command = format!(
            "list=$(mktemp /tmp/codeflow-list-XXXXXX || mktemp /dev/shm/codeflow-list-XXXXXX) && {} | head -c {LONG} >\"$list\" && printf %s \"$list\"",
            command()
        );
        let file = String::from_utf8_lossy(&self.run_isolated(&command).await?).into_owned();
        if file.is_empty() {
            return Err(RunError::User(
                "there is no room for the list of the app's files".to_owned(),
            ));
        }
        let read = self.sandbox.read_file_within(&file, LONG).await;
        self.sandbox.remove(&file).await?;
        parse(&read?)
    }

    /// The output of a command that nothing in the app's folder can influence: neither the user's
    /// profile nor programs of packages.
    pub(super) async fn run_isolated(&self, command: &str) -> Result<Vec<u8>, RunError> {
        let envs = [
            ("HOME", "/"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LC_ALL", "C"),
        ];
        let options = RunOptions {
            cwd: "/".to_owned(),
            envs: envs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            timeout: TIMEOUT,
        };
        let output = self.sandbox.run(command, &options).await?;
        if output.timed_out {
            return Err(RunError::User(format!(
                "the sandbox took longer than {} seconds",
                TIMEOUT.as_secs()
            )));
        }
        Ok(output.stdout)
    }
}

/// The command that lists the app's folder. It first opens a folder that its own user can't enter,
/// as after `chmod 000 ~`.
fn command() -> String {
    let names = GENERATED_FOLDERS
        .map(|name| format!("-name {name}"))
        .join(" -o ");
    let paths = PROGRAMS_FOLDERS
        .map(|path| format!("-path {path}"))
        .join(" -o ");
    let end = String::from_utf8_lossy(END);
    format!(
        "{OPEN_HOME}; {{ cd {HOME} && {{ find . -mindepth 1 -maxdepth {MAX_DEPTH} -type d \\( {names} -o {paths} \\) -prune -o \
         \\( \\( {READABLE} -printf + -o -printf ! \\) -printf '%y %m %s %P\\0%l\\0' \\( ! -type d -o {READABLE} -o -prune \\) \\); \
         printf {end}; }}; }} 2>/dev/null"
    )
}

/// Lets the sandbox's user into its home if it has locked itself out.
pub(super) const OPEN_HOME: &str =
    "[ -r /home/user -a -w /home/user -a -x /home/user ] || chmod u+rwx /home/user";

/// Parses a report; an entry that is cut off at its end is left out.
fn parse(report: &[u8]) -> Result<Found, RunError> {
    let mut fields = report.split(|byte| *byte == 0).collect::<Vec<_>>();
    // After the last zero byte.
    let rest = fields.pop().unwrap_or_default();
    if fields.is_empty() && rest != END {
        return Err(RunError::User(
            "the sandbox could not list the app's folder".to_owned(),
        ));
    }
    let (pairs, _) = fields.as_chunks::<2>();
    let entries = pairs
        .iter()
        .filter_map(|[text, target]| entry(text, target));
    Ok(Found {
        entries: entries.collect(),
        whole: rest == END,
    })
}

/// Parses `+f 644 12 app/page.tsx`, and a link's target.
fn entry(text: &[u8], target: &[u8]) -> Option<FoundEntry> {
    let mut parts = text.splitn(4, |byte| *byte == b' ');
    let (kind, mode, size, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let number =
        |text: &[u8], radix| u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok();
    let (mark, kind) = kind.split_first()?;
    Some(FoundEntry {
        path: String::from_utf8_lossy(path).into_owned(),
        is_text: std::str::from_utf8(path).is_ok(),
        kind: match kind {
            b"f" => FoundKind::File,
            b"d" => FoundKind::Folder,
            b"l" => FoundKind::Link(std::str::from_utf8(target).ok().map(str::to_owned)),
            b"p" => FoundKind::Pipe,
            b"s" => FoundKind::Socket,
            _ => FoundKind::Other,
        },
        readable: *mark == b'+',
        mode: u32::try_from(number(mode, 8)?).ok()?,
        size: number(size, 10)?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whatever_names_there_are_and_as_far_as_it_came() {
        let report = b"+f 755 12 a b\nc\0\0!d 0 4096 x\0\0+l 777 3 l\0../y\0+f 644 1 \xff\0\0end";
        let found = parse(report).unwrap();
        assert!(found.whole);
        let shown: Vec<_> = found
            .entries
            .iter()
            .map(|entry| {
                (
                    entry.path.as_str(),
                    entry.readable,
                    entry.mode,
                    entry.is_text,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("a b\nc", true, 0o755, true),
                ("x", false, 0, true),
                ("l", true, 0o777, true),
                ("\u{fffd}", true, 0o644, false)
            ]
        );
        assert_eq!(
            found.entries[2].kind,
            FoundKind::Link(Some("../y".to_owned()))
        );
        let cut = parse(&report[..28]).unwrap();
        assert_eq!((cut.entries.len(), cut.whole), (1, false));
        assert_eq!(
            parse(b"end").unwrap(),
            Found {
                entries: Vec::new(),
                whole: true
            }
        );
        assert!(parse(b"").is_err());
    }
}
