//! Changes that people make to the app's files. Each is one command in the sandbox, which checks
//! the current state before it changes anything, so that nobody's concurrent changes are
//! overwritten. Links are followed inside the app only.

use std::time::Duration;

use super::{
    App,
    path::{AppPath, GENERATED_FOLDERS, HOME, grep_exclusions},
    walk,
};
use crate::{
    agent::{RunError, text::plain},
    protocol::{FileMatch, FileMatches, first_chars, shorten},
    sandbox::{CommandOutput, RunOptions, SandboxError},
};

/// How long a change, or a search, may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The exit codes of [`CHANGE`].
const REFUSED: i32 = 3;
const DIFFERS: i32 = 4;
/// The limits of a search: lines returned, characters per line, and bytes that leave the sandbox.
const MAX_MATCHES: usize = 300;
const MAX_LINE: usize = 200;
const MAX_BYTES: usize = 2000;
/// The base of a write to a file that must not exist yet.
const ABSENT: &str = "absent";

/// `$EDIT` is the operation, `$EDIT_PATH` and `$EDIT_TO` are paths below the home, `$EDIT_PART` is
/// a file with the new content, `$EDIT_HASH` its hash, and `$EDIT_BASE` the hash of the content to
/// replace. A refusal is one word on standard error.
const CHANGE: &str = r#"
refuse() { printf %s "$1" >&2; exit 3; }
inside() {
  case $1 in /home/user/?*) ;; *) refuse outside ;; esac
  IFS=: read -r -a generated <<<"$EDIT_GENERATED"
  for name in "${generated[@]}"; do case "$1/" in */"$name"/*) refuse generated ;; esac; done
}
# Where the path leads; its last part stays a link where $2 says so.
place() {
  local whole=/home/user/$1
  if [ "$2" = link ]; then at=$(realpath -m -- "${whole%/*}")/${whole##*/}; else at=$(realpath -m -- "$whole"); fi
  inside "$at"
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
# On the disk: until then, one that is full behind the sandbox's own takes every write.
keep() { sync -- "$1" || refuse unkept; }
case $EDIT in
write)
  trap 'rm -f -- "$EDIT_PART"' EXIT
  place "$EDIT_PATH" target
  [ ! -d "$at" ] || refuse folder
  now=absent
  if [ -e "$at" ]; then
    [ -f "$at" ] || refuse special
    [ -r "$at" ] && [ -w "$at" ] || refuse closed
    now=$(sha256sum <"$at") && now=${now%% *}
  fi
  if [ "$now" = "$EDIT_HASH" ]; then keep "$at"; exit 0; fi
  [ "$now" = "$EDIT_BASE" ] || exit 4
  mkdir -p -- "${at%/*}" || refuse failed
  if [ "$now" != absent ]; then chmod --reference="$at" -- "$EDIT_PART"; fi
  keep "$EDIT_PART"
  mv -fT -- "$EDIT_PART" "$at" || refuse failed
  keep "$at"
  ;;
folder)
  place "$EDIT_PATH" link
  ! there "$at" || refuse exists
  mkdir -p -- "$at" || refuse failed
  ;;
move)
  place "$EDIT_PATH" link; from=$at
  place "$EDIT_TO" link
  there "$from" || refuse missing
  case "$at/" in "$from"/*) refuse itself ;; esac
  ! there "$at" || refuse exists
  mkdir -p -- "${at%/*}" && mv -nT -- "$from" "$at" || refuse failed
  ;;
delete)
  place "$EDIT_PATH" link
  there "$at" || refuse missing
  rm -rf -- "$at" || refuse failed
  ;;
esac
"#;

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    Done,
    /// Nothing was written: the file's content differs from the write's base.
    Differs,
}

impl App {
    /// Writes the file if its content still has the hash `base` (`None`: if there is no file yet).
    /// `Err(User)` with a sentence if it can't be written.
    pub async fn write_over(
        &self,
        path: &AppPath,
        content: Vec<u8>,
        hash: &str,
        base: Option<&str>,
    ) -> Result<Edited, RunError> {
        // In the app's folder, so that renaming it replaces the file atomically; listings leave it
        // out.
        let part = format!("{HOME}/.codeflow-edit-{}", uuid::Uuid::now_v7());
        self.run_isolated(walk::OPEN_HOME).await?;
        if let Err(error) = self.sandbox.write_file(&part, content).await {
            let _ = self.sandbox.remove(&part).await;
            return Err(error.into());
        }
        let envs = [
            ("EDIT", "write"),
            ("EDIT_PATH", path.as_str()),
            ("EDIT_PART", &part),
            ("EDIT_HASH", hash),
            ("EDIT_BASE", base.unwrap_or(ABSENT)),
        ];
        self.change_files(path, &envs).await
    }

    /// Creates the folder. `Err(User)` with a sentence if the path is taken.
    pub async fn make_folder(&self, path: &AppPath) -> Result<(), RunError> {
        self.change_files(path, &[("EDIT", "folder"), ("EDIT_PATH", path.as_str())])
            .await
            .map(drop)
    }

    /// Moves a file or folder to a free path, else `Err(User)` with a sentence.
    pub async fn move_path(&self, from: &AppPath, to: &AppPath) -> Result<(), RunError> {
        let envs = [
            ("EDIT", "move"),
            ("EDIT_PATH", from.as_str()),
            ("EDIT_TO", to.as_str()),
        ];
        self.change_files(to, &envs).await.map(drop)
    }

    /// Deletes a file, or a folder with everything in it. `Err(User)` if there is none.
    pub async fn delete_path(&self, path: &AppPath) -> Result<(), RunError> {
        self.change_files(path, &[("EDIT", "delete"), ("EDIT_PATH", path.as_str())])
            .await
            .map(drop)
    }

    async fn change_files(
        &self,
        path: &AppPath,
        envs: &[(&str, &str)],
    ) -> Result<Edited, RunError> {
        let generated = GENERATED_FOLDERS.join(":");
        let generated = ("EDIT_GENERATED", generated.as_str());
        let envs = envs.iter().copied().chain([generated]);
        let output = self.run_as_program(CHANGE, envs).await?;
        match output.exit_code {
            0 => Ok(Edited::Done),
            DIFFERS => Ok(Edited::Differs),
            code => {
                let why = String::from_utf8_lossy(&output.stderr);
                // The output of other programs comes before the word.
                let word = why.rsplit('\n').next().unwrap_or_default();
                Err(RunError::User(if code == REFUSED {
                    refusal(path, word, &why)
                } else {
                    format!("“{path}” could not be changed. Try again.")
                }))
            }
        }
    }

    /// Runs a script that is controlled only by its variables, not by anything in the app's folder.
    async fn run_as_program(
        &self,
        script: &str,
        envs: impl Iterator<Item = (&str, &str)>,
    ) -> Result<CommandOutput, RunError> {
        let own = [
            ("HOME", "/"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LC_ALL", "C.UTF-8"),
        ];
        let options = RunOptions {
            cwd: "/".to_owned(),
            envs: own
                .into_iter()
                .chain(envs)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            timeout: TIMEOUT,
        };
        let output = self.sandbox.run(script, &options).await?;
        if output.timed_out {
            return Err(RunError::User(format!(
                "This took the sandbox longer than {} seconds and was stopped. Try again.",
                TIMEOUT.as_secs()
            )));
        }
        Ok(output)
    }

    /// The file's bytes, at most `limit`; `None` if there is no such regular file. `Err(User)` with
    /// a sentence if it leads out of the app, can't be read, or is larger.
    pub async fn read_own(
        &self,
        path: &AppPath,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, RunError> {
        let script = r#"at=$(realpath -e -- "/home/user/$EDIT_PATH") || exit 4
case $at in /home/user/?*) ;; *) exit 3 ;; esac
[ -f "$at" ] || exit 4"#;
        let output = self
            .run_as_program(script, [("EDIT_PATH", path.as_str())].into_iter())
            .await?;
        match output.exit_code {
            0 => {}
            REFUSED => return Err(RunError::User(refusal(path, "outside", ""))),
            _ => return Ok(None),
        }
        match self.sandbox.read_file_within(&path.absolute(), limit).await {
            Ok(content) => Ok(Some(content)),
            Err(SandboxError::NoSuchPath(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The lines of the app's files that contain the text, ignoring case, without generated files.
    pub async fn search(&self, text: &str) -> Result<FileMatches, RunError> {
        let excluded = grep_exclusions();
        // The text is passed in the environment, so that the shell interprets nothing in it. Pipes
        // and devices are skipped, because reading them may never end.
        let script = format!(
            "cd {HOME} && grep -rnZIiF -D skip {excluded} --exclude=package-lock.json --exclude='.codeflow-*' \
             -e \"$SEARCH\" . 2>/dev/null | cut -b -{MAX_BYTES} | head -n {}",
            MAX_MATCHES + 1
        );
        let output = self
            .run_as_program(&script, [("SEARCH", text)].into_iter())
            .await?;
        Ok(matches(&output.stdout))
    }
}

/// Parses grep's output, `path\0line:text`.
fn matches(output: &[u8]) -> FileMatches {
    let output = String::from_utf8_lossy(output);
    let mut matches: Vec<FileMatch> = output
        .lines()
        .filter_map(|line| {
            let (path, rest) = line.split_once('\0')?;
            let (number, text) = rest.split_once(':')?;
            Some(FileMatch {
                path: path.strip_prefix("./").unwrap_or(path).to_owned(),
                line: number.parse().ok()?,
                text: shorten(&plain::text(text.trim().as_bytes()), MAX_LINE).into_owned(),
            })
        })
        .collect();
    let more = matches.len() > MAX_MATCHES;
    matches.truncate(MAX_MATCHES);
    matches.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    FileMatches { matches, more }
}

/// The refusal as a sentence for people.
fn refusal(path: &AppPath, word: &str, why: &str) -> String {
    match word {
        "outside" => format!(
            "“{path}” leads out of the app's folder by a link. Choose a path inside the app."
        ),
        "generated" => format!(
            "“{path}” is in a folder that tools generate, such as node_modules. Choose another path."
        ),
        "folder" => format!("“{path}” is a folder. Choose another name."),
        "special" => format!("“{path}” is not a plain file. Choose another name."),
        "closed" => {
            format!("“{path}” is closed by its permissions. Ask the agent to open it with chmod.")
        }
        "exists" => format!("There is already something at “{path}”. Choose another name."),
        "missing" => "It is not there any more. The list of files shows what is.".to_owned(),
        "unkept" => "The disk that the sandbox is on is full or fails, so nothing was saved. Free \
                     some space on the server, then try again."
            .to_owned(),
        "itself" => "A folder can't be moved into itself. Choose another place.".to_owned(),
        _ if why.contains("No space left") || why.contains("Disk quota") => {
            "The sandbox's disk is full. Delete files, then try again.".to_owned()
        }
        _ => format!(
            "“{path}” could not be changed: {}. Choose another path.",
            first_chars(why.lines().next().unwrap_or("the sandbox refused it"), 200)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_lines_keep_paths_with_colons_and_say_when_there_are_more() {
        let found = matches(b"./a:1:b.ts\x003:  const a = 1;\n./[id]/page.tsx\x0012:x\nodd\n");
        let lines: Vec<_> = found
            .matches
            .iter()
            .map(|found| (found.path.as_str(), found.line, found.text.as_str()))
            .collect();
        assert_eq!(
            lines,
            [("[id]/page.tsx", 12, "x"), ("a:1:b.ts", 3, "const a = 1;")]
        );
        assert!(!found.more);
        let many: String = (0..=MAX_MATCHES)
            .map(|line| format!("./a\0{line}:x\n"))
            .collect();
        let found = matches(many.as_bytes());
        assert_eq!((found.matches.len(), found.more), (MAX_MATCHES, true));
    }
}
