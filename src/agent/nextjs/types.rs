//! Type errors, as the compiler reports them inside the sandbox.

use std::time::Duration;

use crate::agent::{App, RunError};

/// The longest that the compiler may take.
pub const TIMEOUT: Duration = Duration::from_secs(150);
/// The longest that it may take the second time.
pub const RECHECK_TIMEOUT: Duration = Duration::from_secs(60);
/// How many errors are reported.
const MAX_ERRORS: usize = 20;
/// The compiler keeps its results between runs, beginning with the template's build.
const COMMAND: &str = "[ -f tsconfig.json ] || exit 99; [ -f node_modules/typescript/lib/tsc.js ] || exit 98; \
    exec node node_modules/typescript/lib/tsc.js --noEmit --pretty false --incremental --tsBuildInfoFile node_modules/.cache/check.tsbuildinfo";
/// The exit codes for an app without types, and for one without a compiler.
const NOTHING: i32 = 99;
const NO_COMPILER: i32 = 98;

/// What the compiler finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Types {
    Fine,
    /// The app has none.
    Nothing,
    /// The errors, as the compiler writes them.
    Wrong(String),
    /// The types can't be checked, for this reason.
    Unknown(String),
    /// It took too long, or was killed: a second run may succeed.
    Unfinished {
        why: String,
        killed: bool,
    },
}

pub async fn check(app: &App, patience: Duration) -> Result<Types, RunError> {
    let output = app.run(COMMAND, &[("CI", "1")], patience).await?;
    if output.timed_out {
        return Ok(Types::Unfinished {
            why: format!(
                "the type check took longer than {} seconds",
                patience.as_secs()
            ),
            killed: false,
        });
    }
    Ok(judge(
        output.exit_code,
        &String::from_utf8_lossy(&output.stdout),
    ))
}

fn judge(exit_code: i32, output: &str) -> Types {
    match exit_code {
        0 => return Types::Fine,
        NOTHING => return Types::Nothing,
        NO_COMPILER => {
            return Types::Unknown(
                "types were not checked: the package typescript is not installed".to_owned(),
            );
        }
        _ => {}
    }
    let lines: Vec<&str> = output.lines().collect();
    let is_error = |line: &str| line.contains("error TS");
    let mut errors: Vec<String> = Vec::new();
    let mut own = false;
    for line in &lines {
        if is_error(line) {
            // What the dev server generates may import files that are gone. Any other error in it
            // is one in the app's routes.
            own = !(line.starts_with(".next/") && line.contains("error TS2307:"));
            if own {
                errors.push((*line).to_owned());
            }
        } else if own
            && line.starts_with(' ')
            && let Some(last) = errors.last_mut()
        {
            last.push('\n');
            last.push_str(line);
        }
    }
    if errors.is_empty() {
        return match lines.iter().any(|line| is_error(line)) {
            true => Types::Fine,
            false => Types::Unfinished {
                why: format!("the type check ended with exit code {exit_code}"),
                // Ended by a signal, as envd reports it, or as shells do.
                killed: !(0..=128).contains(&exit_code),
            },
        };
    }
    let more = errors.len().saturating_sub(MAX_ERRORS);
    errors.truncate(MAX_ERRORS);
    if more > 0 {
        errors.push(format!("… and {more} more"));
    }
    Types::Wrong(errors.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_reported_whole_but_not_those_of_generated_files_that_miss_others() {
        let output = "app/page.tsx(1,2): error TS2322: Type 'a'\n  is not 'b'.\n.next/types/validator.ts(1,1): error TS2307: gone\n  more\n";
        assert_eq!(
            judge(2, output),
            Types::Wrong("app/page.tsx(1,2): error TS2322: Type 'a'\n  is not 'b'.".to_owned())
        );
        assert_eq!(
            judge(2, ".next/types/validator.ts(1,1): error TS2307: gone"),
            Types::Fine
        );
        assert_eq!((judge(0, ""), judge(99, "")), (Types::Fine, Types::Nothing));
        assert!(matches!(judge(98, ""), Types::Unknown(why) if why.contains("not installed")));
        assert!(matches!(
            judge(134, "out of memory"),
            Types::Unfinished { killed: true, .. }
        ));
        assert!(matches!(
            judge(-1, ""),
            Types::Unfinished { killed: true, .. }
        ));
        assert!(matches!(
            judge(2, "panic: "),
            Types::Unfinished { killed: false, .. }
        ));
        let sync_params = ".next/dev/types/validator.ts(198,31): error TS2344: Type 'typeof import(\"/home/user/app/api/[id]/route\")' does \
                           not satisfy the constraint.\n  Types of property 'GET' are incompatible.";
        assert_eq!(judge(2, sync_params), Types::Wrong(sync_params.to_owned()));
        let many = "a.ts(1,1): error TS1: x\n".repeat(30);
        assert!(
            matches!(judge(2, &many), Types::Wrong(errors) if errors.ends_with("… and 10 more"))
        );
    }
}
