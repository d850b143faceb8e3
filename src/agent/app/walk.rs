//! Lists the app's folder: one command walks it in the sandbox, with tools that every template has
//! (GNU find), and reports its entries as zero-terminated fields. Nothing in the app's folder can
//! make it fail: unreadable entries are reported as such.

use std::time::Duration;

use super::{
    App,
    found::{END, Found, MAX_DEPTH, parse},
    path::{GENERATED_FOLDERS, HOME},
};
use crate::{agent::RunError, sandbox::RunOptions};

/// Folders of programs within the app's folder, besides [`GENERATED_FOLDERS`].
const PROGRAMS_FOLDERS: [&str; 5] = [
    "./.local",
    "./.bun",
    "./.deno",
    "./.yarn/cache",
    "./.yarn/unplugged",
];
/// The maximum size of a report in the command's output, in bytes.
const SHORT: usize = 1_000_000;
/// The maximum size of a report in a file, in bytes: about 300,000 entries.
const LONG: usize = 24 << 20;
/// How long the walk may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Matches readable entries, and folders only if they can be entered.
const READABLE: &str = r"-readable \( ! -type d -o -executable \)";

impl App {
    /// Walks the app's folder. `Err(User)` if the sandbox can't do it.
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

    /// The same with a report of any size, through a file.
    async fn walk_by_file(&self) -> Result<Found, RunError> {
        let command = format!(
            "list=$(mktemp /tmp/codeflow-list-XXXXXX || mktemp /dev/shm/codeflow-list-XXXXXX) && \
             {} | head -c {LONG} >\"$list\" && printf %s \"$list\"",
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

    /// The output of a command that nothing in the app's folder can influence, neither the user's
    /// profile nor packages' programs.
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

/// The command that lists the app's folder. First it reopens a folder that its own user can't
/// enter, for example after `chmod 000 ~`.
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

/// Lets the sandbox's user into its home after it has locked itself out.
pub(super) const OPEN_HOME: &str =
    "[ -r /home/user -a -w /home/user -a -x /home/user ] || chmod u+rwx /home/user";
