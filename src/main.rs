//! The `codeflow` command: thin, every command calls down into the library.

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "codeflow", version, about = "An AI app builder that people can own")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the app (the default)
    Serve,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => Ok(()),
    }
}
