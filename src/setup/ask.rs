//! Asks whoever sets the server up, at a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Whether somebody can answer.
pub(super) fn can() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The answer without white space around it; empty at the end of the input.
pub(super) fn text(question: &str) -> io::Result<String> {
    let mut terminal = io::stderr();
    write!(terminal, "{question} ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Reads an answer without echoing it.
pub(super) fn secret(question: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let usual = tcgetattr(&stdin)?;
    let mut hidden = usual.clone();
    hidden.local_modes -= LocalModes::ECHO;
    tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
    let answer = text(question);
    tcsetattr(&stdin, OptionalActions::Now, &usual)?;
    writeln!(io::stderr())?;
    answer
}

/// Prints a line to the terminal.
pub(super) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}
