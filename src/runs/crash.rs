//! Points at which a debug build kills itself as SIGKILL would, so that tests see the state a crash
//! leaves at that very moment. `CODEFLOW_CRASH_AT=before:turn-2` is right before the output of step
//! `turn-2` is saved, `after:` right after it. Release builds have no such points.

/// Ends the process when `CODEFLOW_CRASH_AT` names this moment of the step.
#[cfg(debug_assertions)]
pub fn point(moment: &str, step: &str) {
    let here = std::env::var("CODEFLOW_CRASH_AT")
        .is_ok_and(|at| at.split_once(':') == Some((moment, step)));
    if here {
        // Cannot fail, and does not return.
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}

#[cfg(not(debug_assertions))]
pub fn point(_moment: &str, _step: &str) {}
