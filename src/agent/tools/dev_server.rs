//! Refuses commands that would start the app's own server, which is already running. If one gets
//! through, the program's advice to kill the running server is removed from the output.

use std::collections::HashMap;

use serde::Deserialize;

use super::shell_words;
use crate::{
    agent::{App, app::path::HOME, nextjs::log},
    protocol::first_chars,
};

/// The port of the app's server.
const PORT: u16 = 3000;
/// How many levels of scripts calling scripts are followed.
const MAX_DEPTH: usize = 6;
/// The beginning of every refusal.
const RUNS: &str = "The app's own server already runs on port 3000, with hot reload: don't start \
                    another one, and don't stop or kill it.";

/// Scripts that start an app's server by convention, if the app's manifest does not define them.
const SERVER_SCRIPTS: [&str; 4] = ["dev", "start", "serve", "preview"];
/// Words before a command that only say when or how to run it.
const RESERVED: [&str; 10] = [
    "{", "!", "if", "then", "else", "elif", "while", "until", "do", "time",
];
const WRAPPERS: [&str; 15] = [
    "exec",
    "nohup",
    "setsid",
    "command",
    "builtin",
    "eval",
    "nice",
    "ionice",
    "stdbuf",
    "env",
    "timeout",
    "sudo",
    "cross-env",
    "dotenv",
    "unbuffer",
];
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "zsh"];
/// Subcommands of Next.js and Vite that don't serve.
const OTHER_WORK: [&str; 14] = [
    "build",
    "lint",
    "info",
    "telemetry",
    "typegen",
    "upgrade",
    "analyze",
    "internal",
    "experimental-analyze",
    "experimental-test",
    "experimental-generate",
    "optimize",
    "export",
    "init",
];

/// The scripts of the app's `package.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    scripts: HashMap<String, String>,
}

/// Why the command is refused; `None` if it may run.
pub(super) async fn refusal(app: &App, command: &str) -> Option<String> {
    let first = starting(command, &HashMap::new(), 0);
    let managers = ["npm", "pnpm", "yarn", "bun", "node"];
    if first.is_none() && !managers.iter().any(|manager| command.contains(manager)) {
        return None;
    }
    let manifest = app
        .sandbox()
        .read_file(&format!("{HOME}/package.json"))
        .await
        .unwrap_or_default();
    let Manifest { scripts } = serde_json::from_slice(&manifest).unwrap_or_default();
    let found = starting(command, &scripts, 0)?;
    Some(format!(
        "nothing was run, because `{found}` starts a server for the app. {RUNS} Its log is \
         /tmp/dev-server.log; checkApp checks whether the app works"
    ))
}

/// The command's output without advice to kill the app's server.
pub(super) fn without_advice(content: String) -> String {
    let is_next = content.contains(log::ALREADY_RUNS);
    let is_taken = |line: &str| line.contains("EADDRINUSE") && line.contains(&format!(":{PORT}"));
    let is_used = content.contains(&format!("Port {PORT} is in use"));
    if !is_next && !is_used && !content.lines().any(is_taken) {
        return content;
    }
    let kept: Vec<&str> = content
        .lines()
        .filter(|line| !(is_next && log::is_advice(line)))
        .collect();
    format!("{}\n{RUNS}", kept.join("\n"))
}

/// The first command of the script that starts the app's server, as words.
fn starting(script: &str, scripts: &HashMap<String, String>, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut elsewhere = false;
    for words in shell_words::commands(script) {
        let bare = bare(&words);
        match bare.first().map(|word| word.as_str()) {
            Some("cd" | "pushd") => elsewhere = bare.get(1).is_some_and(|folder| !is_home(folder)),
            // It belongs to another project, below or outside the app.
            _ if elsewhere => {}
            _ if starts(bare, scripts, depth) => {
                return Some(first_chars(&words.join(" "), 100).to_owned());
            }
            _ => {}
        }
    }
    None
}

fn is_home(folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    matches!(
        folder,
        "" | "." | "~" | "$HOME" | "${HOME}" | "$PWD" | "$" | "-"
    ) || folder == HOME
}

/// The words without those that only say when or how to run the command.
fn bare(mut words: &[String]) -> &[String] {
    let mut wrapped = false;
    while let Some((first, rest)) = words.split_first() {
        let wrapper = WRAPPERS.contains(&first.as_str());
        let is_option = wrapped
            && (first.starts_with('-')
                || first.starts_with(|letter: char| letter.is_ascii_digit()));
        if !wrapper && !is_option && !RESERVED.contains(&first.as_str()) && !is_assignment(first) {
            break;
        }
        wrapped |= wrapper;
        // `env -u NAME`, `timeout -s SIGNAL -k SECONDS`, `nice -n 5`
        let has_value = is_option && ["-u", "-s", "-k", "-n"].contains(&first.as_str());
        words = if has_value {
            rest.get(1..).unwrap_or_default()
        } else {
            rest
        };
    }
    words
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// The words after the options, some of which take a value.
fn after_options<'a>(mut words: &'a [String], valued: &[&str]) -> &'a [String] {
    while let Some((first, rest)) = words.split_first() {
        if !first.starts_with('-') {
            break;
        }
        let skipped = usize::from(valued.contains(&first.as_str())).min(rest.len());
        words = &rest[skipped..];
    }
    words
}

/// Whether the words, beginning with the program's name, start the app's server.
fn starts(words: &[String], scripts: &HashMap<String, String>, depth: usize) -> bool {
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    if depth > MAX_DEPTH {
        return false;
    }
    let script = |name: &str| match scripts.get(name) {
        Some(script) => starting(script, scripts, depth + 1).is_some(),
        None => SERVER_SCRIPTS.contains(&name),
    };
    let again = |words: &[String]| starts(bare(words), scripts, depth + 1);
    // `next@latest`, `./node_modules/.bin/next`
    let file = program.rsplit('/').next().unwrap_or_default();
    let name = file.split_once('@').map_or(file, |(name, _)| name);
    match name {
        _ if SHELLS.contains(&name) => {
            let flag = arguments
                .iter()
                .position(|word| word.starts_with('-') && word.contains('c'));
            flag.and_then(|at| arguments.get(at + 1))
                .is_some_and(|script| starting(script, scripts, depth + 1).is_some())
        }
        "next" | "vite" => serves(arguments),
        "npx" | "bunx" | "pnpx" => again(after_options(arguments, &["-p", "--package"])),
        "npm" | "pnpm" | "yarn" | "bun" => {
            if is_of_another(arguments) {
                return false;
            }
            let valued = [
                "--prefix",
                "-C",
                "--dir",
                "--cwd",
                "-w",
                "--workspace",
                "--filter",
                "-F",
                "--loglevel",
            ];
            let Some((called, rest)) = after_options(arguments, &valued).split_first() else {
                return false;
            };
            match called.as_str() {
                "run" | "run-script" => after_options(rest, &valued)
                    .first()
                    .is_some_and(|name| script(name)),
                "start" => script("start"),
                "exec" | "x" | "dlx" => again(after_options(rest, &["-p", "--package"])),
                // The other package managers run scripts and programs without `run`.
                _ if name == "npm" => false,
                called if scripts.contains_key(called) || SERVER_SCRIPTS.contains(&called) => {
                    script(called)
                }
                _ => again(after_options(arguments, &valued)),
            }
        }
        "node" => {
            if let Some((_, script_name)) = arguments
                .iter()
                .zip(arguments.iter().skip(1))
                .find(|(option, _)| *option == "--run")
            {
                return script(script_name);
            }
            match after_options(arguments, &["-r", "--require", "--import"]).split_first() {
                Some((file, arguments)) => {
                    let programs = [
                        "next/dist/bin/next",
                        ".bin/next",
                        "vite/bin/vite.js",
                        ".bin/vite",
                    ];
                    programs.iter().any(|program| file.ends_with(program)) && serves(arguments)
                }
                None => false,
            }
        }
        _ => false,
    }
}

/// Whether these arguments make a package manager work in another project.
fn is_of_another(arguments: &[String]) -> bool {
    let folders = ["--prefix", "-C", "--dir", "--cwd"];
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    let pairs = pairs.map(|(option, value)| (option.as_str(), value.as_str()));
    let joined = arguments
        .iter()
        .filter_map(|argument| argument.split_once('='));
    let in_folder = pairs
        .chain(joined)
        .any(|(option, folder)| folders.contains(&option) && !is_home(folder));
    let names = ["-w", "--workspace", "workspace", "--filter", "-F"];
    in_folder
        || arguments
            .iter()
            .any(|argument| names.contains(&argument.split('=').next().unwrap_or_default()))
}

/// Whether Next.js or Vite serves with these arguments.
fn serves(arguments: &[String]) -> bool {
    let asks = ["--help", "-h", "--version", "-v"];
    if arguments
        .iter()
        .any(|argument| asks.contains(&argument.as_str()))
    {
        return false;
    }
    arguments
        .iter()
        .find(|argument| !argument.starts_with('-'))
        .is_none_or(|first| !OTHER_WORK.contains(&first.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts() -> HashMap<String, String> {
        let scripts = [
            ("dev", "next dev"),
            ("start", "NODE_ENV=production next start"),
            ("build", "next build"),
            ("up", "npm run lint && npm run dev -- -p 4000"),
            ("api", "node api/server.js"),
            ("loop", "npm run loop"),
        ];
        scripts
            .map(|(name, script)| (name.to_owned(), script.to_owned()))
            .into()
    }

    #[test]
    fn a_command_that_starts_the_app_s_server_is_found_however_it_is_written() {
        for command in [
            "npm run dev",
            "npx next dev -p 3001",
            "next start",
            "npm start",
            "yarn dev",
            "yarn run dev",
            "pnpm dev",
            "pnpm run dev",
            "bun dev",
            "bun run dev",
            "bun --bun next dev",
            "vite",
            "npx vite --port 4000",
            "PORT=3001 npm run dev",
            "cd . && npm run dev",
            "cd /home/user/ && npm run dev",
            "npm run dev &",
            "npm run dev > /tmp/log 2>&1 &",
            "npm run dev 2>&1 | head -20",
            "(npm run dev &)",
            "nohup npm run dev &",
            "timeout 20 npm run dev",
            "timeout -k 5 20s npx next dev",
            "env -u CI PORT=3001 npm run dev",
            "setsid npm run dev >/dev/null & sleep 5; curl localhost:3000",
            "npm install date-fns && npm run dev",
            "npm --silent run dev -- --port 3001",
            "npm run --silent dev",
            "npm --prefix . run dev",
            "npm run up",
            "npx --yes next@latest dev",
            "npx next",
            "npx next -p 3001",
            "npx next dev --turbo",
            "npm exec -- next dev",
            "pnpm exec next dev",
            "pnpm dlx next dev",
            "yarn next dev",
            "./node_modules/.bin/next dev",
            "node node_modules/next/dist/bin/next start -p 3001",
            "node --run dev",
            "sh -c 'npm run dev'",
            "bash -lc \"cd . && exec npm run dev\"",
            "if true; then npm run dev; fi",
            "while true; do npm run dev; done",
            "echo $(npm run dev)",
            "sleep 1\nnpm run dev",
        ] {
            assert!(starting(command, &scripts(), 0).is_some(), "{command}");
            assert!(
                !command.contains("next") || starting(command, &HashMap::new(), 0).is_some(),
                "{command}"
            );
        }
        assert!(starting("npm run dev", &HashMap::new(), 0).is_some());
    }

    #[test]
    fn a_command_that_only_speaks_of_a_server_or_starts_another_is_run() {
        for command in [
            "echo 'npm run dev'",
            "grep -rn \"next dev\" package.json",
            "cat > README.md <<EOF\nnpm run dev\nEOF",
            "# npm run dev\nls",
            "npm run build",
            "npx next build",
            "npx next lint",
            "next --version",
            "npx next dev --help",
            "npm run api",
            "npm run loop",
            "npm install next vite",
            "npm ls next",
            "npm view next version",
            "npm run",
            "npx tsc --noEmit",
            "npx vitest run",
            "cd api && npm run dev",
            "npm --prefix api run dev",
            "npm --prefix=api run dev",
            "pnpm --filter api dev",
            "yarn workspace api dev",
            "npm run dev -w api",
            "which next",
            "node server.js",
            "node -e 'console.log(\"next dev\")'",
            "pgrep -fa 'next dev'",
            "git commit -m 'fix; npm run dev'",
            "bun add next",
            "pnpm add vite",
            "yarn add next",
            "",
        ] {
            assert_eq!(starting(command, &scripts(), 0), None, "{command}");
        }
    }

    #[test]
    fn what_next_says_of_a_server_that_runs_already_has_no_advice_to_kill_it() {
        let said = "exit code 1\nstderr:\n⨯ Another next dev server is already running.\n\n- Local:        http://localhost:3000\n\
                    - PID:          42\n- Dir:          /home/user\n\nYou can access the existing server at http://localhost:3000,\n\
                    or run kill 42 to stop it and start a new one.";
        let shown = without_advice(said.to_owned());
        assert!(
            shown.contains("already running") && shown.ends_with(RUNS),
            "{shown}"
        );
        assert!(!shown.contains("42"), "{shown}");
        let taken = "Error: listen EADDRINUSE: address already in use :::3000";
        assert!(without_advice(taken.to_owned()).ends_with(RUNS));
        for other in [
            "exit code 0\nstdout:\nkill 42",
            "listen EADDRINUSE: address already in use :::4000",
        ] {
            assert_eq!(without_advice(other.to_owned()), other);
        }
    }
}
